"""The campaign with early stopping: who trains how long, what waits, what samplers are told, what a kill changes (nothing)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from search_fixture import FREE, Study

from policysearch.campaign import Campaign
from policysearch.drivers import LATER, Task
from policysearch.ledger import TrialRecord
from policysearch.samplers import Tried, make_sampler
from policysearch.selection import winner
from searchspaces.errors import NoTrialSucceeded
from searchspaces.policy import Base, Policy
from searchspaces.space import Categorical, Real, SearchSpace, Value, Whole
from trials.values import TrialResult

RUNGS = (1, 3, 9)


def stopping(root: Path, family: str = "photometric") -> Study:
    study = Study(root, family)
    study.setting = replace(study.setting, budget_epochs=9, rungs=RUNGS, eta=3)
    return study


def rows(study: Study) -> list[tuple[str, int, str]]:
    return [(t.role, t.budget_epochs, t.digest) for t in study.ledger.trials(study.study.uid)]


def searched(study: Study) -> list[TrialRecord]:
    return [trial for trial in study.ledger.trials(study.study.uid) if trial.role == "trial"]


def lucky(number: int) -> int:
    """Errors without an order."""
    return 20 + 37 * number % 61


def test_baselines_and_enqueued_policies_train_for_the_full_number_and_searched_ones_by_rungs(tmp_path: Path) -> None:
    study = stopping(tmp_path)
    study.setting = replace(study.setting, enqueued={"mine": Policy(Base(hflip=0.25))})
    study.run(study.campaign(9), wrong=lambda number: 90 - number)
    trials = study.ledger.trials(study.study.uid)
    assert [(trial.role, trial.budget_epochs) for trial in trials[: FREE + 1]] == [("baseline", 9)] * FREE + [("enqueued", 9)]
    by_policy = Counter(trial.digest for trial in searched(study))
    assert len(by_policy) == 9, "policies are counted, not trainings"
    for trial in searched(study):
        first = next(other for other in searched(study) if other.digest == trial.digest)
        assert trial.params == first.params and trial.spec["policy"] == first.spec["policy"]
        assert trial.spec["budget_epochs"] == trial.budget_epochs in RUNGS
    assert Counter(trial.budget_epochs for trial in searched(study))[1] == 9
    name = f"photometric #{searched(study)[0].number}"
    assert searched(study)[0].label == f"{name}, 1 of 9 epochs"


def test_only_trials_of_the_full_number_of_epochs_win_and_keep_their_weights(tmp_path: Path) -> None:
    study = stopping(tmp_path)
    campaign = study.campaign(9)
    errors = {1: 5, 3: 6, 9: 40}
    while isinstance(task := campaign.next_task(), Task):
        study.finish(campaign, task, errors[task.spec["budget_epochs"]] + study.ledger.trial(task.trial_uid).number % 3)
        kept = {file.stem for file in study.weights_folder.iterdir()}
        assert kept == {winner(study.ledger.trials(study.study.uid), 9).trial_uid}
    assert winner(study.ledger.trials(study.study.uid)).budget_epochs == 9


def test_before_any_full_training_is_over_nobody_has_won(tmp_path: Path) -> None:
    study = stopping(tmp_path)
    study.setting = replace(study.setting, baselines={})
    campaign = study.campaign(3)
    task = campaign.next_task()
    assert isinstance(task, Task)
    study.finish(campaign, task, 1)
    with pytest.raises(NoTrialSucceeded):
        winner(study.ledger.trials(study.study.uid), 9)


def test_a_worker_waits_for_what_may_still_be_promoted(tmp_path: Path) -> None:
    study = stopping(tmp_path)
    study.setting = replace(study.setting, baselines={})
    campaign = study.campaign(3)
    tasks = [campaign.next_task() for _ in range(3)]
    assert campaign.next_task() is LATER
    for task, wrong in zip(tasks[:2], (30, 20), strict=True):
        assert isinstance(task, Task)
        study.finish(campaign, task, wrong)
        assert campaign.next_task() is LATER, "the third may be the best of them"
    assert isinstance(tasks[2], Task)
    study.finish(campaign, tasks[2], 40)
    promoted = campaign.next_task()
    assert isinstance(promoted, Task) and promoted.spec["budget_epochs"] == 3
    assert promoted.spec["policy"] == tasks[1].spec["policy"]  # type: ignore[union-attr]
    assert study.ledger.trial(promoted.trial_uid).label == "photometric #1, 3 of 9 epochs"
    assert campaign.next_task() is LATER
    study.finish(campaign, promoted, 20)
    last = campaign.next_task()
    assert isinstance(last, Task) and last.spec["budget_epochs"] == 9
    study.ledger.commit_result(TrialResult(last.trial_uid, "failed", error="out of memory"))
    assert campaign.next_task() is LATER
    campaign.finished(last.trial_uid)
    other = campaign.next_task()
    assert isinstance(other, Task) and other.spec["policy"] == tasks[0].spec["policy"]  # type: ignore[union-attr]
    study.finish(campaign, other, 30)
    study.run(campaign)
    assert Counter(trial.budget_epochs for trial in searched(study)) == {1: 3, 3: 2, 9: 2}
    assert campaign.next_task() is None


class Listening:
    """A sampler that keeps what it was told."""

    notes: tuple[str, ...] = ()

    def __init__(self, space: SearchSpace) -> None:
        self._chance = make_sampler("random", space, 3)
        self.told: list[tuple[Tried, ...]] = []

    def suggest(self, history: Sequence[Tried], number: int) -> Mapping[str, Value] | None:
        self.told.append(tuple(history))
        return self._chance.suggest(history, number)


def test_samplers_are_told_of_policies_not_trainings_and_of_stopped_ones_as_stopped(tmp_path: Path) -> None:
    study = stopping(tmp_path)
    sampler = Listening(study.setting.space)
    campaign = Campaign(study.ledger, study.study, study.setting, sampler, study.weights, 12, study.events.append)
    study.run(campaign, wrong=lucky)
    for told in sampler.told:
        assert len({tried.key for tried in told}) == len(told)
        assert all(tried.state != "running" for tried in told), "one worker, and none asked for ahead"
        assert all((tried.state == "stopped") == (max(tried.rungs) < 9) for tried in told)
        assert all((tried.error is not None) == (tried.state == "done") for tried in told)
        assert all(tried.error == tried.rungs[9] for tried in told if tried.state == "done")
        assert [tried.params for tried in told[:FREE]] == [{}] * FREE
    again = Listening(study.setting.space)
    study.run(Campaign(study.ledger, study.study, study.setting, again, study.weights, 13, study.events.append))
    after = again.told[0]
    states = Counter(tried.state for tried in after if tried.params)
    assert states["stopped"] > states["done"] > 0 and sum(states.values()) == 12
    assert all(set(tried.rungs) <= set(RUNGS) for tried in after)


@pytest.mark.parametrize(("sampler", "ahead"), [("random", False), ("tpe", True)])
def test_a_kill_at_any_moment_changes_no_policy(tmp_path: Path, sampler: str, ahead: bool) -> None:
    whole = stopping(tmp_path / "whole")
    count = whole.run(whole.campaign(7, sampler), lucky, ahead)
    for killed_after in (0, 4, 7, count - 1):
        study = stopping(tmp_path / str(killed_after))
        campaign = study.campaign(7, sampler)
        prepared = None
        for _ in range(killed_after):
            task = prepared or campaign.next_task()
            assert isinstance(task, Task)
            campaign.started(task.trial_uid)
            asked = campaign.next_task() if ahead else None
            study.finish(campaign, task, lucky(study.ledger.trial(task.trial_uid).number), started=True)
            prepared = asked if isinstance(asked, Task) else None
        campaign.next_task()
        study.run(study.campaign(7, sampler), lucky, ahead)
        assert rows(study) == rows(whole)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_the_workers_do_the_search_comes_to_its_end(tmp_path: Path, seed: int) -> None:
    """Several workers, results in any order, failures, tasks asked for ahead, and a kill."""
    chance = np.random.default_rng(seed)
    study, wanted, workers = stopping(tmp_path), int(chance.integers(1, 11)), int(chance.integers(1, 5))
    campaign, killed = study.campaign(wanted), int(chance.integers(30))
    given_out: list[Task] = []
    for step in range(1000):
        if step == killed:
            campaign, given_out = study.campaign(wanted), []
        asked = campaign.next_task() if len(given_out) <= workers else LATER
        if isinstance(asked, Task):
            given_out.append(asked)
        elif not given_out:
            assert asked is None, "with nothing under way there is nothing to wait for"
            break
        if given_out and (not isinstance(asked, Task) or chance.random() < 0.5):
            task = given_out.pop(int(chance.integers(min(workers, len(given_out)))))
            if chance.random() < 0.1:
                study.ledger.commit_result(TrialResult(task.trial_uid, "failed", error="made to fail"))
                campaign.finished(task.trial_uid)
            else:
                study.finish(campaign, task, int(chance.integers(100)))
    check_the_end(searched(study), wanted)


def check_the_end(trials: list[TrialRecord], wanted: int) -> None:
    """So many policies, each trained once at each rung it came to, the best third of each rung promoted, and one at the end."""
    assert len({trial.digest for trial in trials}) == wanted
    assert all(trial.result is not None and trial.budget_epochs in RUNGS for trial in trials)
    assert len({(trial.digest, trial.budget_epochs) for trial in trials}) == len(trials)
    begun = {epochs: {trial.digest for trial in trials if trial.budget_epochs == epochs} for epochs in RUNGS}
    done = {epochs: [t for t in trials if t.budget_epochs == epochs and t.result and t.result.score] for epochs in RUNGS}
    for below, above in ((1, 3), (3, 9)):
        assert begun[above] <= {trial.digest for trial in done[below]}
        best = sorted(done[below], key=lambda t: (t.result.score.wrong, t.number))  # type: ignore[union-attr]
        assert {trial.digest for trial in best[: len(best) // 3]} <= begun[above]
    if not done[9]:
        assert all(trial.digest in begun[3] for trial in done[1]) and all(trial.digest in begun[9] for trial in done[3])


def test_a_policy_that_the_search_stopped_and_the_user_enqueues_trains_for_the_full_number_once(tmp_path: Path) -> None:
    study = stopping(tmp_path)
    study.run(study.campaign(9), lucky)
    stopped = next(trial for trial in searched(study) if sum(other.digest == trial.digest for other in searched(study)) == 1)
    study.setting = replace(study.setting, enqueued={"mine": study.setting.space.decode(stopped.params)})
    assert study.run(study.campaign(9), lucky) == 1
    assert study.run(study.campaign(9), lucky) == 0
    mine = [trial for trial in study.ledger.trials(study.study.uid) if trial.digest == stopped.digest]
    assert [(trial.role, trial.budget_epochs) for trial in mine] == [("trial", 1), ("enqueued", 9)]


def test_the_search_is_extended_and_what_was_stopped_may_go_on(tmp_path: Path) -> None:
    study = stopping(tmp_path)
    study.run(study.campaign(3), lambda number: 50)
    before = len(searched(study))
    study.run(study.campaign(12), lambda number: 90)  # all that come are worse: the first ones are among the best third now
    again = [trial for trial in searched(study)[before:] if trial.budget_epochs == 3]
    assert {trial.digest for trial in again} & {trial.digest for trial in searched(study)[:before]}


RATED = SearchSpace(
    "rated",
    (Real("x", 0, 1), Categorical("recipe.peak_learning_rate", (0.1, 0.2)), Whole("recipe.momentum", 0, 1)),
    lambda p: Policy(Base(hflip=p["x"])),
)


def test_how_to_train_is_searched_along_with_the_policy_and_told(tmp_path: Path) -> None:
    study = stopping(tmp_path)
    study.setting = replace(study.setting, space=RATED, enqueued={"half": RATED.decode({"x": 0.5, **RATED_HALF})})
    study.run(study.campaign(6), lucky)
    for trial in searched(study):
        recipe = trial.spec["recipe"]
        assert recipe["peak_learning_rate"] == trial.params["recipe.peak_learning_rate"]
        assert recipe["momentum"] == trial.params["recipe.momentum"]
        assert recipe | {"peak_learning_rate": 0.2, "momentum": 0.9} == study.ledger.trials(study.study.uid)[0].spec["recipe"]
        assert trial.words.endswith(f"; peak_learning_rate {recipe['peak_learning_rate']:g}; momentum {recipe['momentum']:g}")
        assert f"recipe.peak_learning_rate={recipe['peak_learning_rate']:g}" in trial.label


RATED_HALF: Mapping[str, Any] = {"recipe.peak_learning_rate": 0.1, "recipe.momentum": 0}


def test_the_same_policy_trained_in_two_ways_is_two_policies(tmp_path: Path) -> None:
    study = Study(tmp_path)
    two = SearchSpace("two", RATED.parameters[1:2], lambda p: study.setting.baselines["none"])
    study.setting = replace(study.setting, space=two)
    assert study.run(study.campaign(5, "grid")) == FREE + 1, "with 0.2 it is the baseline"
    assert [trial.params for trial in searched(study)] == [{"recipe.peak_learning_rate": 0.1}]
    assert study.run(study.campaign(5, "random")) == 0
