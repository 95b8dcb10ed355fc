"""MLflow's server is killed with -9 while results are shipped to it: the ledger goes on, and at the end MLflow says the same."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from mlflow_server import START_SECONDS, MlflowServer
from study_fixture import StudyInLedger

from policysearch.tracking.mirror import Shipped
from policysearch.tracking.shipper import start_shipper
from policysearch.tracking.target import PATIENCE, locate

KILLS = 2
TRIALS_A_KILL = 3  # and one while the server is away: the grid has 14 policies


def wait_until(so: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + START_SECONDS
    while not so():
        assert time.monotonic() < give_up_at, "it never came"
        time.sleep(0.05)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MlflowServer]:
    with MlflowServer(tmp_path / "mlflow") as made:
        yield made


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_server_that_is_killed_again_and_again_has_every_run_once_in_the_end(
    server: MlflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in PATIENCE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(
        "MLFLOW_HTTP_REQUEST_TIMEOUT", "60"
    )  # the test machine may be busy; a killed server's door is shut at once
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.address)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    made = StudyInLedger(tmp_path / "home")
    made.add_baselines()
    cells, label = iter(made.cells), locate(made.home.root).label
    shipper = start_shipper(made.home, made.name)
    for _ in range(KILLS):
        shipped = len(made.ledger.mirrored(made.study.uid, label))
        for _ in range(TRIALS_A_KILL):
            made.finish(made.add_cell(next(cells)), 0.2)
        wait_until(lambda shipped=shipped: len(made.ledger.mirrored(made.study.uid, label)) > shipped)  # type: ignore[misc]
        server.kill()
        made.finish(made.add_cell(next(cells)), 0.2)  # nobody waits for it
        server.start()
    over = 5 + KILLS * (TRIALS_A_KILL + 1)
    assert shipper.finish(START_SECONDS) == Shipped(over, 0)
    client = MlflowClient(tracking_uri=server.address)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = [run for run in client.search_runs(experiments) if run.data.tags.get("policysearch.role") != "study"]
    recorded = {trial.trial_uid: trial.result for trial in made.ledger.trials(made.study.uid)}
    assert sorted(run.data.tags["policysearch.trial_uid"] for run in runs) == sorted(recorded)
    for run in runs:
        result = recorded[run.data.tags["policysearch.trial_uid"]]
        assert result is not None and result.score is not None
        assert run.info.status == "FINISHED"
        assert run.data.metrics["final/val_error"] == result.score.wrong / result.score.total
