"""The mirror against real MLflow stores: what it says, that saying it twice changes nothing, and what it does without MLflow."""

import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from mlflow.entities import ViewType
from mlflow.tracking import MlflowClient
from mlflow_server import store_of_the_home
from study_fixture import EPOCHS, StudyInLedger, whole_study

from policysearch.cli.app import cli
from policysearch.tracking.mirror import Shipped, find_study, mirror_study
from policysearch.tracking.shipper import start_shipper
from policysearch.tracking.target import Target, locate

SEARCHED = 3
BEST = "randaugment ops=1 level=15"
OVER = 5 + SEARCHED + 1  # finished trials: the baselines, the searched ones, and one that failed


@pytest.fixture(autouse=True)
def _environment() -> Iterator[None]:
    with store_of_the_home():
        yield


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow store with its tables and nothing else; making one takes seconds, copying it none."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def made(tmp_path: Path, empty_store: Path) -> StudyInLedger:
    study = whole_study(tmp_path / "a home", SEARCHED)
    shutil.copy(empty_store, study.home.root / "mlflow.db")
    return study


def mirror(made: StudyInLedger, target: Target | None = None, rebuild: bool = False) -> Shipped:
    directory = made.home.study_directory(made.name)
    return mirror_study(made.ledger, made.name, target or locate(made.home.root), directory, rebuild=rebuild)


def client(made: StudyInLedger) -> MlflowClient:
    return MlflowClient(tracking_uri=locate(made.home.root).tracking_uri)


def runs(made: StudyInLedger, view: int = ViewType.ACTIVE_ONLY) -> list[Any]:
    found = client(made)
    ids = [experiment.experiment_id for experiment in found.search_experiments()]
    return sorted(found.search_runs(ids, run_view_type=view), key=lambda run: str(run.info.run_name))


def snapshot(made: StudyInLedger) -> Any:
    """All that MLflow has, down to every metric value and file."""
    found = client(made)
    return [
        (
            run.info.run_id,
            run.info.status,
            run.info.start_time,
            run.info.end_time,
            run.data.tags,
            run.data.params,
            {
                key: [(m.value, m.step, m.timestamp) for m in found.get_metric_history(run.info.run_id, key)]
                for key in run.data.metrics
            },
            [(file.path, file.file_size) for file in found.list_artifacts(run.info.run_id)],
        )
        for run in runs(made)
    ]


def trial_uids(made: StudyInLedger) -> list[str]:
    found = [run.data.tags["policysearch.trial_uid"] for run in runs(made) if run.data.tags["policysearch.role"] != "study"]
    return sorted(found)


def test_every_finished_trial_is_a_flat_run_that_says_what_the_ledger_says(made: StudyInLedger) -> None:
    assert mirror(made) == Shipped(OVER, 0)

    experiments = {run.info.experiment_id for run in runs(made)}
    assert [client(made).get_experiment(experiment).name for experiment in experiments] == ["policysearch/sample"]
    stored = {run.data.tags["policysearch.trial_uid"]: run for run in runs(made)}
    trials = [trial for trial in made.ledger.trials(made.study.uid) if trial.result is not None]
    assert len(stored) == len(trials) + 1
    for trial in trials:
        run, result = stored[trial.trial_uid], trial.result
        assert result is not None
        assert run.info.status == ("FINISHED" if result.status == "done" else "FAILED")
        assert "mlflow.parentRunId" not in run.data.tags
        history = client(made).get_metric_history(run.info.run_id, "val/error")
        assert [(m.step, m.value) for m in history] == [(epoch.number, epoch.wrong / epoch.total) for epoch in result.epochs]
        assert run.data.metrics["cost/seconds"] == result.span_seconds["total"]
        if result.score is not None:
            assert run.data.metrics["final/val_error"] == result.score.wrong / result.score.total
        assert run.data.params == {f"policy.{name}": str(value) for name, value in trial.params.items()}
        assert run.data.tags["policysearch.digest"] == trial.digest


