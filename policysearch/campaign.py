"""What is run next: the tasks of a search, in order, over the ledger and a sampler.

First the trials that an earlier search planned and didn't finish, then the free baselines, then the policies that the user
enqueued, then longer trainings of policies that have earned them, then suggestions. A trial is in the ledger before it is given
out, and what came of it is read from the ledger. Refuses nothing; it stops at the number of policies, at the end of the space,
and before a trial that would not finish in time.
"""

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from policysearch.drivers import LATER, Event, Later, Listener, Task
from policysearch.drivers.limits import usual_limit
from policysearch.history import History, Row
from policysearch.kept_weights import KeptWeights
from policysearch.ledger import ENQUEUED, Ledger, Role, Standing, StudyRecord
from policysearch.samplers import Sampler, key_of
from policysearch.setting import Setting
from policysearch.spare_time import SpareTime
from policysearch.specs import placed, training_in_words, trial_spec, trial_uid_for
from searchspaces.policy import Policy
from searchspaces.policy_json import digest
from trials.failpoints import reach

LABEL_PARAMS = 3


@dataclass(frozen=True)
class _Plan:
    """A trial that may be run next. One without a policy is still to be suggested."""

    role: Role
    epochs: int
    label: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    policy: Policy | None = None


class Campaign:
    """A `TaskSource`: `wanted` searched policies beside baselines and enqueued ones, no trial started that can't end before
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
        self._keep = frozenset(keep)
        self._spare = SpareTime(deadline, clock)
        self._history = History(setting.early_stopping)
        self._before = ledger.standings(study.uid)
        for standing in self._before:
            self._history.add(Row.of(standing, self._key(standing)))
        self._spare.took_before(self._before, setting.epochs_of)
        self._waiting = deque(self._unfinished())
        left = {row.key for row in self._waiting if row.role == "trial"}
        finished = {row.key for row in self._history if row.role == "trial" and row.status is not None}
        self._planned = len(finished | left)
        self._free = deque(_beside(setting))
        self._under_way: set[str] = set()
        self.stopped: Literal["space", "time"] | None = None
        best = self._history.best
        weights.sweep(self._keep | ({best.trial_uid} if best else set()))

    def _key(self, standing: Standing) -> str:
        overrides = self._setting.overrides(standing.params) if standing.role == "trial" else {}
        return key_of(standing.digest, overrides, self._setting.recipe)

    def _unfinished(self) -> list[Row]:
        """What an earlier search left, but no more searched policies than are wanted now."""
        rows = list(self._history)
        begun = {row.key for row in rows if row.role == "trial" and row.status is not None}
        left = [row for row in rows if row.status is None]
        new = [row.key for row in left if row.role == "trial" and row.key not in begun]
        taken = begun.union(new[: max(0, self._wanted - len(begun))])
        others = [row for row in left if row.role != "trial"]
        return others + [row for row in left if row.role == "trial" and row.key in taken]

    @property
    def finished_before(self) -> int:
        """How many trials are over; before the first task, those that earlier searches finished."""
        return self._history.over

    def tell_finished(self, besides: Collection[Role] = ()) -> None:
        """Tell the listener of the trials that were over before this search began, but for those in the roles `besides`."""
        for standing in self._before:
            if standing.status is not None and standing.role not in besides:
                self._tell_end(self._history[standing.trial_uid], standing.epochs, standing.reason, standing.seconds or 0.0)

    def next_task(self) -> Task | Later | None:
        """As `TaskSource.next_task` says; `stopped` then says whether time or the space ran out."""
        if self._waiting:
            if (late := self._late(self._waiting[0].epochs)) is not False:
                return late
            trial_uid = self._waiting.popleft().trial_uid
            return self._given(trial_uid, self._ledger.trial(trial_uid).spec)
        plan = self._plan()
        while plan is not None and plan is not LATER:
            if (late := self._late(plan.epochs)) is not False:
                return late
            found = plan if plan.policy is not None else self._suggested(plan)
            if found is not None:
                return self._given(*self._add(found))
            self._wanted, self.stopped = self._planned, "space"
            plan = self._plan()
        return plan

    def started(self, trial_uid: str) -> None:
        """Tell the listener, and note that a worker has taken the trial up."""
        self._spare.begun(trial_uid)
        row = self._history[trial_uid]
        self._listener(Event("started", trial_uid, label=row.label, budget_epochs=row.epochs, role=row.role))

    def finished(self, trial_uid: str) -> None:
        """Read the result, keep the weights of the best trial alone, tell the listener."""
        result = self._ledger.result(trial_uid)
        assert result is not None, "a driver calls finished() after the result is in the ledger"
        before = self._history.best
        self._history.finish(trial_uid, result)
        self._under_way.discard(trial_uid)
        self._spare.ended(trial_uid)
        row, best = self._history[trial_uid], self._history.best
        if result.status == "done":
            trained = self._setting.epochs_trained(row.epochs, len(result.epochs))
            self._spare.took(result.span_seconds.get("total", 0.0), trained)
        kept = self._keep | ({best.trial_uid} if best else set())
        for other in {trial_uid, *([before.trial_uid] if before else [])} - kept:
            self._weights.drop(other)
        self._tell_end(row, len(result.epochs), result.error, result.span_seconds.get("total", 0.0))

    def _tell_end(self, row: Row, epochs: int, reason: str | None, seconds: float) -> None:
        named: dict[str, Any] = {"label": row.label, "budget_epochs": row.epochs, "role": row.role, "seconds": seconds}
        if row.wrong is None or row.total is None:
            self._listener(Event("failed", row.trial_uid, text=reason or "", **named))
        else:
            self._listener(Event("finished", row.trial_uid, epochs, row.wrong, row.total, **named))

    def _late(self, epochs: int) -> Literal[False] | Later | None:
        """As `SpareTime.late` says; where that is the end, `stopped` says why."""
        if (late := self._spare.late(epochs)) is None:
            self.stopped = "time"
        return late

    def _given(self, trial_uid: str, recorded: Mapping[str, Any]) -> Task:
        epochs, spec = self._history[trial_uid].epochs, placed(recorded, self._setting)
        self._under_way.add(trial_uid)
        self._spare.given(trial_uid, epochs)
        limit = self._setting.limit_seconds or usual_limit(self._spare.longest(epochs))
        return Task(spec, self._ledger.url, str(self._weights.path(trial_uid)), limit)

    def _plan(self) -> _Plan | Later | None:
        """What to run next; LATER where that depends on a trial under way."""
        if (plan := self._beside()) is not None:
            return plan
        if (promoted := self._history.ladder.promotable()) is not None:
            return self._promotion(*promoted)
        if self._planned < self._wanted:
            return _Plan("trial", self._setting.early_stopping.rungs[0])
        if len(self._setting.early_stopping.rungs) == 1:
            return None
        if any(self._history[uid].role == "trial" for uid in self._under_way):
            return LATER  # its result may let a policy go on, or its failure another one
        settled = self._history.ladder.to_settle()
        return None if settled is None else self._promotion(*settled)

    def _beside(self) -> _Plan | None:
        """A baseline or an enqueued policy that the study has not, under whatever name it may have come before."""
        while self._free:
            plan = self._free[0]
            assert plan.policy is not None
            if not self._history.has(digest(plan.policy), plan.epochs):
                return plan
            self._free.popleft()
        return None

    def _promotion(self, key: str, epochs: int) -> _Plan:
        first = self._history.first_of(key)
        label = self._label(first.number, first.params, epochs)
        return _Plan("trial", epochs, label, first.params, self._setting.space.decode(first.params))

    def _suggested(self, plan: _Plan) -> _Plan | None:
        """The plan with the policy that the sampler suggests; None at the end of the space."""
        number, space = self._ledger.next_number(self._study.uid), self._setting.space
        params = self._sampler.suggest(self._history.tried(), number)
        reach("after_suggest")
        if params is None:
            return None
        self._planned += 1
        return replace(plan, label=self._label(number, params, plan.epochs), params=params, policy=space.decode(params))

    def _add(self, plan: _Plan) -> tuple[str, dict[str, Any]]:
        """Record the trial; its uid and spec."""
        assert plan.policy is not None
        setting, number = self._setting, self._ledger.next_number(self._study.uid)
        overrides = setting.overrides(plan.params) if plan.role == "trial" else {}
        fingerprint = digest(plan.policy)
        key = key_of(fingerprint, overrides, setting.recipe)
        assert not self._history.has(key, plan.epochs), "no policy is trained twice alike"
        words = training_in_words(plan.policy, overrides)
        uid = trial_uid_for(self._study.uid, number)
        point = plan.params if plan.role == "trial" else {}
        spec = trial_spec(setting, uid, plan.policy, point, overrides, plan.epochs)
        self._ledger.add_trial(self._study.uid, number, plan.role, plan.label, plan.params, fingerprint, words, spec)
        self._history.add(Row(uid, number, plan.role, plan.label, key, plan.params, plan.epochs))
        return uid, spec

    def _label(self, number: int, params: Mapping[str, Any], epochs: int) -> str:
        full = self._setting.budget_epochs
        label = _label(self._setting.space.name, number, params)
        return label if epochs == full else f"{label}, {self._setting.early_stopping.in_words(epochs)}"


def _beside(setting: Setting) -> list[_Plan]:
    """What is run beside the search, in order: always for the full number of epochs."""
    free = [_Plan("baseline", setting.budget_epochs, label, {}, policy) for label, policy in setting.baselines.items()]
    enqueued = setting.enqueued.items()
    return free + [_Plan("enqueued", setting.budget_epochs, label, {ENQUEUED: label}, policy) for label, policy in enqueued]


def _label(family: str, number: int, params: Mapping[str, Any]) -> str:
    if len(params) > LABEL_PARAMS:
        return f"{family} #{number}"
    values = (f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}" for name, value in params.items())
    return " ".join((family, *values))
