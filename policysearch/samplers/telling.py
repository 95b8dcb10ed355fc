"""A study's history in Optuna's words, and how much of it is told.

A done policy is a COMPLETE trial with its error. A stopped one is PRUNED, with its errors at its rungs, and never COMPLETE:
an error after few epochs is not comparable with one after all of them. One under way is RUNNING. A failed one has nothing to
say and is not told, nor are baselines and enqueued policies, which are no points of the space.
"""

import copy
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import optuna

from policysearch.samplers.tried import Tried
from searchspaces.errors import BadInput
from searchspaces.space import SearchSpace, Value

MOST_TOLD = 1000
BEST_TOLD = 250
NO_TIME = datetime(2000, 1, 1, tzinfo=UTC)  # samplers don't ask when; the same in every process

STATES = {
    "done": optuna.trial.TrialState.COMPLETE,
    "stopped": optuna.trial.TrialState.PRUNED,
    "running": optuna.trial.TrialState.RUNNING,
    "failed": optuna.trial.TrialState.FAIL,
}


@contextmanager
def quiet() -> Iterator[None]:
    """Inside, Optuna says nothing: neither of each study it makes, nor that `group` is experimental."""
    loud = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", category=optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(loud)


def worth_telling(history: Sequence[Tried], most: int = MOST_TOLD, best: int = BEST_TOLD) -> list[Tried]:
    """What is told of a history, in its order: all that can be, up to `most` finished ones; of more the `best` and the latest.

    A model's cost grows with what it is told, and what it learns from is who is good: the few hundred best, against the others
    that it has met lately. Those under way are all told. The choice depends on the history alone.
    """
    telling = [place for place, tried in enumerate(history) if tried.params and tried.state != "failed"]
    over = [place for place in telling if history[place].state != "running"]
    if len(over) > most:
        foremost = set(sorted(over, key=lambda place: (_rank(history[place]), place))[:best])
        latest = [place for place in over if place not in foremost][best - most :]
        chosen = foremost.union(latest)
        telling = [place for place in telling if history[place].state == "running" or place in chosen]
    return [history[place] for place in telling]


def _rank(tried: Tried) -> tuple[int, float, float]:
    """Low is good: done ones by their error, then stopped ones by how far they came, then by their error there."""
    if tried.state == "done":
        assert tried.error is not None
        return 0, 0.0, tried.error
    last = max(tried.rungs)
    return 1, -float(last), tried.rungs[last]


class _Told(optuna.trial.FrozenTrial):
    """A trial that nobody changes, so that a study needs no deep copy of it: that would take most of a suggestion's time."""

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Told":
        return copy.copy(self)


def frozen(tried: Tried, space: SearchSpace, distributions: Mapping[str, Any]) -> "optuna.trial.FrozenTrial | None":
    """The policy as a trial, with its active params only; None where this space has no such point, as after it was narrowed."""
    try:
        params = space.check(tried.params)
    except BadInput:
        return None
    return _Told(
        number=-1,  # the study that it is added to gives it one
        trial_id=-1,
        state=STATES[tried.state],
        value=tried.error if tried.state == "done" else None,
        datetime_start=NO_TIME,
        datetime_complete=None if tried.state == "running" else NO_TIME,
        params=dict[str, Value](params),
        distributions={name: distributions[name] for name in params},
        user_attrs={},
        system_attrs={},
        intermediate_values=dict(tried.rungs),
    )
