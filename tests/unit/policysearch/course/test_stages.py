"""Baselines, calibration and finalists: what is trained, in which order, how often; and that it goes on where it was stopped."""

from dataclasses import replace
from pathlib import Path

from course_fixture import Underway
from search_fixture import FREE

from policysearch.cli.tally import Tally
from policysearch.course.calibrating import judge_budget, longer_and_again, train_baselines
from policysearch.course.finals import split_of, train_finalists
from policysearch.course.searching import search_policies
from policysearch.drivers import Event
from policysearch.judgement import judge
from searchspaces.space import Real

BASELINES = ["none", "flip+crop", "trivialaugment-wide", "randaugment(2,9)", "uniformaugment"]
CALIBRATION = ["flip+crop, 3x the epochs", "trivialaugment-wide, 3x the epochs", "flip+crop, second seed"]


def test_baselines_and_what_calibrates_are_trained_once_and_the_search_sees_the_baselines_alone(tmp_path: Path) -> None:
    made = Underway(tmp_path)
    assert made.run(train_baselines(made.course())) == BASELINES + CALIBRATION
    assert made.run(train_baselines(made.course())) == []
    assert [trial.label for trial in made.study.ledger.trials(made.study.study.uid)] == BASELINES
    more = made.study.ledger.trials(made.study.study.uid, ("calibration",))
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
    assert {file.stem for file in made.study.weights_folder.iterdir()} == kept
    made.study.campaign(4)
    (best,) = (trial for trial in made.study.ledger.trials(made.study.study.uid) if trial.label == "none")
    assert [file.stem for file in made.study.weights_folder.iterdir()] == [best.trial_uid]


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


def turned(label: str) -> int:
    """The strong baseline is far behind after the budget and far ahead after three times as much."""
    return {"trivialaugment-wide": 70, "trivialaugment-wide, 3x the epochs": 5, "flip+crop, 3x the epochs": 35}.get(label, 40)


def test_a_budget_that_turns_the_order_round_ends_the_study_with_a_proposal_and_nothing_more_is_trained(tmp_path: Path) -> None:
    made = Underway(tmp_path)
    for again in (False, True):
        course = made.course()
        assert bool(made.run(train_baselines(course), wrong=turned)) is not again
        judge_budget(course)
        assert course.stopped == "budget"
        assert course.notes[-1] == "no policy is recommended: search with --epochs 3, or with --any-budget to go on with 1 epoch"
    verdict = judge(made.study.ledger, made.study.study).verdict
    assert verdict.kind == "budget-too-short"


def test_who_was_told_to_go_on_with_any_budget_does_so_and_the_study_remembers(tmp_path: Path) -> None:
    made = Underway(tmp_path, any_budget=True)
    made.run(train_baselines(made.course()), wrong=turned)
    course = made.course()
    judge_budget(course)
    assert course.stopped is None
    assert made.study.ledger.facts(made.study.study.uid)["any_budget"] is True
    made.wishes = replace(made.wishes, any_budget=False)
    judge_budget(course := made.course())
    assert course.stopped is None, "a study that went on goes on"


def final(made: Underway, error: dict[str, int]) -> list[str]:
    made.run(train_baselines(made.course()))
    made.run(search_policies(made.course()))
    return made.run(train_finalists(made.course()), wrong=lambda label: next((n for k, n in error.items() if k in label), 20))


def test_the_best_and_two_baselines_are_trained_seed_by_seed_and_once(tmp_path: Path) -> None:
    made = Underway(tmp_path, trials=4, calibrate=False, finalists=2, finalist_seeds=3)
    ran = final(made, {})
    assert len(ran) == 12
    assert [label.rpartition(", ")[2] for label in ran] == ["seed 1 of 3"] * 4 + ["seed 2 of 3"] * 4 + ["seed 3 of 3"] * 4
    rows = made.study.ledger.trials(made.study.study.uid, ("finalist",))
    assert {(row.spec["split"], row.spec["replicate"]) for row in rows} == {("fold-1", 1), ("fold-2", 2), ("fold-3", 3)}
    assert made.run(train_finalists(made.course())) == []
    assert judge(made.study.ledger, made.study.study).verdict.kind not in ("unfinished", "no-finalists")


def test_a_finalist_that_fails_once_is_told_and_left_out_of_that_seed(tmp_path: Path) -> None:
    made = Underway(tmp_path, trials=2, calibrate=False, finalists=1, finalist_seeds=3)
    final(made, {"seed 2 of 3": -1})
    assert sum(event.kind == "failed" for event in made.events) == 3
    assert made.run(train_finalists(made.course())) == []
    assert judge(made.study.ledger, made.study.study).verdict.kind != "unfinished"


def test_who_is_in_the_final_and_in_the_test_settles_how_many_trainings_there_are(tmp_path: Path) -> None:
    made = Underway(tmp_path, trials=2, calibrate=False, finalists=2, finalist_seeds=2, test=True)
    made.run(train_baselines(made.course()))
    made.run(search_policies(made.course()), wrong=lambda label: -1 if len(made.ran) == FREE + 2 else 20)
    made.run(train_finalists(made.course()))
    tally = Tally(1)
    for event in [Event("ready", total=19, epoch=19, text="birds"), *made.events]:
        tally.hear(event)
    assert tally.place_in_words() == "finalists: 6 of 6, 13 of 17 in all", "one of two policies failed; each side has two models"
    tally.hear(Event("stage", total=2, text="models for the test", epoch=2, later=0))
    for seed in "12":
        tally.hear(Event("finished", seed, 1, 0, 100, label=f"seed {seed}", role="confirmation", budget_epochs=1))
    assert tally.place_in_words() == "models for the test: 2 of 2, 15 of 15 in all", "a baseline won, and is tested alone"
    assert (tally.epochs_done, tally.epochs_planned) == (15, 15)


def test_a_search_that_goes_on_names_its_finalists_anew_and_trains_only_those_that_are_new(tmp_path: Path) -> None:
    made = Underway(tmp_path, trials=2, calibrate=False, finalists=1, finalist_seeds=2)
    final(made, {})
    made.trials = 3
    made.run(search_policies(made.course()), wrong=lambda label: 5)
    ran = made.run(train_finalists(made.course()))
    assert len(ran) == 2 and len({label.partition(", seed")[0] for label in ran}) == 1


def test_where_the_leader_has_a_recipe_of_its_own_the_baselines_are_trained_by_it_too(tmp_path: Path) -> None:
    made = Underway(tmp_path, trials=2, calibrate=False, finalists=1, finalist_seeds=2)
    space = made.study.setting.space
    rate = Real("recipe.peak_learning_rate", 0.05, 0.4)
    made.study.setting = replace(made.study.setting, space=replace(space, parameters=(*space.parameters, rate)))
    ran = final(made, {})
    assert [label for label in ran if "with the recipe of" in label] == ran[6:]
    assert len(ran) == 10
    rows = made.study.ledger.trials(made.study.study.uid, ("finalist",))
    rates = {row.spec["recipe"]["peak_learning_rate"] for row in rows}
    assert len(rates) == 2, "the study's own and the leader's"
    assert made.run(train_finalists(made.course())) == []


def test_without_finalists_there_is_no_verdict_and_the_user_is_told(tmp_path: Path) -> None:
    made = Underway(tmp_path, finalists=0, calibrate=False)
    assert final(made, {}) == []
    assert judge(made.study.ledger, made.study.study).verdict.kind == "no-finalists"
    assert made.notes[-1].startswith("no finalists were wished")
