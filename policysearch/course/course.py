"""What all stages of one study share while it runs: its wishes and setting, the ledger, the time there is, who listens.

Holds no truth: what has been trained are rows of the ledger, what has been decided are facts of it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from policysearch.course.planned import ALL_ROLES, Planned, PlannedTraining
from policysearch.drivers import Event, Listener
from policysearch.home import Home
from policysearch.kept_weights import TRAINING, WEIGHTS, KeptWeights
from policysearch.ledger import Ledger, Role, StudyRecord, TrialRecord
from policysearch.setting import Setting
from policysearch.study import Study
from searchspaces.policy import Policy
from trials.data import Prepared
from trials.places import Location

Stopped = Literal["time", "budget"]


@dataclass
class Course:
    """A study under way. `setting` is the trimmed one once labels have been looked at; `trials` are to be searched in all.

    `at_once` is how many trials run together; `deadline` a moment of `clock`, None for no limit. `stopped` says what ended it
    before a verdict: the time, or a budget too short to compare policies. `place` is where nets are kept (None: `directory`).
    """

    study: Study
    home: Home
    ledger: Ledger
    record: StudyRecord
    setting: Setting
    prepared: Prepared | None
    directory: Path
    listener: Listener
    trials: int
    test: bool
    at_once: int
    deadline: float | None = None
    keep: frozenset[str] = frozenset()
    clock: Callable[[], float] = time.monotonic
    notes: list[str] = field(default_factory=list)
    plan_told: bool = False
    stopped: Stopped | None = None
    place: Location | None = None

    @property
    def weights(self) -> KeptWeights:
        """The weights of searched policies, baselines and finalists."""
        return KeptWeights((self.place or self.directory) / WEIGHTS)

    @property
    def finalists(self) -> frozenset[str]:
        """The finalists' trainings that are done: their weights are kept."""
        rows = self.ledger.standings(self.record.uid, ("finalist",))
        return frozenset(row.trial_uid for row in rows if row.status == "done")

    def sweep_trainings(self) -> None:
        """Delete what killed trainings would go on from, but of those that are not over. Only while no worker trains."""
        folder = (self.place or self.directory) / TRAINING
        if folder.exists():
            rows = self.ledger.standings(self.record.uid, ALL_ROLES)
            KeptWeights(folder).sweep(row.trial_uid for row in rows if row.status is None)

    @property
    def plainest_first(self) -> bool:
        """Whether the plainest baseline is trained alone: it tells what is cut, or how long a trainer of the user's own takes."""
        return self.study.trim or self.setting.objective is not None

    def note(self, text: str) -> None:
        """Say something to the user, now and at the end."""
        self.notes.append(text)
        self.listener(Event("note", text=text))

    def begin(self, stage: str, trainings: int, epochs: int = 0, later: Sequence[int] | None = None) -> None:
        """Tell the listener that a stage begins, of so many trainings in all.

        Where it is known what the study has after it, `later` are the epochs of each training of that, `epochs` the stage's own.
        """
        follow = None if later is None else len(later)
        self.listener(Event("stage", total=trainings, text=stage, epoch=epochs, later=follow, later_epochs=sum(later or ())))

    def planned(self, plans: Sequence[PlannedTraining], keep_weights: bool = False, reserve: float = 0.0) -> Planned:
        """A source of what is missing of `plans`, that leaves `reserve` seconds; the listener hears of what is there."""
        deadline = None if self.deadline is None else self.deadline - reserve
        source = Planned(
            *(plans, self.ledger, self.record, self.setting, self.listener, self.weights.path),
            *(keep_weights, deadline, self.clock),
        )
        source.tell_finished()
        return source

    def trained(self, *roles: Role) -> tuple[TrialRecord, ...]:
        """The study's trainings in these roles that have a result, done or failed."""
        return tuple(trial for trial in self.ledger.trials(self.record.uid, roles) if trial.result is not None)

    def baseline(self, label: str, policy: Policy, **more: object) -> PlannedTraining:
        """A baseline's training with the study's budget, or another way."""
        known: Mapping[str, object] = {"role": "baseline", "label": label, "policy": policy, "epochs": self.setting.budget_epochs}
        return PlannedTraining(**{**known, **more})  # type: ignore[arg-type]
