"""A trial that is under way, in a real MLflow store: one run, whose curve grows, whatever happens before it is over."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient
from mlflow_server import count_batches, empty_store, store_of_the_home
from study_fixture import EPOCHS, VAL_IMAGES, StudyInLedger, whole_study

from policysearch.ledger import TrialRecord
from policysearch.tracking.live import Live
from policysearch.tracking.mirror import Shipped, find_study, mirror_study
from policysearch.tracking.target import locate
from trials.values import Epoch, Score, TrialResult


@pytest.fixture(autouse=True)
def _environment() -> Iterator[None]:
    with store_of_the_home():
        yield


class Watched:
    """A study with a trial under way, as its shipper watches it."""

    def __init__(self, made: StudyInLedger) -> None:
        self.made, self.live, self.target = made, Live(), locate(made.home.root)
        self.client = MlflowClient(tracking_uri=self.target.tracking_uri)

    @property
    def trial(self) -> TrialRecord:
        """The trial of the highest number, which is the one under way."""
        return self.made.ledger.trials(self.made.study.uid)[-1]

    def at_epoch(self, number: int, wrong: int, anew: bool = False) -> None:
        """It has come so far; with `anew` by another attempt."""
        if anew:
            self.made.ledger.start_attempt(self.trial.trial_uid)
        self.made.ledger.note_progress(self.trial.trial_uid, Epoch(number, 1.0, wrong, VAL_IMAGES), self.trial.attempts)

    def look(self, live: Live | None = None) -> Any:
        """A pass while it is searched; the trial's run."""
        directory = self.made.home.study_directory(self.made.name)
        live = live or self.live
        stands = mirror_study(self.made.ledger, self.made.name, self.target, directory, closing=False, live=live)
        assert (stands.behind, stands.reason) == (0, None)
        return self.run()

    def close(self) -> Shipped:
        """The closing pass."""
        return mirror_study(self.made.ledger, self.made.name, self.target, self.made.home.study_directory(self.made.name))

    def run(self) -> Any:
        """The trial's one run."""
        experiments = [experiment.experiment_id for experiment in self.client.search_experiments()]
        (run,) = self.client.search_runs(experiments, f"tags.`policysearch.trial_uid` = '{self.trial.trial_uid}'")
        return run

    def points(self) -> list[tuple[int, float, int]]:
        """The curve that MLflow has of it: epoch, error, time."""
        history = self.client.get_metric_history(self.run().info.run_id, "val/error")
        return sorted((point.step, point.value, point.timestamp) for point in history)

    def curve(self) -> dict[int, float]:
        """The same without times; no epoch is told twice."""
        points = self.points()
        assert len({step for step, _, _ in points}) == len(points)
        return {step: value for step, value, _ in points}


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    made = whole_study(tmp_path / "home", 1)
    shutil.copy(empty_store(), made.home.root / "mlflow.db")
    return Watched(made)


def test_its_curve_grows_in_a_running_run_which_its_result_ends(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = watched.trial
    place = watched.client.create_experiment("policysearch/sample", watched.target.artifact_location)
    tags = {"policysearch.study_uid": trial.study_uid, "policysearch.trial_uid": trial.trial_uid}
    run_id = watched.client.create_run(place, tags=tags).info.run_id  # half made, by a pass that was killed
    first = watched.look()
    assert (first.info.run_id, first.info.status, watched.curve()) == (run_id, "RUNNING", {11: 0.31})
    assert first.data.params == {f"policy.{name}": str(value) for name, value in trial.params.items()}
    assert find_study(watched.made.study, watched.target) is not None, "links open while it runs"

    batches = count_batches(monkeypatch)
    watched.look()
    watched.look(Live())  # another process, after one that was killed before it knew what it had told
    assert batches == []
    watched.at_epoch(14, 300)
    watched.look()
    assert batches == [run_id] and watched.curve() == {11: 0.31, 14: 0.3}

    watched.close()  # nobody is at work on the study: its search was killed
    assert watched.run().info.status == "KILLED"
    watched.at_epoch(11, 310, anew=True)
    again = watched.look(Live())
    assert (again.info.run_id, again.info.status) == (run_id, "RUNNING"), "taken up with the search"
    result = result_of(trial, {11: 310, 14: 300})
    watched.made.ledger.commit_result(result)
    over = watched.look()
    assert (over.info.run_id, over.info.status, over.data.metrics["cost/seconds"]) == (run_id, "FINISHED", 9.0)
    assert watched.curve() == {epoch.number: epoch.wrong / epoch.total for epoch in result.epochs}
    points = watched.points()
    watched.close()
    assert watched.points() == points


def test_a_model_of_the_test_is_no_news_for_its_progress_is_on_images_it_is_trained_on(watched: Watched) -> None:
    ledger, study, trial = watched.made.ledger, watched.made.study, watched.trial
    assert Live().news(ledger, study, [trial]) == [trial]
    assert Live().news(ledger, study, [replace(trial, role="confirmation")]) == []


def test_a_curve_that_another_attempt_did_not_repeat_is_begun_anew_and_a_failed_trial_keeps_its(watched: Watched) -> None:
    first = watched.look()
    watched.at_epoch(11, 290, anew=True)
    second = watched.look()
    assert second.info.run_id != first.info.run_id and watched.curve() == {11: 0.29}
    watched.made.ledger.commit_result(TrialResult(watched.trial.trial_uid, "failed", error="its workers died twice"))
    failed = watched.look()
    assert (failed.info.run_id, failed.info.status, watched.curve()) == (second.info.run_id, "FAILED", {11: 0.29})
    assert failed.data.tags["policysearch.reason"] == "its workers died twice"


def result_of(trial: TrialRecord, wrong: dict[int, int]) -> TrialResult:
    """A result of a whole training, with these images wrong after these epochs."""
    epochs = tuple(Epoch(number, 1.0, wrong.get(number, 400 - number), VAL_IMAGES) for number in range(1, EPOCHS + 1))
    bits = tuple(number >= 370 for number in range(VAL_IMAGES))
    return TrialResult(trial.trial_uid, "done", epochs, Score(bits, ((630, 370), (0, 0)), 700.0), span_seconds={"total": 9.0})
