"""The command that opens a test set: `test`. It asks first; what was disclosed before is only printed again."""

import sys
from typing import TYPE_CHECKING, Any

import click

from policysearch.cli.options import (
    MIRROR_PATIENCE_SECONDS,
    home_option,
    open_home,
    open_study,
)
from policysearch.cli.telling import Telling, share_of_a_gpu, telling, telling_options
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
@telling_options
@home_option
def test(study: str, yes: bool, quiet: bool, as_json: bool, home: str | None, **where: Any) -> None:
    """The one look at STUDY's test set: its winner against the best baseline; again, it prints the recorded figure.

    Both are trained anew, with fresh seeds, on train and validation images together. Then the test images are opened, once.
    """
    from dashboards.queries import read_study
    from policysearch.cli.ending import print_test

    with telling(quiet, as_json) as how:
        place = open_home(home)
        ledger, record = open_study(place, study)
        claim = ledger.claim(record.uid)
        made = DriverWhenWanted(place, ledger, record, **where)
        if claim is not None and claim.figure is not None:
            _disclose(place, ledger, record, made, None, how)
        else:
            _look(place, ledger, record, made, yes, how)
        print_test(read_study(ledger, study))
        how.verdict(place, study)


def _look(home: "Home", ledger: "Ledger", record: "StudyRecord", made: "DriverWhenWanted", yes: bool, how: Telling) -> None:
    """Ask, unless it was said, train what is missing, and look."""
    from policysearch.confirming import ahead
    from policysearch.drivers.execution import usable_cores

    left = ahead(home, ledger, record, made.workers or usable_cores())
    if not yes:
        _ask(record.name, left, how)
    _disclose(home, ledger, record, made, left, how)
    show_everywhere(home, ledger, record.name)


class DriverWhenWanted:
    """A driver that is made when there is something to run: a claim that is only to be finished needs none."""

    def __init__(
        self, home: "Home", ledger: "Ledger", study: "StudyRecord", driver: str, address: str | None, workers: int | None
    ) -> None:
        self.workers = workers
        self._home, self._ledger, self._study = home, ledger, study
        self._how = {"driver": driver, "address": address, "workers": workers}

    def run(self, source: "TaskSource", listener: "Listener") -> None:
        """As `Driver.run` says."""
        from policysearch.confirming import setting_for_test
        from policysearch.extending import study_again
        from policysearch.wished import driver_for

        data = self._study.wishes.get("data")  # by name alone: the images are prepared, and a function of them is not called
        study = study_again(self._study, data=data, home=self._home.root, storage=self._home.storage, **self._how)
        made: Driver = driver_for(study, setting_for_test(self._home, self._ledger, self._study))
        made.run(source, listener)


def show_everywhere(home: "Home", ledger: "Ledger", study: str) -> None:
    """Bring the report and MLflow up to date with a figure just disclosed; MLflow may be away, then it follows later."""
    from dashboards.report import write_report
    from policysearch.tracking.shipper import start_shipper

    shipper = start_shipper(home, study)
    write_report(ledger, home, study, home.study_directory(study) / "report.html")
    shipper.finish(MIRROR_PATIENCE_SECONDS)


def _disclose(home: "Home", ledger: "Ledger", study: "StudyRecord", driver: "Driver", left: "Ahead | None", how: Telling) -> None:
    """Train what is left and look, with progress; in silence where the figure is there."""
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
            with how.view(epochs) as view:
                view.tally.gpus = share_of_a_gpu(study)
                if left.trainings or how.lines is not None:
                    view.hear(Event("ready", total=left.trainings, epoch=left.trainings * epochs, text=study.name))
                confirm_and_disclose(home, ledger, study, driver, view.hear)
    except KeyboardInterrupt:
        click.echo(f"\n{GO_ON}", err=True)
        raise


def _ask(study: str, left: "Ahead", how: Telling) -> None:
    if how.lines is not None or not sys.stdin.isatty():
        raise BadInput(f"study {study!r}: opening its test set can't be undone, and there is nobody to ask; add --yes")
    click.confirm(f"{_what_is_ahead(left)}Open the test set of {study}? It can be done once.", abort=True)


def _what_is_ahead(left: "Ahead") -> str:
    """What will be trained before, and about how long that takes."""
    from searchspaces.phrases import counted, duration

    if not left.trainings:
        return f"All models of {' and '.join(left.labels)} are trained.\n"
    about = "" if left.seconds is None else f", about {duration(left.seconds)}"
    return f"{counted(left.trainings, 'model')} of {' and '.join(left.labels)} will be trained for it{about}.\n"
