"""What a study's ledger says of its cheaper rungs: which policies count, what is told where, what a lower rung is."""

from dataclasses import asdict, replace
from pathlib import Path

from course_fixture import Underway
from search_fixture import Study

from policysearch.course.calibrating import at_rungs, train_baselines
from policysearch.judgement import judge
from policysearch.rung_orders import rung_orders
from policysearch.specs import trial_spec
from policysearch.tracking.summary import study_run
from searchspaces.policy import Policy

STOPPING = {"rungs": [1, 3, 9], "eta": 3, "by": "images"}


def stopping(root: Path, family: str = "photometric") -> Study:
    study = Study(root, family)
    study.setting = replace(study.setting, budget_epochs=9, rungs=(1, 3, 9), eta=3, by="images")
    space = study.setting.space.to_dict()
    identity = {"test": "1", "recipe": asdict(study.setting.recipe), "space": space, "early_stopping": STOPPING}
    study.study = study.ledger.create_study("stopping", identity)
    return study


def test_the_order_is_measured_over_policies_that_were_trained_both_ways(tmp_path: Path) -> None:
    study = stopping(tmp_path)
    assert [(rung.epochs, rung.policies, rung.tau) for rung in rung_orders(study.ledger, study.study)] == [
        (1, 0, None),
        (3, 0, None),
    ]
    study.run(study.campaign(48), wrong=lambda number: 20 + 37 * number % 61)
    rows = [row for row in study.ledger.standings(study.study.uid) if row.role == "trial"]
    whole = {row.digest for row in rows if row.budget_epochs == 9}
    lowest, middle = rung_orders(study.ledger, study.study)
    assert lowest.policies == middle.policies == len(whole) >= 5
    assert lowest.rung == "11 % of the images" and lowest.tau is not None and lowest.low is not None
    judged = judge(study.ledger, study.study)
    assert judged.rungs == (lowest, middle) and judged.to_dict()["rungs"][0]["tau"] == lowest.tau
    run = study_run(study.study, study.ledger.trials(study.study.uid), None, judged)
    assert {point.key: point.value for point in run.metrics}["rung_1/tau"] == lowest.tau


def test_a_study_that_stops_nothing_has_no_rungs(tmp_path: Path) -> None:
    study = Study(tmp_path)
    study.run(study.campaign(2))
    assert judge(study.ledger, study.study).rungs == ()


def test_the_baselines_are_trained_by_each_rung_so_that_some_pairs_are_chosen_by_nothing(tmp_path: Path) -> None:
    made = Underway(tmp_path)
    course = made.course()
    assert at_rungs(course) == []
    course.setting = replace(course.setting, budget_epochs=9, rungs=(3, 9), by="size")
    plans = at_rungs(course)
    first = plans[0]
    assert (first.label, first.epochs, first.role) == ("flip+crop, 58 % of the sides", 3, "calibration")
    assert len(plans) == 4 and not any(plan.label.startswith("none") for plan in plans)
    made.run(train_baselines(course))
    counted = {row.label for row in course.ledger.standings(course.record.uid, ("calibration",)) if row.budget_epochs == 3}
    assert counted == {plan.label for plan in plans}


def test_a_lower_rung_is_a_training_of_its_kind_and_the_whole_is_as_ever(tmp_path: Path) -> None:
    setting = stopping(tmp_path).setting
    low, whole = (trial_spec(setting, "t", Policy(), {}, {}, epochs) for epochs in (3, 9))
    assert (low["by"], low["whole_epochs"], low["budget_epochs"]) == ("images", 9, 3)
    plain = replace(setting, by="epochs")
    assert whole == trial_spec(plain, "t", Policy(), {}, {}, 9)
    assert not {"by", "whole_epochs"} & set(trial_spec(plain, "t", Policy(), {}, {}, 3))
    rehearsed = trial_spec(setting, "t", Policy(), {}, {}, 1, budget_steps=20)
    assert "by" not in rehearsed, "a rehearsal tells what a whole training takes"
