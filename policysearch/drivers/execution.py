"""How a worker carries out one task, whichever driver runs the worker.

A trial whose result is in the ledger is not run again, and a result is committed before anybody is told of it. What goes wrong in
a trial becomes its failed result; what the worker can't cope with (a ledger it can't reach) is raised, for the driver to retry.
"""

import os
import time
from collections.abc import Callable, MutableMapping
from pathlib import Path

from policysearch.drivers import Task
from policysearch.ledger import Ledger
from searchspaces.errors import BadInput
from trials.values import Epoch, TrialResult, TrialSpec

NOTE_SECONDS = 1.0  # a note costs a sync of the disk, as long as an epoch of a small trial; people look once a second at most

# One trial is one thread: the driver runs as many trials as there are cores.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def execute(task: Task, on_epoch: Callable[[Epoch], None], clock: Callable[[], float] = time.monotonic) -> TrialResult:
    """Run the task's trial and commit its result; what is returned is what the ledger holds.

    `on_epoch` is told of every epoch. Before that the ledger notes it, the first and then at most one each `NOTE_SECONDS` of
    `clock`; the result has them all. A spec that this machine can't follow is a failed trial with the reason. Raises what stops
    the worker itself.
    """
    ledger = Ledger(task.ledger_url)
    stored = ledger.result(task.trial_uid)
    if stored is not None:
        return stored
    _require_sound_process()
    ledger.start_attempt(task.trial_uid)
    next_note_at = clock()

    def note(epoch: Epoch) -> None:
        nonlocal next_note_at
        if clock() >= next_note_at:
            try:
                ledger.note_progress(task.trial_uid, epoch)
            except BadInput as away:  # not the trial's fault, so it must not become its failure
                raise ConnectionError(str(away)) from away
            next_note_at = clock() + NOTE_SECONDS
        on_epoch(epoch)

    return ledger.commit_result(_result(task, note))


def _require_sound_process() -> None:
    """Raise when an earlier trial broke this process: after a failed assertion on a GPU every later call to it fails."""
    import torch

    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()


def _result(task: Task, note: Callable[[Epoch], None]) -> TrialResult:
    from trials.run import run_trial

    try:
        return run_trial(TrialSpec.from_dict(task.spec), note, Path(task.weights_path))
    except BadInput as refused:
        return TrialResult(task.trial_uid, "failed", error=str(refused))


def record_failure(task: Task, reason: str) -> TrialResult:
    """Commit a failed result for a trial whose workers were lost. A result that is already there stands, and is returned."""
    return Ledger(task.ledger_url).commit_result(TrialResult(task.trial_uid, "failed", error=reason))


def one_thread_each(environment: MutableMapping[str, str]) -> None:
    """Set the variables that keep numeric libraries to one thread. To be done before they are imported."""
    environment.update(dict.fromkeys(_THREADS, "1"))


def usable_cores() -> int:
    """The cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
