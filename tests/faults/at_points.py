"""One step of a real search in a process of its own, which may die in it: `python at_points.py STEP HOME_OR_TASK [STUDY]`."""

import json
import sys
from collections.abc import Callable
from pathlib import Path


def trial(task: str) -> None:
    """Carry out a task, as a worker does."""
    from policysearch.drivers import Task
    from policysearch.drivers.execution import execute

    execute(Task(**json.loads(task)), lambda epoch: None)


def careful(task: str) -> None:
    """Carry out a task, and keep every epoch; what was trained and told goes to standard output."""
    from policysearch.drivers import Task
    from policysearch.drivers.execution import execute
    from trials import checkpoints

    checkpoints.LEAST_SECONDS, checkpoints.TIMES_ITS_COST = 0.0, 0
    execute(Task(**json.loads(task)), lambda epoch: print(epoch.number, flush=True), on_note=print)


def gate(home: str, name: str) -> None:
    """Train a model of each side, and open the test set."""
    from policysearch.confirming import confirm_and_disclose
    from policysearch.drivers.local import LocalDriver
    from policysearch.home import Home
    from policysearch.ledger import Ledger

    ledger = Ledger(Home(Path(home)).ledger_url)
    study = ledger.study(name)
    assert study is not None
    confirm_and_disclose(Home(Path(home)), ledger, study, LocalDriver(1), lambda event: None, seeds=1)


def report(home: str, name: str) -> None:
    """Write the report."""
    from dashboards.report import write_report
    from policysearch.home import Home
    from policysearch.ledger import Ledger

    place = Home(Path(home))
    write_report(Ledger(place.ledger_url), place, name, place.study_directory(name) / "report.html")


def mirror(home: str, name: str, rebuild: str = "") -> None:
    """Bring MLflow up to date, or write all of it anew."""
    from policysearch.home import Home
    from policysearch.ledger import Ledger
    from policysearch.tracking.mirror import mirror_study
    from policysearch.tracking.target import locate

    place = Home(Path(home))
    ledger, directory = Ledger(place.ledger_url), place.study_directory(name)
    shipped = mirror_study(ledger, name, locate(place.root), directory, rebuild=bool(rebuild))
    assert shipped.behind == 0, shipped.reason


if __name__ == "__main__":
    PLACES: dict[str, Callable[..., None]] = {
        "trial": trial,
        "careful": careful,
        "gate": gate,
        "report": report,
        "mirror": mirror,
    }
    PLACES[sys.argv[1]](*sys.argv[2:])
