"""Commands that write something for others: `export`, `report`, `mirror`, and `ui`. None of them changes a study."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from policysearch.cli.options import home_option, open_home, open_study
from searchspaces.errors import BadInput, PolicysearchError

if TYPE_CHECKING:
    from policysearch.home import Home
    from searchspaces.policy_json import PolicyFile

_LOADED_WITH = {
    "json": "policysearch.load_policy({path}).to_torchvision()",
    # Albumentations knows the transform only once its module has been imported.
    "albumentations": "import albumentations, searchspaces.export.albumentations; transform = albumentations.load({path})",
}


@click.command()
@click.argument("source", metavar="STUDY|POLICY.json|zoo:NAME")
@click.option("-o", "--output", required=True, metavar="FILE", help="Where to write it.")
@click.option(
    "--to", "form", type=click.Choice(sorted(_LOADED_WITH)), default="json", show_default=True, help="The form to write."
)
@home_option
def export(source: str, output: str, form: str, home: str | None) -> None:
    """The policy as a file for other projects.

    \b
    json            for policysearch.load_policy(FILE), then .to_torchvision() or .to_albumentations()
    albumentations  an A.Compose as albumentations.load(FILE) reads it
    """
    found = _policy_of(source, home)
    target = Path(output)
    if not target.parent.is_dir():
        raise BadInput(f"output {output}: there is no directory {target.parent}; make it first, or give another -o FILE")
    try:
        _write(form, target, found)
    except OSError as error:
        raise BadInput(f"output {output}: can't be written ({error.strerror}); give another -o FILE") from error
    click.echo(f"{target}: load it with {_LOADED_WITH[form].format(path=repr(str(target)))}")


@click.command()
@click.argument("study")
@click.option("-o", "--output", metavar="FILE", help="Where to write it (default: report.html in the study's directory).")
@home_option
def report(study: str, output: str | None, home: str | None) -> None:
    """One HTML page about a study, with its figures and pictures inside; it opens without a network."""
    from dashboards.report import write_report

    place = open_home(home)
    ledger, _ = open_study(place, study)
    target = Path(output) if output else place.study_directory(study) / "report.html"
    if not target.parent.is_dir():
        raise BadInput(f"output {target}: there is no directory {target.parent}; make it first, or give another -o FILE")
    write_report(ledger, place, study, target)
    click.echo(str(target))


@click.command()
@click.argument("study")
@home_option
def mirror(study: str, home: str | None) -> None:
    """Bring MLflow up to date with what the ledger says of STUDY; again, it changes nothing."""
    from policysearch.tracking.mirror import mirror_study
    from policysearch.tracking.target import locate

    place = open_home(home)
    ledger, _ = open_study(place, study)
    target = locate(place.root)
    stands = mirror_study(ledger, study, target, place.study_directory(study))
    if stands.behind or stands.reason:
        raise PolicysearchError(
            f"MLflow at {target.shown_uri}: {stands.behind} trials are missing there ({stands.reason}); try again later"
        )
    click.echo(f"{stands.runs} trials of {study} are in MLflow at {target.shown_uri}; look at them with: policysearch ui")


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), help="The port on 127.0.0.1 (default: a free one).")
@home_option
def ui(port: int | None, home: str | None) -> None:
    """MLflow's UI on this machine, until Ctrl-C."""
    from policysearch.tracking.server import serve

    serve(open_home(home), port)


def _write(form: str, target: Path, found: "PolicyFile") -> None:
    from searchspaces.export.loading import LoadedPolicy
    from searchspaces.policy_json import write_policy_file

    if form == "json":
        write_policy_file(target, found.policy, found.provenance)
        return
    transform = LoadedPolicy(found.policy, found.provenance).to_albumentations()
    from searchspaces.export.albumentations import write_pipeline

    write_pipeline(target, transform)


def _policy_of(source: str, home: str | None) -> "PolicyFile":
    """The policy file that the zoo, a path or a study holds."""
    from searchspaces.policy_json import read_policy_file
    from searchspaces.zoo import read_zoo

    if source.startswith("zoo:"):
        return read_zoo(source.removeprefix("zoo:"))
    return read_policy_file(Path(source) if source.endswith(".json") else _study_policy(open_home(home), source))


def _study_policy(home: "Home", name: str) -> Path:
    open_study(home, name)
    path = home.study_directory(name) / "policy.json"
    if not path.exists():
        raise BadInput(f"study {name!r}: has no policy yet; finish its search first (policysearch status {name})")
    return path
