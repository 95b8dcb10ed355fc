"""What a run says of a trial, and which store it is said to, without any MLflow."""

from pathlib import Path

import pytest
from study_fixture import NAMES, StudyInLedger, judged_study, whole_study

from policysearch.ledger import TrialRecord
from policysearch.tracking.runs import MIRRORED, Run, run_name, trial_run
from policysearch.tracking.summary import best_of, study_run
from policysearch.tracking.target import Target, locate


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> StudyInLedger:
    return whole_study(tmp_path_factory.mktemp("home"))


def test_the_same_ledger_gives_the_same_runs(made: StudyInLedger) -> None:
    for trial in made.ledger.trials(made.study.uid):
        if trial.result is not None:
            assert trial_run(made.study, trial, trial.result) == trial_run(made.study, trial, trial.result)
    trials = made.ledger.trials(made.study.uid)
    assert study_run(made.study, trials, None) == study_run(made.study, trials, None)


def test_no_metric_is_given_twice_and_none_lies_outside_the_run(made: StudyInLedger) -> None:
    for trial in made.ledger.trials(made.study.uid):
        if trial.result is None:
            continue
        run = trial_run(made.study, trial, trial.result)
        assert len({(point.key, point.step) for point in run.metrics}) == len(run.metrics)
        assert all(run.started_ms <= point.milliseconds <= (run.ended_ms or 0) for point in run.metrics)


def test_a_failed_trial_has_its_reason_its_curve_and_no_final_error(made: StudyInLedger) -> None:
    trial = next(trial for trial in made.ledger.trials(made.study.uid) if trial.result and trial.result.status == "failed")
    assert trial.result is not None
    run = trial_run(made.study, trial, trial.result)
    assert run.status == "FAILED"
    assert run.tags["policysearch.reason"] == "epoch 5 of 30: the loss is nan"
    keys = [point.key for point in run.metrics]
    assert keys.count("val/error") == 4
    assert "final/val_error" not in keys


def test_a_study_without_a_success_has_a_summary_too(made: StudyInLedger) -> None:
    failed = [trial for trial in made.ledger.trials(made.study.uid) if trial.result and trial.result.status == "failed"]
    run = study_run(made.study, failed, None)
    assert {point.key: point.value for point in run.metrics}["trials/failed"] == 1
    assert not {"best/val_error", "test/error"} & {point.key for point in run.metrics}


def test_what_grows_has_a_step_of_its_own_so_that_it_is_never_told_two_ways(made: StudyInLedger) -> None:
    trials = made.ledger.trials(made.study.uid)
    early, late = study_run(made.study, trials[:6], None), study_run(made.study, trials, None)
    assert early.params == late.params
    assert {point.step for point in early.metrics}.isdisjoint(point.step for point in late.metrics)


def test_baselines_say_so_in_their_names(made: StudyInLedger) -> None:
    names = [run_name(trial) for trial in made.ledger.trials(made.study.uid)][:6]
    assert names == [*(f"baseline: {name}" for name in NAMES), "randaugment ops=1 level=3"]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> StudyInLedger:
    made = judged_study(tmp_path_factory.mktemp("judged"))
    made.add_finalists({"trivialaugment-wide": 0.004}, seeds=2, role="confirmation")
    return made


def by_role(judged: StudyInLedger) -> dict[str, list[tuple[TrialRecord, Run]]]:
    found: dict[str, list[tuple[TrialRecord, Run]]] = {}
    for trial in judged.ledger.trials(judged.study.uid, MIRRORED):
        if trial.result is not None:
            found.setdefault(trial.role, []).append((trial, trial_run(judged.study, trial, trial.result)))
    return found


def test_every_stage_has_runs_but_for_the_rehearsal_and_says_which_it_is(judged: StudyInLedger) -> None:
    runs = by_role(judged)
    assert {role: len(found) for role, found in runs.items()} == {
        **{"baseline": 5, "calibration": 3, "trial": 13},
        **{"finalist": 25, "confirmation": 2},
    }
    names = [run.name for _, run in runs["finalist"]]
    assert len(set(names)) == 25 and "finalist: trivialaugment-wide, seed 2" in names
    for role, found in runs.items():
        for trial, run in found:
            assert run.tags["policysearch.role"] == {"confirmation": "test"}.get(role, role)
            assert run.tags["policysearch.replicate"] == str(trial.spec["replicate"])
    free = {run.tags["policysearch.family"] for trial, run in runs["finalist"] if trial.label in NAMES}
    assert free == {"baseline"}


def test_a_model_that_was_trained_on_the_validation_images_has_no_validation_error(judged: StudyInLedger) -> None:
    for role, found in by_role(judged).items():
        for _, run in found:
            keys = {point.key for point in run.metrics}
            assert ("val/error" in keys) is (role != "confirmation")
            errors = {key for key in keys if key.endswith("/val_error")}
            if run.status == "FINISHED":
                assert errors == {"confirmation": set(), "baseline": {"final/val_error"}, "trial": {"final/val_error"}}.get(
                    role, {f"{role}/val_error"}
                )


def test_only_the_searchs_own_trials_can_be_its_best_and_be_counted(judged: StudyInLedger) -> None:
    every = judged.ledger.trials(judged.study.uid, MIRRORED)
    summary = {point.key: point.value for point in study_run(judged.study, every, None).metrics}
    searched = {point.key: point.value for point in study_run(judged.study, judged.ledger.trials(judged.study.uid), None).metrics}
    for key in ("best/val_error", "trials/done", "trials/failed"):
        assert summary[key] == searched[key]
    assert summary["cost/seconds"] > searched["cost/seconds"]


def test_the_best_come_in_the_order_in_which_a_study_selects(made: StudyInLedger) -> None:
    errors = [
        trial.result.score.wrong
        for trial in best_of(made.ledger.trials(made.study.uid), 3)
        if trial.result and trial.result.score
    ]
    scored = (trial.result.score.wrong for trial in made.ledger.trials(made.study.uid) if trial.result and trial.result.score)
    assert errors == sorted(scored)[:3]


def test_without_wishes_the_store_is_under_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    target = locate(tmp_path)
    assert target == Target(f"sqlite:///{tmp_path}/mlflow.db", f"file://{tmp_path}/mlflow-artifacts")
    assert target.shown_uri == target.tracking_uri
    assert not target.is_server


def test_a_named_database_does_not_litter_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for uri in (f"sqlite:///{tmp_path}/mine.db", "postgresql+psycopg://me@db.example/mlflow"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        target = locate(tmp_path)
        assert (target.tracking_uri, target.artifact_location) == (uri, f"file://{tmp_path}/mlflow-artifacts")


def test_a_named_store_keeps_files_where_it_likes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:secret@mlflow.example:8080/base")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "ours")
    target = locate(tmp_path)
    assert target.artifact_location is None
    assert target.is_server
    assert target.shown_uri == "https://mlflow.example:8080/base"
    assert "secret" not in target.label + target.without_password("went to https://me:secret@mlflow.example")
