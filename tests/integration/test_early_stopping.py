"""A whole study with early stopping, on real workers: which trainings there are, who wins, and the same on either driver."""

from pathlib import Path
from typing import Any

import pytest
from search_fixture import SEARCH_ALONE

from policysearch import Study
from policysearch.drivers import Event
from policysearch.ledger import TrialRecord

EPOCHS = 9
POLICIES = 7


def by_brightness(context: Any) -> tuple[int, int]:
    """The brighter, the better, and the better the longer it is trained; after few epochs nothing is as good as after all."""
    centre = abs(float(context.params.get("brightness_shift.centre", 60.0)))
    return min(999, 100 + round(5 * centre) + 300 // context.budget_epochs), 1000


def run(home: Path, **wishes: Any) -> tuple[tuple[TrialRecord, ...], TrialRecord, list[Event]]:
    events: list[Event] = []
    stopping: dict[str, Any] = {"epochs": EPOCHS, "early_stopping": "asha:min_epochs=1", "sampler": "random"}
    given: dict[str, Any] = {"objective": by_brightness, "space": "photometric", "home": home, "name": "stopping", "workers": 1}
    given |= SEARCH_ALONE
    outcome = Study(**(given | stopping | wishes)).run(trials=POLICIES, listener=events.append)
    return outcome.trials, outcome.winner, events


def rows(trials: tuple[TrialRecord, ...]) -> list[tuple[str, int, str]]:
    return [(trial.role, trial.budget_epochs, trial.digest) for trial in trials]


def error(trial: TrialRecord) -> tuple[int, int]:
    assert trial.result is not None and trial.result.score is not None
    return trial.result.score.wrong, trial.number


def check(trials: tuple[TrialRecord, ...], best: TrialRecord) -> None:
    """Every policy at the lowest rung, the best third further, the best of those with all epochs the winner."""
    searched = [trial for trial in trials if trial.role == "trial"]
    at = {epochs: [trial for trial in searched if trial.budget_epochs == epochs] for epochs in (1, 3, 9)}
    assert len(at[1]) == POLICIES and len(searched) == sum(map(len, at.values()))
    assert {trial.budget_epochs for trial in trials if trial.role == "baseline"} == {EPOCHS}
    foremost = sorted(at[1], key=error)[: POLICIES // 3]
    assert {trial.digest for trial in foremost} <= {trial.digest for trial in at[3]} < {trial.digest for trial in at[1]}
    assert at[9] and {trial.digest for trial in at[9]} <= {trial.digest for trial in at[3]}
    assert best == min((trial for trial in trials if trial.budget_epochs == EPOCHS), key=error)
    assert all(trial.result and len({t.budget_epochs for t in searched if t.digest == trial.digest}) for trial in searched)


def test_the_best_third_is_trained_on_and_a_second_call_repeats_nothing(tmp_path: Path) -> None:
    trials, best, events = run(tmp_path)
    check(trials, best)
    assert sum(event.kind == "finished" for event in events) == len(trials)
    again, same, _ = run(tmp_path)
    assert rows(again) == rows(trials) and same.trial_uid == best.trial_uid


def test_several_workers_wait_for_promotions_and_come_to_the_end(tmp_path: Path) -> None:
    trials, best, _ = run(tmp_path, workers=2)
    check(trials, best)


@pytest.mark.slow
def test_the_ray_driver_does_the_same(tmp_path: Path) -> None:
    trials, _, _ = run(tmp_path / "local")
    there, best, _ = run(tmp_path / "ray", driver="ray")
    check(there, best)
    assert rows(there) == rows(trials)
