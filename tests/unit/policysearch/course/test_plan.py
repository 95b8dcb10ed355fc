"""The plan: what each stage takes, told before it begins, and what max_hours leaves to the search."""

from pathlib import Path

import pytest
from course_fixture import Underway

from policysearch.course.calibrating import train_baselines
from policysearch.course.plan import Plan, Stage, plan_left, reserve_seconds, tell_plan, time_for_test
from policysearch.course.rehearsing import rehearse
from policysearch.course.searching import search_policies
from searchspaces.errors import NoTrialSucceeded
from trials.values import TrialResult

HOUR = 3600.0


def rehearsed(step_seconds: float) -> TrialResult:
    """As a rehearsal of 20 steps leaves it, of which the first two are not timed."""
    spans = {"setup": 0.0, "draw": 0.0, "augment": 9 * step_seconds, "step": 9 * step_seconds, "score": 0.0, "total": 1.0}
    return TrialResult("r", "failed", error="only its spans are read", span_seconds=spans)


def test_a_stage_takes_as_long_as_its_trainings_beside_one_another() -> None:
    stage = Stage("calibration", (30, 30, 10))
    assert stage.seconds(lambda epochs: float(epochs), 1) == 70
    assert stage.seconds(lambda epochs: float(epochs), 2) == 40
    assert stage.seconds(lambda epochs: float(epochs), 9) == 30


def test_one_epoch_of_one_training_is_told_in_the_singular() -> None:
    plan = Plan((Stage("search", (1,)), Stage("test", (1, 1))), lambda epochs: float(epochs), 1)
    assert plan.table() == ["  search   1 training   1 epoch  1 s", "  test    2 trainings  2 epochs  2 s"]


def test_every_stage_is_told_with_its_trainings_epochs_and_time_before_anything_is_trained(tmp_path: Path) -> None:
    made = Underway(tmp_path, trials=6, finalists=2, finalist_seeds=3, test=True)
    course = made.course()
    tell_plan(course, rehearsed(step_seconds=2.0))  # 60 images are one step an epoch
    assert made.notes == [
        "planned: about 78 s of training",
        "  baselines     5 trainings   5 epochs  10 s",
        "  calibration   3 trainings   7 epochs  14 s",
        "  search        6 trainings   6 epochs  12 s",
        "  finalists    12 trainings  12 epochs  24 s",
        "  test          6 trainings   6 epochs  18 s",
    ]
    fact = made.study.ledger.facts(made.study.study.uid)["plan"]
    assert [(stage["name"], stage["trainings"]) for stage in fact["stages"]] == [
        ("baselines", 5),
        ("calibration", 3),
        ("search", 6),
        ("finalists", 12),
        ("test", 6),
    ]
    tell_plan(course, rehearsed(step_seconds=2.0))
    assert len(made.notes) == 6, "it is told once a run"


def test_a_study_that_goes_on_is_told_what_is_left_at_the_pace_of_its_own_trainings(tmp_path: Path) -> None:
    made = Underway(tmp_path, trials=2, finalists=1, finalist_seeds=2)
    tell_plan(made.course(), rehearsed(step_seconds=2.0))
    made.events.clear()
    made.run(train_baselines(made.course()), seconds=30.0)
    tell_plan(made.course())
    assert made.notes == [
        "left of the plan: about 4 min of training",
        "  search     2 trainings  2 epochs   60 s",
        "  finalists  6 trainings  6 epochs  3 min",
        "  test       4 trainings  4 epochs  3 min more, with --test",
    ]


def test_what_finalists_and_test_need_is_kept_from_the_search(tmp_path: Path) -> None:
    made = Underway(tmp_path, trials=50, finalists=1, finalist_seeds=2, calibrate=False, max_hours=1)
    made.run(train_baselines(made.course()), seconds=10.0)
    course = made.course(deadline=made.now + 100)
    assert reserve_seconds(course) == pytest.approx(1.1 * 60)
    assert len(made.run(search_policies(course), seconds=10.0)) == 3, "of 100 s a third is the search's"
    assert any("stopped by max_hours" in note for note in course.notes)


def test_where_finalists_do_not_fit_at_all_the_search_has_the_time(tmp_path: Path) -> None:
    made = Underway(tmp_path, trials=50, finalists=3, finalist_seeds=5, calibrate=False)
    made.run(train_baselines(made.course()), seconds=10.0)
    assert reserve_seconds(made.course(deadline=made.now + 100)) == 0.0


def test_hours_that_leave_little_to_the_search_or_nothing_to_a_verdict_are_told_before_training(tmp_path: Path) -> None:
    made = Underway(tmp_path, trials=32, finalists=3, finalist_seeds=5, max_hours=1)
    tell_plan(made.course(deadline=HOUR), rehearsed(step_seconds=80.0))
    assert made.notes[-1] == (
        "max_hours 1: baselines, calibration and finalists need about 49 min, 11 min are left for about 8 trials of 15"
    )
    made = Underway(tmp_path / "less", trials=32, finalists=3, finalist_seeds=5, max_hours=0.5)
    tell_plan(made.course(deadline=HOUR / 2), rehearsed(step_seconds=80.0))
    assert made.notes[-1].startswith("max_hours 0.5: baselines, calibration and finalists alone need about 49 min, so this run")


def test_the_test_is_left_to_another_run_where_its_models_would_not_be_trained_in_time(tmp_path: Path) -> None:
    made = Underway(tmp_path, trials=2, finalists=1, finalist_seeds=2, calibrate=False, max_hours=1, test=True)
    made.run(train_baselines(made.course()), seconds=30.0)
    assert time_for_test(made.course())
    assert time_for_test(made.course(deadline=made.now + 200))
    assert not time_for_test(made.course(deadline=made.now + 100))
    assert made.notes[-1].startswith("max_hours 1: the test set stays closed, for its models need about 3 min")


def test_early_stopping_is_planned_by_its_rungs(tmp_path: Path) -> None:
    made = Underway(tmp_path, trials=9)
    course = made.course()
    course.setting = type(course.setting)(**{**vars(course.setting), "rungs": (1, 3, 9), "budget_epochs": 9})
    stage = next(stage for stage in plan_left(course, lambda epochs: 1.0).stages if stage.name == "search")
    assert sorted(stage.epochs) == [1] * 9 + [3] * 3 + [9]


def test_the_rehearsal_comes_first_and_once_and_is_no_candidate(tmp_path: Path) -> None:
    made = Underway(tmp_path)
    assert made.run(rehearse(made.course())) == ["rehearsal, 20 steps"]
    assert made.run(rehearse(made.course())) == []
    assert made.study.ledger.trials(made.study.study.uid) == ()
    (row,) = made.study.ledger.trials(made.study.study.uid, ("rehearsal",))
    assert (row.spec["budget_steps"], row.words) == (20, "the upper end of randaugment")


def test_a_rehearsal_that_fails_stops_the_search_with_its_reason_and_is_tried_again(tmp_path: Path) -> None:
    made = Underway(tmp_path)
    with pytest.raises(NoTrialSucceeded, match="rehearsal: 20 steps of the upper end of randaugment failed: out of memory"):
        made.run(rehearse(made.course()), wrong=lambda label: -1)
    assert made.run(rehearse(made.course())) == ["rehearsal, 20 steps"]


def test_a_plan_of_nothing_is_silent() -> None:
    assert Plan((), lambda epochs: 1.0, 1).table() == []
