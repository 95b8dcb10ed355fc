"""The command that opens a test set: `test`. It asks first; what was disclosed before is only printed again."""

import sys
from typing import TYPE_CHECKING

import click

from policysearch.cli.options import MIRROR_PATIENCE_SECONDS, home_option, json_option, open_home, open_study, print_json
from searchspaces.errors import BadInput

if TYPE_CHECKING:
    from policysearch.home import Home
    from policysearch.ledger import Ledger


@click.command()
@click.argument("study")
@click.option("--yes", is_flag=True, help="Don't ask first.")
@home_option
@json_option
def test(study: str, yes: bool, home: str | None, as_json: bool) -> None:
    """The one held-out evaluation of STUDY's best policy; again, it prints the recorded figure."""
    from dashboards.queries import read_study
    from policysearch.cli.ending import print_test
    from policysearch.cli.reading import test_facts
    from policysearch.conclusion import disclose_test
    from policysearch.judgement import judge

    place = open_home(home)
    ledger, record = open_study(place, study)
    claim = ledger.claim(record.uid)
    if (claim is None or claim.figure is None) and not yes:
        _ask(study)
    disclose_test(place, ledger, record)
    if claim is None or claim.figure is None:
        show_everywhere(place, ledger, study)
    if as_json:
        return print_json((test_facts(ledger.claim(record.uid)) or {}) | {"verdict": judge(ledger, record).to_dict()})
    print_test(read_study(ledger, study))
    return None


def show_everywhere(home: "Home", ledger: "Ledger", study: str) -> None:
    """Bring the report and MLflow up to date with a figure just disclosed; MLflow may be away, then it follows later."""
    from dashboards.report import write_report
    from policysearch.tracking.shipper import start_shipper

    shipper = start_shipper(home, study)
    write_report(ledger, home, study, home.study_directory(study) / "report.html")
    shipper.finish(MIRROR_PATIENCE_SECONDS)


def _ask(study: str) -> None:
    if not sys.stdin.isatty():
        raise BadInput(f"study {study!r}: opening its test set can't be undone, and there is nobody to ask; add --yes")
    click.confirm(f"Open the test set of {study}? It can be done once, for the best policy so far.", abort=True)
