"""Commands that show a study to others: `report`, `mirror`, and `ui`. None of them changes it."""

import os
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from policysearch.cli.options import home_option, open_home, open_study, spoken
from searchspaces.errors import BadInput, PolicysearchError

if TYPE_CHECKING:
    from policysearch.home import Home
    from policysearch.ledger import StudyRecord


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
@click.option("--rebuild", is_flag=True, help="Put away what MLflow has of STUDY, and write all of it anew from the ledger.")
@click.option("--register", metavar="NAME", help="Make the winner's net a version of this registered model.")
@home_option
def mirror(study: str, rebuild: bool, register: str | None, home: str | None) -> None:
    """Bring MLflow up to date with what the ledger says of STUDY; again, it changes nothing.

    It writes to $MLFLOW_TRACKING_URI, else to a store in the home, and there to one experiment a data set, else to
    $MLFLOW_EXPERIMENT_NAME; MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD are used where the server asks for them.
    """
    from policysearch.cli.links import link_lines
    from policysearch.tracking.mirror import mirror_study
    from policysearch.tracking.models import require_registrable
    from policysearch.tracking.target import locate

    place = open_home(home)
    ledger, _ = open_study(place, study)
    target, directory = locate(place.root), place.study_directory(study)
    if register is not None:
        require_registrable(register, target)
    stands = mirror_study(ledger, study, target, directory, rebuild=rebuild, register=register)
    for note in stands.notes:
        click.echo(note)
    if stands.behind or stands.reason:
        raise PolicysearchError(
            f"MLflow at {target.shown_uri}: {stands.behind} trials are missing there ({stands.reason}); try again later"
        )
    click.echo(f"{stands.runs} trials of {study} are in MLflow at {target.shown_uri}")
    if target.is_server and stands.view is not None:
        for line in link_lines(stands.view, target.shown_uri, directory / "report.html"):
            click.echo(f"  {line}")
    else:
        click.echo(f"look at them with: {spoken(f'ui {study}', home)}")


@click.command()
@click.argument("study", required=False)
@click.option("--port", type=click.IntRange(1, 65535), help="The port on 127.0.0.1 (default: 5000, or one that is free).")
@click.option("--open/--no-open", "opens", default=None, help="Open a browser (default: where there is a display).")
@home_option
def ui(study: str | None, port: int | None, opens: bool | None, home: str | None) -> None:
    """MLflow's UI on this machine, until Ctrl-C; with STUDY, links to its runs sorted by error and to its best side by side.

    It answers on 127.0.0.1 and to this machine's own names for it, and to nothing else. Where $MLFLOW_TRACKING_URI is a server
    already, its links are printed and nothing is started.
    """
    from policysearch.tracking.server import serve

    place = open_home(home)
    record = None if study is None else open_study(place, study)[1]
    wanted = has_display() and sys.stdout.isatty() if opens is None else opens

    def ready(address: str) -> None:
        """Say where to look, and look there."""
        if record is None:
            click.echo(f"  links to one study's runs: {spoken('ui STUDY', home)}")
        first = address if record is None else _print_links(place, record, address, home)
        if wanted and not (has_display() and webbrowser.open(first)):
            click.echo(f"no browser can be opened here; open {first}")

    serve(place, port, ready=ready)


def has_display() -> bool:
    """Whether a browser that is started here would be seen."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _print_links(place: "Home", study: "StudyRecord", address: str, home: str | None) -> str:
    """Print where the study's runs are, under the server's address; the first of the links."""
    from policysearch.cli.links import link_lines
    from policysearch.tracking.mirror import find_study
    from policysearch.tracking.target import locate

    view = find_study(study, locate(place.root))
    if view is None:
        click.echo(f"MLflow has nothing of {study.name} yet; bring it there with: {spoken(f'mirror {study.name}', home)}")
        return address
    for line in link_lines(view, address, place.study_directory(study.name) / "report.html"):
        click.echo(f"  {line}")
    return view.links(address)[0][1]
