"""How a worker carries out one task, whichever driver runs the worker.

A trial whose result is in the ledger is not run again, and a result is committed before anybody is told of it. A worker claims
its trial for a while (a lease, with the number of the attempt as its fence) and renews the claim as long as it lives. What goes
wrong in a trial becomes its failed result; what the worker can't cope with (a ledger it can't reach, a trial that another one has
taken over) is raised, for the driver to decide about.
"""

import faulthandler
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from policysearch.drivers import Task
from policysearch.kept_weights import training_path
from policysearch.ledger import LEASE_SECONDS, Ledger, Superseded
from searchspaces.errors import BadInput
from trials.failpoints import reach
from trials.gpu_failures import is_gpu_failure
from trials.places import location
from trials.values import Epoch, TrialResult, TrialSpec

NOTE_SECONDS = 1.0  # a note costs a sync of the disk, as long as an epoch of a small trial; people look once a second at most
RENEWALS_A_LEASE = 3  # so that one that is slow, or meets a busy database, costs nothing
OUT_OF_MEMORY = "out of memory; give smaller batches or images, or fewer workers"


class LedgerAway(ConnectionError):
    """The ledger can't be reached, read or written; the message is the ledger's own. It is no fault of the trial."""


def execute(
    task: Task,
    on_epoch: Callable[[Epoch], None],
    objective: Callable[..., Any] | None = None,
    clock: Callable[[], float] = time.monotonic,
    on_claim: Callable[[], None] = lambda: None,
    on_result: Callable[[TrialResult], None] = lambda result: None,
    on_note: Callable[[str], None] = lambda text: None,
) -> TrialResult:
    """Run the task's trial, or `objective` in its place, and commit the result; what is returned is what the ledger holds.

    `on_claim` is told when the trial is this worker's, `on_epoch` of every epoch. Before that the ledger notes it, the first and
    then at most one each `NOTE_SECONDS` of `clock`; the result has them all. `on_result` has the result before it is committed,
    `on_note` sentences for the user. A training that was killed goes on from its checkpoint, which goes with the result. A
    spec that this machine can't follow is a failed trial with the reason. Raises what stops the worker itself: LedgerAway;
    Superseded when another worker has the trial now.
    """
    with _ledger_trouble():
        ledger = ledger_at(task.ledger_url)
        stored = ledger.result(task.trial_uid)
        if stored is not None:
            _forget_training(task)
            return stored
        _require_sound_process()
        reach("before_claim")
        fence = ledger.start_attempt(task.trial_uid, owner(), LEASE_SECONDS)
    reach("after_claim")
    on_claim()
    with _Lease(ledger, task.trial_uid, fence) as lease, _limited(task.limit_seconds):
        result = _result(task, _Noting(ledger, lease, on_epoch, clock), objective, on_note)
        on_result(result)
    reach("before_commit")
    with _ledger_trouble():
        stored = ledger.commit_result(result, fence)
    reach("after_commit")
    _forget_training(task)
    return stored


@lru_cache(maxsize=1)
def ledger_at(url: str) -> Ledger:
    """The ledger of this process: opened once, not for every trial."""
    return Ledger(url)


def owner() -> str:
    """Who holds a lease, for people who look: host and process."""
    return f"{socket.gethostname()}:{os.getpid()}"


@contextmanager
def _ledger_trouble() -> Iterator[None]:
    """Inside, what the ledger refuses is the ledger's trouble, not the trial's failure."""
    try:
        yield
    except BadInput as away:
        raise LedgerAway(str(away)) from away


class _Lease:
    """The claim on a trial, renewed from a thread of its own while it is open; `lost` once another worker has the trial."""

    def __init__(self, ledger: Ledger, trial_uid: str, fence: int) -> None:
        self.trial_uid, self.fence, self.lost = trial_uid, fence, False
        self._ledger = ledger
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> "_Lease":
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        """Without waiting for the thread: a renewal under way does no harm, whatever comes first."""
        self._over.set()

    def _renew(self) -> None:
        while not (self.lost or self._over.wait(LEASE_SECONDS / RENEWALS_A_LEASE)):
            with suppress(
                BadInput
            ):  # the ledger is away: if it comes back in time nothing has happened, else the commit will tell
                self.lost = not self._ledger.renew_lease(self.trial_uid, self.fence, LEASE_SECONDS)


class _Noting:
    """What hears of the trial's epochs: the ledger now and then, the driver always."""

    def __init__(self, ledger: Ledger, lease: _Lease, on_epoch: Callable[[Epoch], None], clock: Callable[[], float]) -> None:
        self._ledger, self._lease, self._on_epoch, self._clock = ledger, lease, on_epoch, clock
        self._next_at = clock()

    def __call__(self, epoch: Epoch) -> None:
        if self._lease.lost:
            # Whatever came of it would be kept as a late result and never count; the processor is better used for another trial.
            raise Superseded(
                f"trial {self._lease.trial_uid}: another worker has it now; this one stops after epoch {epoch.number}"
            )
        if self._clock() >= self._next_at:
            with _ledger_trouble():
                self._ledger.note_progress(self._lease.trial_uid, epoch, self._lease.fence)
            self._next_at = self._clock() + NOTE_SECONDS
        self._on_epoch(epoch)


@contextmanager
def _limited(seconds: float | None) -> Iterator[None]:
    """Inside, this process ends after so many seconds, with the stack of what hangs on standard error."""
    if seconds is None:
        yield
        return
    faulthandler.dump_traceback_later(seconds, exit=True, file=2)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def _require_sound_process() -> None:
    """Raise when an earlier trial broke this process: after a failed assertion on a GPU every later call to it fails."""
    torch = sys.modules.get("torch")  # where no trial has used it there is nothing broken, and nothing to wait for
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.synchronize()


def _result(
    task: Task, note: Callable[[Epoch], None], objective: Callable[..., Any] | None, on_note: Callable[[str], None]
) -> TrialResult:
    try:
        if objective is not None:
            from policysearch.objective import run_objective

            files = Path(task.weights_path).parent.parent / "trials" / task.trial_uid
            return run_objective(task.spec, objective, note, files)
        from trials.run import run_trial

        checkpoint = training_path(task.weights_path, task.trial_uid)
        return run_trial(TrialSpec.from_dict(task.spec), note, location(task.weights_path), checkpoint, on_note)
    except BadInput as refused:
        return TrialResult(task.trial_uid, "failed", error=str(refused))
    except MemoryError:
        return TrialResult(task.trial_uid, "failed", error=OUT_OF_MEMORY)


def broke_its_process(result: TrialResult) -> bool:
    """Whether nothing more can be run in the process that this result comes from: a GPU has failed in it."""
    return result.error is not None and is_gpu_failure(result.error)


def record_failure(task: Task, reason: str) -> TrialResult:
    """Commit a failed result for a trial whose workers were lost. A result that is already there stands, and is returned."""
    stored = ledger_at(task.ledger_url).commit_result(TrialResult(task.trial_uid, "failed", error=reason))
    _forget_training(task)
    return stored


def _forget_training(task: Task) -> None:
    """Delete what a killed training would go on from: the trial is over. What can't be deleted is swept away later."""
    if task.weights_path:
        with suppress(OSError):
            training_path(task.weights_path, task.trial_uid).unlink(missing_ok=True)


def usable_cores() -> int:
    """The cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