def test_names_and_reasons_can_be_read_by_people(made: StudyInLedger) -> None:
    mirror(made)
    by_name = {run.info.run_name: run for run in runs(made)}
    assert {"baseline: none", "baseline: flip+crop", BEST, f"study: {made.name}"} <= by_name.keys()
    failed = by_name["randaugment ops=1 level=21"]
    assert failed.data.tags["policysearch.reason"] == "epoch 5 of 30: the loss is nan"
    assert "rotate" in by_name[BEST].data.tags["policysearch.uses"]


def test_the_study_has_a_run_of_its_own_with_the_test_error_once_disclosed(made: StudyInLedger) -> None:
    mirror(made)
    (summary,) = (run for run in runs(made) if run.data.tags["policysearch.role"] == "study")
    assert summary.data.metrics["test/error"] == 262 / 2000
    assert summary.data.metrics["trials/done"] == OVER - 1
    assert summary.data.metrics["trials/failed"] == 1
    assert summary.data.params["epochs"] == str(EPOCHS)
    assert summary.data.params["splits.train"] == "4000"


def test_the_best_carry_their_policy_and_their_picture(made: StudyInLedger, tmp_path: Path) -> None:
    from searchspaces.policy_json import digest, read_policy_file

    pictures = made.home.study_directory(made.name) / "pictures"
    pictures.mkdir(parents=True)
    mirror(made)
    best = next(run for run in runs(made) if run.info.run_name == BEST)
    (pictures / f"{best.data.tags['policysearch.trial_uid']}.png").write_bytes(b"a picture")
    mirror(made)  # a picture that was drawn later is added
    files = {run.info.run_name: [file.path for file in client(made).list_artifacts(run.info.run_id)] for run in runs(made)}
    assert files[best.info.run_name] == ["augmented.png", "policy.json"]
    compared = [run for run in runs(made) if run.data.tags["policysearch.role"] == "trial" and run.info.status == "FINISHED"]
    assert all("policy.json" in files[run.info.run_name] for run in compared), "MLflow compares files only if all have some"
    path = client(made).download_artifacts(best.info.run_id, "policy.json", str(tmp_path))
    assert digest(read_policy_file(path).policy) == best.data.tags["policysearch.digest"]


def test_saying_it_twice_changes_nothing(made: StudyInLedger) -> None:
    mirror(made)
    before = snapshot(made)
    assert mirror(made) == Shipped(OVER, 0)
    assert snapshot(made) == before


def test_a_run_that_was_left_half_made_is_completed_and_a_twin_goes(made: StudyInLedger) -> None:
    trials = made.ledger.trials(made.study.uid)
    found = client(made)
    experiment = found.create_experiment("policysearch/sample", locate(made.home.root).artifact_location)
    tags = {"policysearch.study_uid": made.study.uid, "policysearch.trial_uid": trials[0].trial_uid}
    for _ in range(2):
        found.create_run(experiment, tags=tags)
    mirror(made)
    assert trial_uids(made) == sorted(trial.trial_uid for trial in trials if trial.result)
    assert all(run.info.status in ("FINISHED", "FAILED") for run in runs(made))
    assert all("final/val_error" in run.data.metrics for run in runs(made) if run.info.run_name.startswith("baseline"))


def test_a_trial_that_finishes_later_joins_and_the_summary_follows(made: StudyInLedger) -> None:
    mirror(made)
    unfinished = next(trial for trial in made.ledger.trials(made.study.uid) if trial.result is None)
    made.finish(unfinished, 0.1)
    assert mirror(made) == Shipped(OVER + 1, 0)
    assert len(trial_uids(made)) == len(set(trial_uids(made))) == OVER + 1
    (summary,) = (run for run in runs(made) if run.data.tags["policysearch.role"] == "study")
    assert summary.data.metrics["trials/done"] == OVER
    assert summary.data.metrics["best/val_error"] == 0.1


def test_while_a_search_runs_only_what_is_new_is_sent(made: StudyInLedger) -> None:
    directory, target = made.home.study_directory(made.name), locate(made.home.root)
    assert mirror_study(made.ledger, made.name, target, directory, closing=False) == Shipped(OVER, 0)
    assert made.ledger.mirrored(made.study.uid, target.label) == set(trial_uids(made))
    (made.home.root / "mlflow.db").rename(made.home.root / "gone.db")
    # Nothing is new, so a store that is gone is not even asked for.
    assert mirror_study(made.ledger, made.name, target, directory, closing=False) == Shipped(OVER, 0)
    assert not (made.home.root / "mlflow.db").exists()


