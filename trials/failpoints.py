"""Named places where a process can be made to die, for tests of what survives: `POLICYSEARCH_FAILPOINT="after_commit=kill"`.

Without the variable `reach` does nothing. A rule is `name=kill`, `name=kill:0.02:7` (with that probability, drawn from that seed,
this process's number and how often the place was reached) or `name=stop` (as SIGSTOP does); several are separated by spaces. What
is done is noted before in the file `$POLICYSEARCH_FAILPOINT_NOTES`, if it is named: point, process and action. Refuses names that
are not in `POINTS`, so that a test can't name a place that is gone.
"""

import os
import signal
from collections import Counter
from hashlib import sha256

VARIABLE = "POLICYSEARCH_FAILPOINT"
NOTES_VARIABLE = "POLICYSEARCH_FAILPOINT_NOTES"
POINTS = (
    "before_claim",  # a worker has a task and has not told the ledger
    "after_claim",  # the ledger knows the attempt; nothing is trained yet
    "after_suggest",  # a suggestion is known to its sampler alone
    "mid_epoch",
    "training_half_written",  # what a killed training goes on from
    "training_written",
    "checkpoint_half_written",  # the weights of a trained net
    "checkpoint_renamed",
    "before_commit",
    "after_commit",  # the result is recorded; nobody has been told
    "after_report",
    "run_made",  # MLflow has a run without its figures
    "run_cleared",  # of runs that are made anew, some are put away
    "model_made",  # MLflow knows of a model, without its files
    "mirrored_not_marked",  # MLflow has the run, the outbox does not know
    "gate_claimed",
    "gate_evaluated",
    "report_half_written",
)
_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
_reached: Counter[str] = Counter()


def reach(point: str) -> None:
    """Say that this process is at `point`, and die there if the environment says so."""
    assert point in POINTS, point
    rules = os.environ.get(VARIABLE)
    if rules:
        _meet(point, rules)


def _meet(point: str, rules: str) -> None:
    _reached[point] += 1
    for name, _, what in (rule.partition("=") for rule in rules.split()):
        if name not in POINTS:
            raise ValueError(f"{VARIABLE}: no point {name!r}; there are {', '.join(POINTS)}")
        action, chance, seed = (*what.split(":"), "1", "0")[:3]
        if name == point and _drawn(point, seed) < float(chance):
            _note(f"{point} {os.getpid()} {action}\n")
            os.kill(os.getpid(), _SIGNALS[action])


def _note(line: str) -> None:
    path = os.environ.get(NOTES_VARIABLE)
    if path:
        with open(path, "a", encoding="utf-8") as notes:  # short lines appended: whole, whoever else writes
            notes.write(line)


def _drawn(point: str, seed: str) -> float:
    """From 0 to below 1: by hash, so that no generator is touched."""
    text = f"{seed} {point} {os.getpid()} {_reached[point]}"
    return int.from_bytes(sha256(text.encode()).digest()[:4]) / 2**32
