"""How long the local driver waits for a worker before it takes it for lost: by a trial's limit, and by its signs of life.

Watches and says why, in words; who is ended is the crew's to do.
"""

import time
from collections.abc import Collection

from policysearch.drivers import Task
from policysearch.drivers.hired import Worker
from policysearch.drivers.limits import usual_limit
from policysearch.ledger import LEASE_SECONDS

LAPSE_PATIENCE_SECONDS = LEASE_SECONDS / 2  # after a sleep of the whole machine workers need a moment to renew their claims
CLAIM_PATIENCE_SECONDS = 180.0  # longer than the ledger's own patience with a database that is busy or away
LIMIT_PATIENCE_SECONDS = 5.0  # a worker ends itself at its limit; one that can't is ended after so much more


class Patience:
    """What is known so far of how long trials take, and what that says of a worker that is silent."""

    def __init__(self, slowest_epoch_seconds: float = 0.0) -> None:
        self._slowest = slowest_epoch_seconds

    def learn(self, worker: Worker) -> None:
        """Its trial is done: how long that took."""
        if worker.task is not None and worker.claimed_at is not None:
            self._slowest = max(self._slowest, (time.monotonic() - worker.claimed_at) / _fewest_epochs(worker.task))

    def limit(self, task: Task | None) -> float | None:
        """Seconds: what the task says; where it was given out before anybody knew, what has become usual since."""
        if task is None:
            return None
        return task.limit_seconds or usual_limit(self._slowest * _epochs(task) or None)

    def trouble(self, worker: Worker, lapsed: Collection[str]) -> str | None:
        """Why a worker with a task is lost though its process is there; `lapsed` are the trials whose claims are over."""
        return self._hung(worker, LIMIT_PATIENCE_SECONDS) or self._asleep(worker, lapsed)

    def hung_at_its_end(self, worker: Worker) -> str | None:
        """Whether a worker that is gone has ended itself at its limit.

        A claim is heard some time after it is made, so that it seems to be early.
        """
        return self._hung(worker, -min(2.0, (self.limit(worker.task) or 0.0) / 4))

    def _hung(self, worker: Worker, patience_seconds: float) -> str | None:
        limit = self.limit(worker.task)
        if limit is None or worker.claimed_at is None or time.monotonic() < worker.claimed_at + limit + patience_seconds:
            return None
        return f"it ran longer than the {limit:.0f} s that a trial may take, so it is taken to hang"

    def _asleep(self, worker: Worker, lapsed: Collection[str]) -> str | None:
        now = time.monotonic()
        assert worker.task is not None
        if worker.claimed_at is None:
            silent = worker.ready and now > worker.given_at + CLAIM_PATIENCE_SECONDS
            return f"it was given a trial and has not taken it up in {CLAIM_PATIENCE_SECONDS:.0f} s" if silent else None
        if worker.task.trial_uid not in lapsed:
            worker.lapsed_since = None
            return None
        worker.lapsed_since = worker.lapsed_since or now
        if now < worker.lapsed_since + LAPSE_PATIENCE_SECONDS:
            return None
        return f"it gave no sign of life for {LEASE_SECONDS + LAPSE_PATIENCE_SECONDS:.0f} s: stopped, or out of memory"


def _fewest_epochs(task: Task) -> int:
    """How many a trial that is done has trained at least: patience may have ended it."""
    patience = (task.spec.get("recipe") or {}).get("patience_epochs", 0)
    return min(_epochs(task), 1 + patience) if patience else _epochs(task)


def _epochs(task: Task) -> int:
    return max(1, int(task.spec.get("budget_epochs", 1)))
