"""The command that opens a test set: `test`. It asks first; what was disclosed before is only printed again."""

import sys
from typing import TYPE_CHECKING

import click

from policysearch.cli.options import (
    MIRROR_PATIENCE_SECONDS,
    home_option,
    json_option,
    open_home,
    open_study,
    print_json,
)
from searchspaces.errors import BadInput

if TYPE_CHECKING:
    from policysearch.confirming import Ahead
    from policysearch.drivers import Driver, Listener, TaskSource
    from policysearch.home import Home
    from policysearch.ledger import Ledger, StudyRecord

GO_ON = "what is trained is kept; the same command goes on from there."


@click.command()
@click.argument("study")
@click.option("--yes", is_flag=True, help="Don't ask first.")
@click.option("--driver", default="local", show_default=True, metavar="NAME", help="Where models are trained: local or ray.")
@click.option("--address", metavar="ADDRESS", help="The Ray cluster to train on, such as auto.")
@click.option("--workers", type=int, metavar="N", help="Trainings at once (default: one a core).")
@home_option
@json_option
def test(study: str, yes: bool, driver: str, address: str | None, workers: int | None, home: str | None, as_json: bool) -> None:
    """The one look at STUDY's test set: its winner against the best baseline; again, it prints the recorded figure.

    Both are trained anew, with fresh seeds, on train and validation images together. Then the test images are opened, once.
    """
    from dashboards.queries import read_study
    from policysearch.cli.ending import print_test
    from policysearch.cli.reading import test_facts
    from policysearch.judgement import judge

    place = open_home(home)
    ledger, record = open_study(place, study)
    claim = ledger.claim(record.uid)
    is_disclosed = claim is not None and claim.figure is not None
    made = DriverWhenWanted(place, ledger, record, driver, address, workers)
    if is_disclosed:
        _disclose(place, ledger, record, made, None)
    else:
        from policysearch.confirming import ahead
        from policysearch.drivers.execution import usable_cores

        left = ahead(place, ledger, record, workers or usable_cores())
        if not yes:
            _ask(study, left)
        _disclose(place, ledger, record, made, None if as_json else left)
        show_everywhere(place, ledger, study)
    if as_json:
        return print_json((test_facts(ledger.claim(record.uid)) or {}) | {"verdict": judge(ledger, record).to_dict()})
    print_test(read_study(ledger, study))
    return None


class DriverWhenWanted:
    """A driver that is made when there is something to run: a claim that is only to be finished needs none."""

    def __init__(
        self, home: "Home", ledger: "Ledger", study: "StudyRecord", driver: str, address: str | None, workers: int | None
    ) -> None:
        self._home, self._ledger, self._study = home, ledger, study
        self._how = {"driver": driver, "address": address, "workers": workers}

    def run(self, source: "TaskSource", listener: "Listener") -> None:
        """As `Driver.run` says."""
        from policysearch.confirming import setting_for_test
        from policysearch.extending import study_again
        from policysearch.wished import driver_for

        study = study_again(self._study, home=self._home.root, storage=self._home.storage, **self._how)
        made: Driver = driver_for(study, setting_for_test(self._home, self._ledger, self._study))
        made.run(source, listener)


def show_everywhere(home: "Home", ledger: "Ledger", study: str) -> None:
    """Bring the report and MLflow up to date with a figure just disclosed; MLflow may be away, then it follows later."""
    from dashboards.report import write_report
    from policysearch.tracking.shipper import start_shipper

    shipper = start_shipper(home, study)
    write_report(ledger, home, study, home.study_directory(study) / "report.html")
    shipper.finish(MIRROR_PATIENCE_SECONDS)


def _disclose(home: "Home", ledger: "Ledger", study: "StudyRecord", driver: "Driver", left: "Ahead | None") -> None:
    """Train what is left and look, with progress for a person; in silence where that is not said."""
    from policysearch.cli.progress import Tally, progress
    from policysearch.confirming import confirm_and_disclose
    from policysearch.drivers import Event

    def unheard(event: Event) -> None:
        pass

    try:
        with home.keeping_kernels():
            if left is None:
                confirm_and_disclose(home, ledger, study, driver, unheard)
                return
            epochs = study.identity["epochs"]
            with progress(Tally(epochs)) as view:
                if left.trainings:
                    view.hear(Event("ready", total=left.trainings, epoch=left.trainings * epochs, text=study.name))
                confirm_and_disclose(home, ledger, study, driver, view.hear)
    except KeyboardInterrupt:
        click.echo(f"\n{GO_ON}", err=True)
        raise


def _ask(study: str, left: "Ahead") -> None:
    if not sys.stdin.isatty():
        raise BadInput(f"study {study!r}: opening its test set can't be undone, and there is nobody to ask; add --yes")
    click.confirm(f"{_what_is_ahead(left)}Open the test set of {study}? It can be done once.", abort=True)


def _what_is_ahead(left: "Ahead") -> str:
    """What will be trained before, and about how long that takes."""
    from policysearch.spare_time import duration
    from searchspaces.words import counted

    if not left.trainings:
        return f"All models of {' and '.join(left.labels)} are trained.\n"
    about = "" if left.seconds is None else f", about {duration(left.seconds)}"
    return f"{counted(left.trainings, 'model')} of {' and '.join(left.labels)} will be trained for it{about}.\n"
