"""What a driver is: something that runs the tasks it is given, wherever it can, and tells a listener how they go.

A driver may run, retry, time and place trials. It chooses no policy and is never the truth: results are rows of the ledger,
written by the workers themselves before they report. Holds the protocols only; a driver is a module of this package.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, Protocol, TypeAlias


@dataclass(frozen=True)
class Task:
    """One trial to run: its spec as plain JSON values, the ledger its result belongs in, the file its weights belong in.

    A trial that runs longer than `limit_seconds` hangs: its worker is ended and counts as lost. None: it may take for ever.
    """

    spec: Mapping[str, Any]
    ledger_url: str
    weights_path: str
    limit_seconds: float | None = None

    @property
    def trial_uid(self) -> str:
        """Which trial it is."""
        uid = self.spec["trial_uid"]
        assert isinstance(uid, str)
        return uid

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; `Task(**values)` is the inverse."""
        places = {"ledger_url": self.ledger_url, "weights_path": self.weights_path}
        return {"spec": dict(self.spec), **places, "limit_seconds": self.limit_seconds}


class Later(Enum):
    """What a source says when it has no task now but may have one once a running trial is over."""

    LATER = "later"


LATER = Later.LATER


@dataclass(frozen=True)
class Event:
    """Something a person may want to see at once.

    `ready`: the study stands, `text` is its name, `total` how many trainings it is to have, `epoch` of how many epochs
    together, `epochs_before` how many of these earlier runs have trained. `stage`: one of `total` trainings begins, `text`
    names it; where `later` is said, the stage has `epoch` epochs together, `later` trainings of `later_epochs` are to follow, and
    beside these and what is over the study has none. `started`: for the first time, or again after a worker was lost. `epoch`:
    `wrong` of `total` validation images after `epoch`. `finished`: the figures of the last epoch. `failed`: `text` is the reason;
    `seconds` is what the training took, of both. One that was over before is told without having started. `progress`: of what
    `text` says, which is no training, `epoch` of `total` parts are done. `note`: `text` says something about the whole search.
    `label` names the trial that started, finished or failed; `budget_epochs` is how many epochs it trains for (0: as many as all
    others), `role` its role in the ledger.
    """

    kind: Literal["ready", "stage", "started", "epoch", "finished", "failed", "progress", "note"]
    trial_uid: str = ""
    epoch: int = 0
    wrong: int = 0
    total: int = 0
    text: str = ""
    label: str = ""
    budget_epochs: int = 0
    role: str = ""
    seconds: float = 0.0
    epochs_before: int = 0
    later: int | None = None
    later_epochs: int = 0


Listener: TypeAlias = Callable[[Event], None]


class TaskSource(Protocol):
    """Where a driver gets its tasks from. Always called from the thread that called `Driver.run`."""

    def next_task(self) -> Task | Later | None:
        """A task to start next; LATER where one may come once a running trial is over; None when none is left, which is final.

        A driver may ask for one task more than it has workers, so that a worker which is done finds its next task ready.
        """

    def started(self, trial_uid: str) -> None:
        """A worker has taken up the trial (again, after a worker was lost)."""

    def finished(self, trial_uid: str) -> None:
        """The trial is over: its result, done or failed, is in the ledger."""


class Driver(Protocol):
    """Runs every task of a source."""

    def run(self, source: TaskSource, listener: Listener) -> None:
        """Return when the source has no task left and every task given out is over.

        The listener hears of epochs and of what happens to workers (`epoch`, `note`); what it raises, KeyboardInterrupt
        included, stops the workers within seconds and passes through. Nothing is written to standard output.
        """
