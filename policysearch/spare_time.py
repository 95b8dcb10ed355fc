"""Whether another trial would end before the time is over.

Drivers ask for a task before a worker is free for it, so what counts is when it would begin: after what the workers have now, and
after what was asked for and has not begun. Knows of trials only how many epochs they have and how long they took. Estimates by
the median; before any trial is over only the deadline itself counts.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from statistics import median
from typing import Literal

from policysearch.drivers import LATER, Later
from policysearch.ledger.records import Standing

REMEMBERED = 101


class SpareTime:
    """The time left until `deadline`, a moment of `clock` in seconds (None: no end), and who is using it."""

    def __init__(self, deadline: float | None, clock: Callable[[], float]) -> None:
        self._deadline, self._clock = deadline, clock
        self._seconds_an_epoch: deque[float] = deque(maxlen=REMEMBERED)
        self._given: dict[str, int] = {}
        self._begun: dict[str, tuple[float, int]] = {}
        self._workers = 0
        self._slowest = 0.0

    def took(self, seconds: float, epochs: int) -> None:
        """A trial was over after so many seconds."""
        self._seconds_an_epoch.append(seconds / max(1, epochs))
        self._slowest = max(self._slowest, self._seconds_an_epoch[-1])

    def took_before(self, rows: Iterable[Standing], epochs_of: Callable[[Standing], int]) -> None:
        """What the study's rows say of trials that are over, and `epochs_of` of how many epochs they had; a rehearsal is no whole
        trial and says nothing.
        """
        for row in rows:
            if row.status == "done" and row.seconds is not None and row.role != "rehearsal":
                self.took(row.seconds, epochs_of(row))

    def late(self, epochs: int) -> Literal[False] | Later | None:
        """False where a trial of so many epochs would end in time; else what a source of tasks answers instead of it."""
        if self.allows(epochs):
            return False
        return LATER if self.may_allow(epochs) else None

    def longest(self, epochs: int) -> float | None:
        """How long the slowest trial so far would have taken for so many epochs; None before one is over."""
        return self._slowest * max(1, epochs) or None

    def given(self, trial: str, epochs: int) -> None:
        """A driver has the trial and will begin it when a worker is free."""
        self._given[trial] = epochs

    def begun(self, trial: str) -> None:
        """A worker has taken it up (again, after a worker was lost)."""
        epochs = self._begun[trial][1] if trial in self._begun else self._given.pop(trial, 0)
        self._begun[trial] = (self._clock(), epochs)
        self._workers = max(self._workers, len(self._begun))

    def ended(self, trial: str) -> None:
        """It is over."""
        self._begun.pop(trial, None)
        self._given.pop(trial, None)

    def allows(self, epochs: int) -> bool:
        """Whether a trial of so many epochs, given now, would end in time."""
        return self._deadline is None or self._beginning() + self._expected(epochs) <= self._deadline

    def may_allow(self, epochs: int) -> bool:
        """Whether it would if it began now, so that it's worth asking again when a trial is over."""
        busy = bool(self._begun or self._given)
        return busy and self._deadline is not None and self._clock() + self._expected(epochs) <= self._deadline

    def _expected(self, epochs: int) -> float:
        return median(self._seconds_an_epoch) * max(1, epochs) if self._seconds_an_epoch else 0.0

    def _beginning(self) -> float:
        """When the next trial would begin: now for a worker that has nothing to do, else when one is through with what it has.

        How many workers there are shows in how many trials have been under way at once.
        """
        now = self._clock()
        free = [max(now, since + self._expected(epochs)) for since, epochs in self._begun.values()]
        free += [now] * max(self._workers - len(free), 0 if free else 1)
        heapq.heapify(free)
        for epochs in self._given.values():
            heapq.heapreplace(free, free[0] + self._expected(epochs))
        return free[0]
