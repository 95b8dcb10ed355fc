"""Commands that show a study to others: `report`, `mirror`, and `ui`. None of them changes it."""

from pathlib import Path

import click

from policysearch.cli.options import home_option, open_home, open_study
from searchspaces.errors import BadInput, PolicysearchError


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
