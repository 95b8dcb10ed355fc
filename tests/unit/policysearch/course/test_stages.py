"""Baselines, calibration and finalists: what is trained, in which order, how often; and that it goes on where it was stopped."""

from dataclasses import replace
from pathlib import Path

from course_fixture import Underway

from policysearch.course.calibrating import longer_and_again, train_baselines
from policysearch.course.finals import split_of

BASELINES = ["none", "flip+crop", "trivialaugment-wide", "randaugment(2,9)", "uniformaugment"]
CALIBRATION = ["flip+crop, 3x the epochs", "trivialaugment-wide, 3x the epochs", "flip+crop, second seed"]


def test_baselines_and_what_calibrates_are_trained_once_and_the_search_sees_the_baselines_alone(tmp_path: Path) -> None:
    made = Underway(tmp_path)
    assert made.run(train_baselines(made.course())) == BASELINES + CALIBRATION
    assert made.run(train_baselines(made.course())) == []
    assert [trial.label for trial in made.study.ledger.trials(made.study.study.uid)] == BASELINES
    more = made.study.ledger.trials(made.study.study.uid, ["calibration"])
    assert [(trial.budget_epochs, trial.spec["replicate"]) for trial in more] == [(3, 0), (3, 0), (1, 1)]
    assert len(made.run(made_campaign(made))) == 4
    policies = {row.digest for row in made.study.ledger.standings(made.study.study.uid)}
    assert len(policies) == 9, "nothing that a baseline was is searched again"


def made_campaign(made: Underway):  # type: ignore[no-untyped-def]
    yield made.study.campaign(4)


def test_without_calibration_the_baselines_alone_are_trained(tmp_path: Path) -> None:
    made = Underway(tmp_path, calibrate=False)
    assert made.run(train_baselines(made.course())) == BASELINES


def test_weights_of_baselines_stay_until_the_search_knows_the_best_and_those_of_the_calibration_go(tmp_path: Path) -> None:
    made = Underway(tmp_path)
    made.run(train_baselines(made.course()), wrong=lambda label: 10 if label == "none" else 20)
    kept = {trial.trial_uid for trial in made.study.ledger.trials(made.study.study.uid)}
    assert {file.stem for file in made.study.weights.path("x").parent.iterdir()} == kept
    made.study.campaign(4)
    (best,) = (trial for trial in made.study.ledger.trials(made.study.study.uid) if trial.label == "none")
    assert [file.stem for file in made.study.weights.path("x").parent.iterdir()] == [best.trial_uid]


def test_a_finalist_is_scored_on_images_of_its_own(tmp_path: Path) -> None:
    course = Underway(tmp_path).course()
    assert [split_of(course, seed) for seed in (1, 2)] == ["fold-1", "fold-2"]
    assert course.prepared is not None
    course.prepared = replace(course.prepared, counts={**course.prepared.counts, "select": 10})
    assert split_of(course, 1) == "select"
    course.setting = replace(course.setting, objective="mine:train")
    assert split_of(course, 1) == "search"


def test_with_a_trainer_of_ones_own_no_finalist_is_the_training_that_calibrated(tmp_path: Path) -> None:
    course = Underway(tmp_path, finalist_seeds=4).course()
    course.setting = replace(course.setting, objective="mine:train")
    assert longer_and_again(course)[-1].replicate == 5
