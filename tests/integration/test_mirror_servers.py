"""The mirror and a tracking server that is somebody else's: MLflow's own with basic auth, over PostgreSQL, one for all tests."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from mlflow.tracking import MlflowClient
from mlflow_server import ADMIN, ADMIN_PASSWORD, MlflowServer
from net_fixture import add_best
from postgres_server import NoServer, running_server
from study_fixture import StudyInLedger, whole_study

from policysearch.cli.app import cli
from policysearch.tracking.target import PASSWORD, PATIENCE, USER

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
OVER = 8  # five baselines, two searched trials and a failed one


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    pytest.importorskip("flask_wtf", reason="MLflow's basic auth wants Flask-WTF")
    pytest.importorskip("psycopg")
    try:
        with running_server() as postgres:
            backend = postgres.new_database().replace("postgresql:", "postgresql+psycopg:")
            with MlflowServer(tmp_path_factory.mktemp("mlflow"), backend, guarded=True) as server:
                yield server
    except NoServer as why:
        pytest.skip(str(why))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> StudyInLedger:
    return whole_study(tmp_path_factory.mktemp("home"), 2)


@pytest.fixture(autouse=True)
def _environment(server: MlflowServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PATIENCE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")  # the test machine may be busy
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.address)
    for name in (USER, PASSWORD, "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(USER, ADMIN)
    monkeypatch.setenv(PASSWORD, ADMIN_PASSWORD)


def run(made: StudyInLedger, *words: str) -> Result:
    return CliRunner().invoke(cli, [*words, "--home", str(made.home.root)])


def test_without_a_password_one_line_says_what_to_set(made: StudyInLedger, server: MlflowServer) -> None:
    for words in (("mirror", made.name), ("ui", made.name, "--no-open")):
        said = run(made, *words)
        last = said.output.strip().splitlines()[-1] if said.output.strip() else str(said.exception)
        told = last if USER in last else str(said.exception)
        assert said.exit_code != 0 and USER in told and PASSWORD in told and server.address in told, said.output


def test_a_wrong_password_is_told_apart_and_not_shown(made: StudyInLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(USER, ADMIN)
    monkeypatch.setenv(PASSWORD, "wrong-canary")
    said = run(made, "mirror", made.name)
    told = f"{said.output} {said.exception}"
    assert said.exit_code != 0 and f"correct {USER}" in told and "wrong-canary" not in told


def test_a_study_is_mirrored_found_again_and_rebuilt_there(made: StudyInLedger, server: MlflowServer, known: None) -> None:
    for words in ((), ("--rebuild",)):
        said = run(made, "mirror", made.name, *words)
        assert said.exit_code == 0, (said.output, said.exception)
        client = MlflowClient(tracking_uri=server.address)
        experiment = client.get_experiment_by_name("policysearch/sample")
        assert experiment is not None
        runs: list[Any] = list(client.search_runs([experiment.experiment_id]))
        uids = [run.data.tags["policysearch.trial_uid"] for run in runs]
        assert len(uids) == len(set(uids)) == OVER + 1
        assert all(run.info.status in ("FINISHED", "FAILED") for run in runs)
    links = re.findall(r"http://\S+", said.output)
    assert all(link.startswith(server.address) for link in links)
    assert any("viewStateShareKey=" in link for link in links) and any("/compare-runs?runs=" in link for link in links)
    (plain,) = {run.info.run_id for run in runs if run.info.run_name == "baseline: trivialaugment-wide"}
    assert [file.path for file in client.list_artifacts(plain)] == ["policy.json"], "files go through the server"


def test_the_ui_of_a_server_is_its_own_and_gets_the_same_links(made: StudyInLedger, server: MlflowServer, known: None) -> None:
    assert run(made, "mirror", made.name).exit_code == 0
    said = run(made, "ui", made.name, "--no-open")
    assert said.exit_code == 0 and f"MLflow runs elsewhere: {server.address}" in said.output
    assert "runs, best first" in said.output and "the best 2" in said.output


def test_files_and_models_go_through_the_server(server: MlflowServer, known: None, tmp_path: Path) -> None:
    import mlflow

    made = StudyInLedger(tmp_path / "home", name="with-a-net")
    made.add_baselines()
    add_best(made, seed=1, wrong=100)
    said = run(made, "mirror", made.name, "--register", "animals")
    assert "the winner is version 1 of the registered model 'animals'" in said.output, (said.output, said.exception)
    mlflow.set_tracking_uri(server.address)
    try:
        model = mlflow.pyfunc.load_model("models:/animals/1")
    finally:
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]  # its own way to say: as before
    assert model.metadata.signature is not None
