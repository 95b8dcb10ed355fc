"""Finalists: who is trained again, with which seeds and images, and by whose recipe."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from course_fixture import Underway

from policysearch.course.calibrating import train_baselines
from policysearch.course.finals import train_finalists
from policysearch.ledger import TrialRecord
from searchspaces.policy import Base, Policy
from searchspaces.recipe_fields import USUAL
from searchspaces.recipe_wishes import read_recipe, with_recipe
from searchspaces.space import Categorical, Real, SearchSpace
from trials.values import Recipe

FREE_ERRORS = {"none": 50, "flip+crop": 40, "trivialaugment-wide": 30, "randaugment(2,9)": 35, "uniformaugment": 45}
SEARCHED_ERRORS = (25, 22, 28, 24)
RATED = SearchSpace(
    "rated", (Real("x", 0, 1), Categorical("recipe.peak_learning_rate", (0.05, 0.07))), lambda p: Policy(Base(hflip=p["x"]))
)


def in_turn() -> Callable[[str], int]:
    """The errors of the baselines by name, of searched policies in the order in which they come."""
    left = list(SEARCHED_ERRORS)
    return lambda label: FREE_ERRORS[label] if label in FREE_ERRORS else left.pop(0)


def searched(made: Underway) -> list[TrialRecord]:
    made.run(train_baselines(made.course()))
    made.run(campaign(made), in_turn())
    return sorted(
        (trial for trial in made.study.ledger.trials(made.study.study.uid) if trial.role == "trial"),
        key=lambda trial: trial.result.score.wrong,  # type: ignore[union-attr]
    )


def campaign(made: Underway):  # type: ignore[no-untyped-def]
    yield made.study.campaign(len(SEARCHED_ERRORS))


def finalists(made: Underway) -> list[TrialRecord]:
    return list(made.study.ledger.trials(made.study.study.uid, ("finalist",)))


def test_the_best_policies_and_the_two_best_baselines_are_trained_again_with_seeds_and_folds_of_their_own(tmp_path: Path) -> None:
    made = Underway(tmp_path, calibrate=False, finalists=2, finalist_seeds=3)
    made.run(train_baselines(made.course()), in_turn())
    best = searched(made)[:2]
    assert len(made.run(train_finalists(made.course()))) == 4 * 3
    free = {label: trial.digest for trial in made.study.ledger.trials(made.study.study.uid) for label in [trial.label]}
    wanted = {*(trial.digest for trial in best), free["trivialaugment-wide"], free["randaugment(2,9)"]}
    found = finalists(made)
    assert {trial.digest for trial in found} == wanted
    for digest in wanted:
        runs = [trial.spec for trial in found if trial.digest == digest]
        assert [run["replicate"] for run in runs] == [1, 2, 3], "0 is the search's own"
        assert [run["split"] for run in runs] == ["fold-1", "fold-2", "fold-3"]
        assert all(run["budget_epochs"] == 1 and run["budget_steps"] is None for run in runs)
    assert {trial.digest for trial in found[:4]} == wanted, "seed by seed: what is cut short is cut alike for all"
    assert made.run(train_finalists(made.course())) == [], "nothing is trained twice"


def test_baselines_are_trained_by_the_leaders_optimiser_and_dropout_too(tmp_path: Path) -> None:
    """Also where the leader has a field as recipes usually have it, and the study has not."""
    made = Underway(tmp_path, calibrate=False, finalists=1, finalist_seeds=2)
    wished = replace(made.study.setting.recipe, dropout=0.25)
    searched_along = with_recipe(RATED, read_recipe("optimiser=sgd/adamw,dropout=0/0.5"))
    made.study.setting = replace(made.study.setting, recipe=wished, space=searched_along)
    made.study.study = made.study.ledger.create_study("dropped out", {"test": "1", "recipe": wished.to_dict()})
    made.run(train_baselines(made.course()), in_turn())
    (leader, *_) = searched(made)
    made.run(train_finalists(made.course()), lambda label: 10 if leader.label in label else 20)
    free = [trial for trial in finalists(made) if trial.digest != leader.digest]
    recipes = [Recipe(**trial.spec["recipe"]) for trial in free]
    own = Recipe(**leader.spec["recipe"])
    assert (own.optimiser in USUAL) and own.dropout in (0.0, 0.5) and own != wished
    assert recipes.count(own) == recipes.count(wished) == 2 * 2, "two baselines, two seeds, by both recipes"


def test_baselines_are_trained_by_the_recipe_of_the_leading_policy_too_and_by_no_other(tmp_path: Path) -> None:
    made = Underway(tmp_path, calibrate=False, finalists=2, finalist_seeds=2)
    made.study.setting = replace(made.study.setting, space=RATED)
    made.run(train_baselines(made.course()), in_turn())
    best = searched(made)[:2]
    usual, leader = made.study.setting.recipe.peak_learning_rate, best[1]  # it leads by the finalists, not by the search
    rate = leader.spec["recipe"]["peak_learning_rate"]
    assert rate in (0.05, 0.07) and rate != usual
    made.run(train_finalists(made.course()), lambda label: 10 if leader.label in label else 20)
    free = [trial for trial in finalists(made) if trial.digest not in {trial.digest for trial in best}]
    rates = sorted(trial.spec["recipe"]["peak_learning_rate"] for trial in free)
    assert rates == sorted([usual, rate] * 4), "two baselines, two seeds, by both recipes"
    for trial in finalists(made):
        if trial.digest == leader.digest:
            assert trial.spec["recipe"] == leader.spec["recipe"]