def test_a_store_that_was_wiped_is_filled_again(made: StudyInLedger, empty_store: Path) -> None:
    mirror(made)
    shutil.copy(empty_store, made.home.root / "mlflow.db")
    assert mirror(made) == Shipped(OVER, 0)
    assert len(trial_uids(made)) == OVER


def test_the_users_experiment_and_store_are_respected(
    made: StudyInLedger, empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(empty_store, tmp_path / "theirs.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'theirs.db'}")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "their experiment")
    monkeypatch.chdir(tmp_path)  # their store keeps files beside the working directory
    mirror(made)
    assert {client(made).get_experiment(run.info.experiment_id).name for run in runs(made)} == {"their experiment"}


def test_an_experiment_that_policysearch_did_not_make_is_written_to_only_when_named(
    made: StudyInLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = client(made)
    theirs = found.create_experiment("policysearch/sample", locate(made.home.root).artifact_location)
    found.create_run(theirs, run_name="their own")
    stands = mirror(made)
    assert (stands.runs, stands.behind) == (0, OVER)
    assert stands.reason is not None and "'policysearch/sample'" in stands.reason and "MLFLOW_EXPERIMENT_NAME" in stands.reason
    assert [run.info.run_name for run in runs(made)] == ["their own"]
    assert "policysearch" not in found.get_experiment(theirs).tags
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "policysearch/sample")
    assert mirror(made) == Shipped(OVER, 0)


def test_a_deleted_experiment_is_told_with_its_cure(made: StudyInLedger) -> None:
    mirror(made)
    ((experiment, *_),) = ({run.info.experiment_id for run in runs(made)},)
    client(made).delete_experiment(experiment)
    reason = mirror(made).reason
    assert reason is not None and f"mlflow experiments restore -x {experiment}" in reason


def test_every_run_names_the_images_it_was_trained_on(made: StudyInLedger) -> None:
    mirror(made)
    fingerprint = made.study.identity["data"]["fingerprint"]
    for run in runs(made):
        inputs = client(made).get_run(run.info.run_id).inputs
        assert inputs is not None
        (used,) = inputs.dataset_inputs
        assert used.dataset.profile is not None
        assert (used.dataset.name, used.dataset.digest) == ("sample", fingerprint[:16])
        counts = json.loads(used.dataset.profile)
        assert (counts["train_images"], counts["val_images"], counts["num_rows"]) == (4000, 1000, 7000)
        assert str(made.home.root) not in str(used.dataset)


def test_links_lead_to_the_runs_by_error_and_to_the_best_of_the_search(made: StudyInLedger) -> None:
    target = locate(made.home.root)
    assert find_study(made.study, target) is None, "nothing is there yet"
    view = mirror(made).view
    assert view is not None and find_study(made.study, target) == view
    by_run = {run.info.run_id: run for run in runs(made)}
    best = [by_run[run_id] for run_id in view.best]
    errors = [run.data.metrics["final/val_error"] for run in best]
    assert len(best) == SEARCHED and errors == sorted(errors) and best[0].info.run_name == BEST
    shared = json.loads(client(made).get_experiment(view.experiment_id).tags[f"mlflow.sharedViewState.{view.key}"])
    assert shared["orderByKey"] == "metrics.`final/val_error`" and shared["orderByAsc"] is True
    assert shared["selectedColumns"][2:] == ["params.`policy.ops`", "params.`policy.level`"]
    judged = client(made).search_runs([view.experiment_id], shared["searchFilter"], order_by=["metrics.`final/val_error` ASC"])
    assert {run.data.tags["policysearch.role"] for run in judged} == {"baseline", "trial"} and len(judged) == OVER - 1


def test_rebuilt_it_says_the_same_by_new_runs_and_other_runs_stay(made: StudyInLedger) -> None:
    mirror(made)
    found, before = client(made), snapshot(made)
    ((experiment, *_),) = ({run.info.experiment_id for run in runs(made)},)
    other = found.create_run(experiment, run_name="zz: somebody else's").info.run_id
    stands = mirror(made, rebuild=True)
    assert stands == Shipped(OVER, 0) and f"{OVER + 1} runs of before are in MLflow's bin" in stands.notes[0]
    assert found.get_run(other).info.lifecycle_stage == "active"
    found.delete_run(other)
    after = snapshot(made)
    assert [run[1:] for run in after] == [run[1:] for run in before]
    assert {run[0] for run in after}.isdisjoint(run[0] for run in before)
    assert len(runs(made, ViewType.DELETED_ONLY)) == OVER + 2


