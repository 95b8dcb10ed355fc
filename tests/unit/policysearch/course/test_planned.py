"""Trainings of a fixed list: each is run once, whatever was killed in between, and what the ledger has is not run again."""

from pathlib import Path

import pytest
from search_fixture import Study, imagined

from policysearch.course.planned import ALL_ROLES, PlannedTraining, run_planned
from policysearch.drivers import Listener, Task, TaskSource
from trials.values import TrialResult

STOP = 10_000


class Pretended:
    """A driver whose trainings are imagined; after `until` of them it is killed, with the next one begun and not finished."""

    def __init__(self, study: Study, until: int = STOP, seconds: float = 10.0, failing: str = "") -> None:
        self.study, self.until, self.seconds, self.failing = study, until, seconds, failing
        self.ran: list[str] = []

    def run(self, source: TaskSource, listener: Listener) -> None:
        ledger = self.study.ledger
        while isinstance(task := source.next_task(), Task):
            source.started(task.trial_uid)
            ledger.start_attempt(task.trial_uid)
            label = ledger.trial(task.trial_uid).label
            if len(self.ran) == self.until:
                raise KeyboardInterrupt
            self.ran.append(label)
            Path(task.weights_path).write_bytes(b"weights")
            failed = TrialResult(task.trial_uid, "failed", error="out of memory")
            ledger.commit_result(failed if label == self.failing else imagined(task.trial_uid, 20, seconds=self.seconds))
            source.finished(task.trial_uid)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    made = Study(tmp_path)
    made.weights.sweep([])
    return made


def finalists(study: Study) -> list[PlannedTraining]:
    policies = list(study.setting.baselines.items())[:2]
    return [
        PlannedTraining(
            role="finalist", label=f"{label}, seed {seed}", policy=policy, epochs=1, replicate=seed, split=f"fold-{seed}"
        )
        for label, policy in policies
        for seed in (1, 2)
    ]


def run(study: Study, driver: Pretended, plans: list[PlannedTraining], **more: object) -> list[str | None]:
    arguments = (driver, study.ledger, study.study, study.setting, study.events.append, study.weights.path)
    records = run_planned(plans, *arguments, **more)  # type: ignore[arg-type]
    return [record.label if record is not None and record.result is not None else None for record in records]


def test_a_list_killed_anywhere_is_finished_by_the_same_list_and_nothing_is_trained_twice(tmp_path: Path) -> None:
    for until in range(4):
        study = Study(tmp_path / str(until))
        study.weights.sweep([])
        plans = finalists(study)
        labels = [plan.label for plan in plans]
        killed, again = Pretended(study, until), Pretended(study)
        with pytest.raises(KeyboardInterrupt):
            run(study, killed, plans)
        assert run(study, again, plans) == labels
        assert killed.ran + again.ran == labels
        rows = study.ledger.trials(study.study.uid, ALL_ROLES)
        assert [row.number for row in rows] == [0, 1, 2, 3]
        assert [(row.spec["split"], row.spec["replicate"]) for row in rows] == [(f"fold-{seed}", seed) for seed in (1, 2, 1, 2)]
        run(study, third := Pretended(study), plans)
        assert third.ran == []


def test_its_rows_are_no_candidates_of_the_search_and_their_numbers_go_on_from_all_others(study: Study) -> None:
    study.run(study.campaign(2))
    run(study, Pretended(study), finalists(study))
    searched = study.ledger.trials(study.study.uid)
    assert [row.number for row in searched] == list(range(7))
    study.run(study.campaign(3))
    numbers = [row.number for row in study.ledger.trials(study.study.uid, ALL_ROLES)]
    assert numbers == list(range(12))


def test_weights_are_kept_where_they_are_wanted_and_dropped_elsewhere(study: Study) -> None:
    plans = finalists(study)
    run(study, Pretended(study), plans[:2])
    assert not list(study.weights_folder.iterdir())
    run(study, Pretended(study), plans[2:], keep_weights=True)
    assert len(list(study.weights_folder.iterdir())) == 2


def test_what_would_end_too_late_is_not_begun_and_comes_back_empty(study: Study) -> None:
    now = [0.0]
    driver = Pretended(study, seconds=10.0)
    plans = finalists(study)

    def listen(event: object) -> None:
        if getattr(event, "kind", "") == "finished":
            now[0] += 10.0

    arguments = (driver, study.ledger, study.study, study.setting, listen, study.weights.path)
    records = run_planned(plans, *arguments, deadline=25.0, clock=lambda: now[0])
    assert [record is not None for record in records] == [True, True, False, False]


def test_a_failed_training_is_told_with_its_reason_and_not_tried_again(study: Study) -> None:
    plans = finalists(study)
    run(study, Pretended(study, failing=plans[1].label), plans)
    assert [event.text for event in study.events if event.kind == "failed"] == ["out of memory"]
    run(study, again := Pretended(study), plans)
    assert again.ran == []


def test_the_listener_hears_the_role_and_label_of_each(study: Study) -> None:
    plans = finalists(study)
    run(study, Pretended(study), plans)
    started = [(event.label, event.role, event.budget_epochs) for event in study.events if event.kind == "started"]
    assert started == [(plan.label, "finalist", 1) for plan in plans]
