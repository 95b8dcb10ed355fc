"""How a worker carries out one task, in this process: what is run, what is only looked up, and whose fault a failure is."""

from dataclasses import replace
from functools import partial
from itertools import count
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
    assert trial.progress is not None and trial.attempts == 1
    assert Path(task.weights_path).exists()


@pytest.mark.parametrize(("epoch_seconds", "noted"), [(0.3, [1, 1, 1, 1, 5, 5]), (1.0, [1, 2, 3, 4, 5, 6])])
def test_the_first_epoch_is_noted_and_then_one_a_second(task: Task, epoch_seconds: float, noted: list[int]) -> None:
    seen: list[tuple[int, int]] = []
    task = replace(task, spec={**task.spec, "budget_epochs": len(noted)})

    def look(epoch: Epoch) -> None:
        progress = Ledger(task.ledger_url).trial("uid").progress
        assert progress is not None
        seen.append((epoch.number, progress[0]))

    assert execute(task, look, clock=lambda: epoch_seconds * len(seen)).status == "done"
    assert seen == list(enumerate(noted, start=1))


def test_a_ledger_that_goes_away_is_not_the_trials_failure(task: Task) -> None:
    file = Path(task.ledger_url.removeprefix("sqlite:///"))

    def take_away(epoch: Epoch) -> None:
        file.rename(file.with_suffix(".away"))

    with pytest.raises(ConnectionError):
        execute(task, take_away, clock=partial(next, count()))  # so slow that every epoch is noted
    file.with_suffix(".away").replace(file)
    assert Ledger(task.ledger_url).result("uid") is None
    assert execute(task, lambda epoch: None).status == "done"


def test_a_failure_told_late_does_not_replace_a_result(task: Task) -> None:
    done = execute(task, lambda epoch: None)
    assert record_failure(task, "the worker was lost after it had committed") == done


def test_a_full_disk_is_the_trials_failure_with_its_reason(task: Task) -> None:
    Path(task.weights_path).with_name("file").write_text("")
    full = replace(task, weights_path=str(Path(task.weights_path).with_name("file") / "weights.pt"))
    stored = execute(full, lambda epoch: None)
    assert stored.status == "failed" and stored.error is not None and "can't be written" in stored.error
    assert Ledger(task.ledger_url).trial("uid").result == stored
