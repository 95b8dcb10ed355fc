"""How a worker carries out one task, in this process: what is run, what is only looked up, and whose fault a failure is."""

from dataclasses import replace
from pathlib import Path

import pytest
from search_fixture import imagined, write_bars

from policysearch.drivers import Task
from policysearch.drivers.execution import execute, record_failure
from policysearch.ledger import Ledger, sqlite_url
from searchspaces.policy import Policy
from searchspaces.policy_json import digest
from trials.data import Source, prepare
from trials.recipes import default_recipe
from trials.values import DataRef, Epoch, TrialSpec


@pytest.fixture
def task(tmp_path: Path) -> Task:
    data = prepare(Source(str(write_bars(tmp_path / "bars.npz"))), tmp_path)
    ledger = Ledger.open(sqlite_url(tmp_path / "ledger.sqlite"))
    recipe = replace(default_recipe("cpu"), batch_images=32)
    spec = TrialSpec("uid", Policy(), recipe, DataRef(str(data.directory), data.fingerprint), 0, 2)
    ledger.add_trial(ledger.create_study("bars", {}).uid, 0, "trial", "", {}, digest(spec.policy), "", spec.to_dict())
    return Task(spec.to_dict(), ledger.url, str(tmp_path / "weights.pt"))


def test_a_result_in_the_ledger_is_returned_and_nothing_is_run(task: Task) -> None:
    ledger = Ledger(task.ledger_url)
    stored = ledger.commit_result(imagined("uid", 7))
    assert execute(task, lambda epoch: pytest.fail("it was trained")) == stored
    assert ledger.trial("uid").attempts == 0 and not Path(task.weights_path).exists()


def test_weights_are_in_place_and_epochs_noted_when_the_result_is(task: Task) -> None:
    seen: list[Epoch] = []
    result = execute(task, seen.append)
    trial = Ledger(task.ledger_url).trial("uid")
    assert trial.result == result and result.status == "done" and tuple(seen) == result.epochs
    assert trial.progress == (2, seen[-1].wrong, seen[-1].total) and trial.attempts == 1
    assert Path(task.weights_path).exists()


def test_a_ledger_that_goes_away_is_not_the_trials_failure(task: Task) -> None:
    file = Path(task.ledger_url.removeprefix("sqlite:///"))

    def take_away(epoch: Epoch) -> None:
        file.rename(file.with_suffix(".away"))

    with pytest.raises(ConnectionError):
        execute(task, take_away)
    file.with_suffix(".away").replace(file)
    assert Ledger(task.ledger_url).result("uid") is None
    assert execute(task, lambda epoch: None).status == "done"


def test_a_failure_told_late_does_not_replace_a_result(task: Task) -> None:
    done = execute(task, lambda epoch: None)
    assert record_failure(task, "the worker was lost after it had committed") == done