def test_a_trial_is_told_in_one_batch_and_once(made: StudyInLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    batches, log_batch = list[str](), MlflowClient.log_batch

    def counted(self: MlflowClient, run_id: str, *told: Any, **named: Any) -> Any:
        batches.append(run_id)
        return log_batch(self, run_id, *told, **named)

    monkeypatch.setattr(MlflowClient, "log_batch", counted)
    directory, target = made.home.study_directory(made.name), locate(made.home.root)
    for _ in range(2):
        mirror_study(made.ledger, made.name, target, directory, closing=False)
        assert len(batches) == len(set(batches)) == OVER


def test_the_command_says_where_and_what_to_type_next(made: StudyInLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLICYSEARCH_HOME", str(made.home.root))
    said = CliRunner().invoke(cli, ["mirror", made.name, "--register", "animals"])
    assert said.exit_code == 0, said.output
    nothing, where, then = said.output.splitlines()
    assert nothing == "nothing is registered as 'animals': no net of the winner is kept here"
    assert where.startswith(f"{OVER} trials of {made.name} are in MLflow at sqlite:///")
    assert then.endswith(f"policysearch ui {made.name}")


def test_a_server_that_refuses_or_never_answers_costs_seconds_and_the_mirror_catches_up(
    made: StudyInLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        refused = mirror(made, Target(f"http://127.0.0.1:{port}"))
        listener.listen()
        silent = mirror(made, Target(f"http://127.0.0.1:{port}"))
    for shipped in (refused, silent):
        assert (shipped.runs, shipped.behind) == (0, OVER)
        assert shipped.reason is not None and str(port) in shipped.reason
    assert mirror(made) == Shipped(OVER, 0)


def test_no_password_is_shown_or_stored(made: StudyInLedger) -> None:
    target = Target("http://someone:canary7@127.0.0.1:9", None, "theirs")
    shipped = mirror(made, target)
    assert "canary7" not in str(shipped)
    assert target.label == "http://127.0.0.1:9 theirs"


@pytest.fixture
def shipping(made: StudyInLedger) -> Iterator[Any]:
    """A shipper process beside the study."""
    shipper = start_shipper(made.home, made.name)
    yield shipper
    shipper.finish(0)


@pytest.mark.slow
def test_a_shipper_that_is_killed_leaves_no_run_twice_and_none_missing(made: StudyInLedger, shipping: Any) -> None:
    give_up_at = time.monotonic() + 120
    label = locate(made.home.root).label
    while not made.ledger.mirrored(made.study.uid, label) and time.monotonic() < give_up_at:
        time.sleep(0.01)
    os.kill(shipping._process.pid, signal.SIGKILL)
    shipping._process.wait()
    copied = made.ledger.mirrored(made.study.uid, label)
    assert copied  # a quick one may have copied all by now; tests/faults/test_fail_points.py kills it in the midst of a run
    assert start_shipper(made.home, made.name).finish(120) == Shipped(OVER, 0)
    assert len(trial_uids(made)) == len(set(trial_uids(made))) == OVER
    assert all(run.info.status in ("FINISHED", "FAILED") for run in runs(made))


def test_a_shipper_without_a_server_says_what_is_missing_and_lets_go(
    made: StudyInLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    shipped = start_shipper(made.home, made.name).finish(240)
    assert shipped is not None
    assert shipped.behind == OVER and "127.0.0.1" in str(shipped.reason)


def test_a_shipper_that_takes_too_long_is_ended(made: StudyInLedger) -> None:
    shipper = start_shipper(made.home, made.name)
    assert shipper.finish(0) is None
    assert shipper._process.returncode == -signal.SIGKILL


def test_a_shipper_of_a_study_that_never_came_to_be_says_nothing(made: StudyInLedger) -> None:
    assert start_shipper(made.home, "another").finish(60) is None
