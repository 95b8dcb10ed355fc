"""How a worker carries out one task, in this process: what is run, what is only looked up, and whose fault a failure is."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from search_fixture import imagined, write_bars

from policysearch.drivers import Task, execution
from policysearch.drivers.execution import execute, record_failure
from policysearch.ledger import Ledger, Superseded, sqlite_url
from policysearch.objective import Context
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


@pytest.fixture
def pretended(tmp_path: Path) -> Task:
    """A task whose trial is a function of the test's."""
    ledger = Ledger.open(sqlite_url(tmp_path / "ledger.sqlite"))
    spec: dict[str, Any] = {"trial_uid": "uid", "params": {}, "seed": 1, "budget_epochs": 1, "data": None, "policy": {}}
    ledger.add_trial(ledger.create_study("pretended", {}).uid, 0, "trial", "", {}, "digest", "", spec)
    return Task(spec, ledger.url, str(tmp_path / "weights" / "uid.pt"))


def quiet(epoch: Epoch) -> None:
    """Hears of epochs and does nothing."""


def test_a_result_of_an_attempt_that_was_taken_over_is_late_and_kept(pretended: Task) -> None:
    ledger = Ledger(pretended.ledger_url)

    def overtaken(context: Context) -> tuple[int, int]:
        ledger.start_attempt("uid", "another:1")
        return 3, 10

    with pytest.raises(Superseded):
        execute(pretended, quiet, overtaken)
    assert ledger.result("uid") is None
    late = ledger.late_results(ledger.studies()[0].uid)
    assert [(result.trial_uid, result.fence) for result in late] == [("uid", 1)]
    execute(pretended, quiet, lambda context: (4, 10))
    stored = ledger.result("uid")
    assert stored is not None and stored.score is not None and stored.score.wrong == 4


def test_a_worker_that_has_lost_its_trial_stops_at_the_next_epoch(pretended: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "LEASE_SECONDS", 0.3)
    ledger, epochs = Ledger(pretended.ledger_url), list[int]()

    def long(context: Context) -> tuple[int, int]:
        ledger.start_attempt("uid", "another:1")
        for epoch in range(1, 1000):
            time.sleep(0.02)
            epochs.append(epoch)
            context.report(epoch, 3, 10)
        return 3, 10

    with pytest.raises(Superseded, match="another worker has it now"):
        execute(pretended, quiet, long)
    assert len(epochs) < 900 and ledger.late_results(ledger.studies()[0].uid) == ()


def test_a_claim_is_renewed_as_long_as_the_trial_runs(pretended: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "LEASE_SECONDS", 1.5)
    ledger = Ledger(pretended.ledger_url)
    until: list[float | None] = []

    def two_renewals(context: Context) -> tuple[int, int]:
        give_up_at = time.monotonic() + 60
        while len(until) < 3 and time.monotonic() < give_up_at:
            if (moment := ledger.trial("uid").lease_until) not in until:
                until.append(moment)
            time.sleep(0.02)
        return 3, 10

    execute(pretended, quiet, two_renewals)
    moments = [moment for moment in until if moment is not None]
    assert len(moments) == 3 and moments == sorted(moments)
    assert ledger.lapsed(ledger.studies()[0].uid) == ()


def test_memory_that_runs_out_outside_the_training_is_the_trials_failure(
    pretended: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*given: object) -> None:
        raise MemoryError

    monkeypatch.setattr("policysearch.objective.run_objective", no_memory)
    stored = execute(pretended, quiet, lambda context: (3, 10))
    assert stored.status == "failed" and stored.error is not None and "out of memory" in stored.error


def test_a_trial_that_needs_no_torch_imports_none(pretended: Task) -> None:
    code = (
        "import json, sys\n"
        "from policysearch.drivers import Task\n"
        "from policysearch.drivers.execution import execute\n"
        "result = execute(Task(**json.loads(sys.argv[1])), lambda epoch: None, lambda context: (3, 10))\n"
        "print(result.status, sorted({'torch', 'optuna', 'ray', 'numba'} & set(sys.modules)))\n"
    )
    said = subprocess.run([sys.executable, "-c", code, json.dumps(pretended.to_dict())], capture_output=True, text=True)
    assert said.stdout == "done []\n", said.stderr
