"""What is run next: the tasks of a search, in order, over the ledger and a sampler.

First the trials that an earlier search planned and didn't finish, then the free baselines, then the policies that the user
enqueued, then suggestions. A trial is in the ledger before it is given out, and what came of it is read from the ledger.
Refuses nothing; it stops at the number of trials, at the end of the space, and before a trial that would not finish in time.
"""

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

from policysearch.drivers import Event, Listener, Task
from policysearch.kept_weights import KeptWeights
from policysearch.ledger import ENQUEUED, Ledger, Role, StudyRecord, TrialRecord
from policysearch.samplers import Sampler
from policysearch.selection import winner
from policysearch.specs import placed, trial_spec
from searchspaces.errors import NoTrialSucceeded
from searchspaces.policy import Policy
from searchspaces.policy_json import digest
from searchspaces.space import SearchSpace
from searchspaces.words import policy_in_words
from trials.failpoints import reach
from trials.values import DataRef, Recipe

LABEL_PARAMS = 3


@dataclass(frozen=True)
class Setting:
    """What all trials of a study share, what it searches, and the policies by label that are run beside.

    `objective` names the function of the user's own that trains in place of ours; only such a study may have no data. A trial
    that runs longer than `limit_seconds` counts as hung.
    """

    space: SearchSpace
    baselines: Mapping[str, Policy]
    recipe: Recipe
    data: DataRef | None
    seed: int
    budget_epochs: int
    enqueued: Mapping[str, Policy] = field(default_factory=dict)
    objective: str | None = None
    limit_seconds: float | None = None


class Campaign:
    """A `TaskSource`: `wanted` searched trials beside baselines and enqueued policies, none started that can't end before
    `deadline`.

    `deadline` is a moment of `clock` (seconds); None for no limit. `keep` are trials whose weights stay besides the best
    one's.
    """

    def __init__(
        self,
        ledger: Ledger,
        study: StudyRecord,
        setting: Setting,
        sampler: Sampler,
        weights: KeptWeights,
        wanted: int,
        listener: Listener,
        deadline: float | None = None,
        keep: Iterable[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger, self._study, self._setting, self._sampler = ledger, study, setting, sampler
        self._weights, self._wanted, self._listener = weights, wanted, listener
        self._deadline, self._keep, self._clock = deadline, frozenset(keep), clock
        self._trials = {trial.trial_uid: trial for trial in ledger.trials(study.uid)}
        self._waiting = deque(self._unfinished())
        finished = [trial for trial in self._trials.values() if trial.result is not None]
        self._planned = sum(trial.role == "trial" for trial in (*finished, *self._waiting))
        self._best = self._current_best()
        self.stopped: Literal["space", "time"] | None = None
        weights.sweep(self._keep | ({self._best} if self._best else set()))

    def _unfinished(self) -> list[TrialRecord]:
        """What an earlier search left, but no more searched trials than are wanted now."""
        records = list(self._trials.values())
        room = self._wanted - sum(trial.role == "trial" and trial.result is not None for trial in records)
        left = [trial for trial in records if trial.result is None]
        searched = [trial for trial in left if trial.role == "trial"][: max(0, room)]
        return [trial for trial in left if trial.role != "trial"] + searched

    @property
    def finished_before(self) -> int:
        """How many trials are over; before the first task, those that earlier searches finished."""
        return sum(trial.result is not None for trial in self._trials.values())

    def tell_finished(self) -> None:
        """Tell the listener of the trials that were over before this search began."""
        for trial in self._trials.values():
            if trial.result is not None:
                self._tell_end(trial)

    def next_task(self) -> Task | None:
        """As `TaskSource.next_task` says; `stopped` then says whether time or the space ran out."""
        if self._is_late():
            self.stopped = "time"
            return None
        trial = self._waiting.popleft() if self._waiting else self._new()
        if trial is None:
            return None
        weights = str(self._weights.path(trial.trial_uid))
        return Task(placed(trial.spec, self._setting), self._ledger.url, weights, self._setting.limit_seconds)

    def started(self, trial_uid: str) -> None:
        """Tell the listener."""
        self._listener(Event("started", trial_uid, label=self._trials[trial_uid].label))

    def finished(self, trial_uid: str) -> None:
        """Read the result, keep the weights of the best trial alone, tell the listener."""
        trial = self._ledger.trial(trial_uid)
        self._trials[trial_uid] = trial
        before, self._best = self._best, self._current_best()
        for other in {before, trial_uid} - {self._best, None} - self._keep:
            assert other is not None
            self._weights.drop(other)
        self._tell_end(trial)

    def _tell_end(self, trial: TrialRecord) -> None:
        assert trial.result is not None, "a driver calls finished() after the result is in the ledger"
        if trial.result.score is None:
            self._listener(Event("failed", trial.trial_uid, text=trial.result.error or "", label=trial.label))
            return
        score, epochs = trial.result.score, len(trial.result.epochs)
        self._listener(Event("finished", trial.trial_uid, epochs, score.wrong, score.total, label=trial.label))

    def _current_best(self) -> str | None:
        try:
            return winner(list(self._trials.values())).trial_uid
        except NoTrialSucceeded:
            return None

    def _is_late(self) -> bool:
        """Whether a trial of median length, started now, would end after the deadline."""
        if self._deadline is None:
            return False
        results = [trial.result for trial in self._trials.values() if trial.result is not None]
        seconds = [result.span_seconds.get("total", 0.0) for result in results if result.status == "done"]
        return self._clock() + (median(seconds) if seconds else 0.0) > self._deadline

    def _new(self) -> TrialRecord | None:
        return self._new_baseline() or self._new_enqueued() or self._new_trial()

    def _new_baseline(self) -> TrialRecord | None:
        labels = {trial.label for trial in self._trials.values() if trial.role == "baseline"}
        for label, policy in self._setting.baselines.items():
            if label not in labels:
                return self._add("baseline", label, {}, policy)
        return None

    def _new_enqueued(self) -> TrialRecord | None:
        """The first enqueued policy that the study has not, under whatever name it may have come before."""
        known = {trial.digest for trial in self._trials.values()}
        for label, policy in self._setting.enqueued.items():
            if digest(policy) not in known:
                return self._add("enqueued", label, {ENQUEUED: label}, policy)
        return None

    def _new_trial(self) -> TrialRecord | None:
        if self._planned >= self._wanted:
            return None
        number = self._next_number()
        params = self._sampler.suggest(tuple(self._trials.values()), number)
        if params is None:
            self.stopped = "space"
            return None
        reach("after_suggest")
        self._planned += 1
        return self._add("trial", _label(self._setting.space.name, number, params), params, self._setting.space.decode(params))

    def _add(self, role: Role, label: str, params: Mapping[str, Any], policy: Policy) -> TrialRecord:
        setting, number = self._setting, self._next_number()
        uid = hashlib.sha256(f"{self._study.uid}/{number}".encode()).hexdigest()[:32]
        spec = trial_spec(setting, uid, policy, params if role == "trial" else {}, {}, setting.budget_epochs)
        fingerprint, words = digest(policy), policy_in_words(policy)
        trial = self._ledger.add_trial(self._study.uid, number, role, label, params, fingerprint, words, spec)
        self._trials[trial.trial_uid] = trial
        return trial

    def _next_number(self) -> int:
        return 1 + max((trial.number for trial in self._trials.values()), default=-1)


def _label(family: str, number: int, params: Mapping[str, Any]) -> str:
    if len(params) > LABEL_PARAMS:
        return f"{family} #{number}"
    values = (f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}" for name, value in params.items())
    return " ".join((family, *values))
