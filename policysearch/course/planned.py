"""Trainings that are known before they are run: a fixed list of them, given out in order to a driver.

What the ledger has a result for is not run again, and what an earlier run left is taken up under its own number; so a list may be
run again after a kill anywhere, and only what is missing is trained. Chooses nothing and judges nothing.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

from policysearch.drivers import Driver, Event, Later, Listener, Task
from policysearch.drivers.limits import usual_limit
from policysearch.ledger import Ledger, Role, Standing, StudyRecord, TrialRecord
from policysearch.ledger.rows import point_of
from policysearch.spare_time import SpareTime
from policysearch.specs import placed, training_in_words, trial_spec, trial_uid_for
from searchspaces.policy import Policy
from searchspaces.policy_json import digest
from trials.places import Location
from trials.values import TrialResult

if TYPE_CHECKING:
    from policysearch.setting import Setting

ALL_ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, kw_only=True)
class PlannedTraining:
    """A training that is to be: what its row in the ledger will say.

    `overrides` is what it changes in the recipe, `params` its policy's point of the space ({} for one from elsewhere);
    `replicate`, `split` and `budget_steps` are as `TrialSpec` says. `words` default to policy and overrides in words.
    """

    role: Role
    label: str
    policy: Policy
    epochs: int
    params: Mapping[str, Any] = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    replicate: int = 0
    split: str = "search"
    budget_steps: int | None = None
    words: str = ""

    def spec(self, setting: "Setting", uid: str) -> dict[str, Any]:
        """Its spec under that uid, as JSON values."""
        how = (self.epochs, self.replicate, self.split, self.budget_steps)
        return trial_spec(setting, uid, self.policy, self.params, self.overrides, *how)

    def point(self, setting: "Setting") -> str:
        """What tells it from every other training of the study."""
        return point_of(digest(self.policy), self.spec(setting, ""))


def run_planned(
    plans: Sequence[PlannedTraining],
    driver: Driver,
    ledger: Ledger,
    study: StudyRecord,
    setting: "Setting",
    listener: Listener,
    weights_path: Callable[[str], Location],
    keep_weights: bool = False,
    deadline: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[TrialRecord | None, ...]:
    """Run what is missing of `plans`; their rows in that order. None, or a row without a result: the time was over before.

    `weights_path` says where a trial's weights belong, by its uid; without `keep_weights` they are deleted when its result is in
    the ledger. No training is begun that would not end before `deadline`, a moment of `clock`. The listener hears of those too
    that were over before.
    """
    source = Planned(plans, ledger, study, setting, listener, weights_path, keep_weights, deadline, clock)
    source.tell_finished()
    if source.left:
        driver.run(source, listener)
    return source.records()


class Planned:
    """A `TaskSource` over a list of planned trainings; `stopped` says whether the time was over before the list."""

    def __init__(
        self,
        plans: Sequence[PlannedTraining],
        ledger: Ledger,
        study: StudyRecord,
        setting: "Setting",
        listener: Listener,
        weights_path: Callable[[str], Location],
        keep_weights: bool = False,
        deadline: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger, self._study, self._setting, self._listener = ledger, study, setting, listener
        self._weights_path, self._keep_weights = weights_path, keep_weights
        self._spare = SpareTime(deadline, clock)
        self._plans = {plan.point(setting): plan for plan in plans}
        self._points = [plan.point(setting) for plan in plans]
        known = ledger.standings(study.uid, ALL_ROLES)
        self._spare.took_before(known, setting.epochs_of)
        self._before = [row for row in known if row.point in self._plans]
        self._uids = {row.point: row.trial_uid for row in self._before}
        self._by_uid = {row.trial_uid: self._plans[row.point] for row in self._before}
        over = {row.point for row in self._before if row.status is not None}
        self._waiting = deque(point for point in self._plans if point not in over)
        self.stopped = False

    @property
    def left(self) -> int:
        """How many trainings have not been given out yet and are not over."""
        return len(self._waiting)

    def tell_finished(self) -> None:
        """Tell the listener of the trainings that were over before."""
        for row in self._before:
            if row.status is not None:
                self._tell_end(row.trial_uid, row)

    def records(self) -> tuple[TrialRecord | None, ...]:
        """The ledger's rows of the plans, in their order; None where there is none."""
        return tuple(self._ledger.trial(self._uids[point]) if point in self._uids else None for point in self._points)

    def next_task(self) -> Task | Later | None:
        """As `TaskSource.next_task` says."""
        if not self._waiting:
            return None
        plan = self._plans[self._waiting[0]]
        if (late := self._spare.late(plan.epochs)) is not False:
            self.stopped = late is None
            return late
        point = self._waiting.popleft()
        uid = self._uids.get(point)
        record = self._added(point, plan) if uid is None else self._ledger.trial(uid)
        self._spare.given(record.trial_uid, plan.epochs)
        limit = self._setting.limit_seconds or usual_limit(self._spare.longest(plan.epochs))
        path = self._weights_path(record.trial_uid)
        return Task(placed(record.spec, self._setting), self._ledger.url, str(path), limit)

    def started(self, trial_uid: str) -> None:
        """Tell the listener, and note that a worker has taken the training up."""
        self._spare.begun(trial_uid)
        plan = self._by_uid[trial_uid]
        self._listener(Event("started", trial_uid, label=plan.label, budget_epochs=plan.epochs, role=plan.role))

    def finished(self, trial_uid: str) -> None:
        """Drop the weights unless they are kept, and tell the listener."""
        result = self._ledger.result(trial_uid)
        assert result is not None, "a driver calls finished() after the result is in the ledger"
        self._spare.ended(trial_uid)
        plan = self._by_uid[trial_uid]
        if result.status == "done" and plan.budget_steps is None:
            trained = self._setting.epochs_trained(plan.epochs, len(result.epochs))
            self._spare.took(result.span_seconds.get("total", 0.0), trained)
        if not self._keep_weights:
            self._weights_path(trial_uid).unlink(missing_ok=True)
        self._tell_end(trial_uid, result)

    def _added(self, point: str, plan: PlannedTraining) -> TrialRecord:
        number = self._ledger.next_number(self._study.uid)
        uid = trial_uid_for(self._study.uid, number)
        words = plan.words or training_in_words(plan.policy, plan.overrides)
        spec, params, fingerprint = plan.spec(self._setting, uid), plan.params, digest(plan.policy)
        record = self._ledger.add_trial(self._study.uid, number, plan.role, plan.label, params, fingerprint, words, spec)
        self._uids[point], self._by_uid[uid] = uid, plan
        return record

    def _tell_end(self, trial_uid: str, over: TrialResult | Standing) -> None:
        plan = self._by_uid[trial_uid]
        named: dict[str, Any] = {"label": plan.label, "budget_epochs": plan.epochs, "role": plan.role}
        if isinstance(over, Standing):
            wrong, total, epochs, reason = over.wrong, over.total, over.epochs, over.reason
            named["seconds"] = over.seconds or 0.0
        else:
            score = over.score
            wrong, total = (None, None) if score is None else (score.wrong, score.total)
            epochs, reason = len(over.epochs), over.error
            named["seconds"] = over.span_seconds.get("total", 0.0)
        if wrong is None or total is None:
            self._listener(Event("failed", trial_uid, text=reason or "", **named))
        else:
            self._listener(Event("finished", trial_uid, epochs, wrong, total, **named))
