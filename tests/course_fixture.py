"""A study under way whose trainings are imagined: what the stages of a course are tested on."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from search_fixture import Study, imagined, write_bars

from policysearch.course.chain import Chain, Stages
from policysearch.course.course import Course
from policysearch.drivers import Event, Task
from policysearch.study import Study as Wishes
from trials.data import prepare
from trials.values import TrialResult


class Underway:
    """A course over a real ledger and real prepared images; `run` trains as a driver with one worker would."""

    def __init__(self, root: Path, trials: int = 4, test: bool = False, at_once: int = 1, **wishes: Any) -> None:
        self.study, self.now = Study(root), 0.0
        self.study.study = self.study.ledger.create_study("course", {"test": "1", "recipe": asdict(self.study.setting.recipe)})
        images = write_bars(root / "bars.npz")
        self.wishes = Wishes(images, epochs=1, home=root, **wishes)
        self.prepared = prepare(self.wishes.source(), root)
        self.trials, self.test, self.at_once, self.root = trials, test, at_once, root
        self.events: list[Event] = []
        self.ran: list[str] = []

    def course(self, deadline: float | None = None) -> Course:
        """The course as a new process begins it."""
        made, setting = self.study, self.study.setting
        directory = made.home.study_directory("bars")
        made.weights.sweep([])
        return Course(
            *(self.wishes, made.home, made.ledger, made.study, setting, self.prepared, directory, self.events.append),
            *(self.trials, self.test, self.at_once, deadline),
            clock=lambda: self.now,
        )

    def run(self, stages: Stages[Any], wrong: Callable[[str], int] = lambda label: 20, seconds: float = 10.0) -> list[str]:
        """Finish every task of the stages, each in so many seconds an epoch; the labels of what was trained."""
        chain, ledger, before = Chain(stages), self.study.ledger, len(self.ran)
        while isinstance(task := chain.next_task(), Task):
            chain.started(task.trial_uid)
            ledger.start_attempt(task.trial_uid)
            trial = ledger.trial(task.trial_uid)
            self.ran.append(trial.label)
            self.now += seconds * trial.budget_epochs
            Path(task.weights_path).write_bytes(b"weights")
            ledger.commit_result(self._result(task.trial_uid, wrong(trial.label), seconds * trial.budget_epochs))
            chain.finished(task.trial_uid)
        return self.ran[before:]

    @property
    def notes(self) -> list[str]:
        """What the user was told."""
        return [event.text for event in self.events if event.kind == "note"]

    def _result(self, uid: str, wrong: int, seconds: float) -> TrialResult:
        """A negative number of wrong images is a failure."""
        return imagined(uid, wrong, seconds=seconds) if wrong >= 0 else TrialResult(uid, "failed", error="out of memory")
