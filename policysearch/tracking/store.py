"""One experiment of an MLflow store, and what it holds of one study: finding, making and completing runs.

Every call may raise whatever MLflow, its database or the network raise; `mirror` is where that ends. Every call may be repeated:
what is there already is found again, not made again.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from policysearch.tracking.runs import Run
from policysearch.tracking.target import Target, be_patient

if TYPE_CHECKING:
    from mlflow.entities import Run as StoredRun
    from mlflow.tracking import MlflowClient

METRICS_A_BATCH = 1000  # MLflow's limit
OVER = ("FINISHED", "FAILED")


class Store:
    """The runs of one study in one experiment."""

    def __init__(self, client: "MlflowClient", experiment_id: str, runs: "dict[str, StoredRun]") -> None:
        self._client = client
        self._experiment_id = experiment_id
        self._runs = runs

    @staticmethod
    def open(target: Target, experiment: str, study_uid: str) -> "Store":
        """Find or make the experiment, and look up what it has of the study."""
        be_patient()
        from mlflow.tracking import MlflowClient

        for name in ("mlflow", "alembic"):  # they tell of every table they make
            logging.getLogger(name).setLevel(logging.ERROR)
        client = MlflowClient(tracking_uri=target.tracking_uri)
        known = client.get_experiment_by_name(experiment)
        identifier = known.experiment_id if known else client.create_experiment(experiment, target.artifact_location)
        return Store(client, identifier, _runs_of(client, identifier, study_uid))

    def has(self, trial_uid: str) -> bool:
        """Whether the run of this trial is there with all that belongs to it."""
        return trial_uid in self._runs and self._runs[trial_uid].info.status in OVER

    def put(self, run: Run) -> None:
        """Make the run, or complete or refresh the one that is there. What it said before it says again, so nothing doubles.

        The status comes last: a run that is over is whole.
        """
        stored = self._runs.get(run.trial_uid)
        if stored is None:
            stored = self._client.create_run(self._experiment_id, run.started_ms, dict(run.tags), run.name)
            self._runs[run.trial_uid] = stored
        self._log(stored.info.run_id, run)
        self._client.set_terminated(stored.info.run_id, run.status, run.ended_ms)

    def attach(self, trial_uid: str, file: Path, anew: bool = False) -> None:
        """Add a file to a run, unless the run has one of that name; with `anew` it takes that one's place."""
        run_id = self._runs[trial_uid].info.run_id
        if anew or file.name not in {artifact.path for artifact in self._client.list_artifacts(run_id)}:
            self._client.log_artifact(run_id, str(file))

    def _log(self, run_id: str, run: Run) -> None:
        """Everything in one batch, unless it is longer than MLflow takes."""
        from mlflow.entities import Metric, Param, RunTag

        metrics = [Metric(point.key, point.value, point.milliseconds, point.step) for point in run.metrics]
        params = [Param(key, value) for key, value in run.params.items()]
        tags = [RunTag(key, value) for key, value in run.tags.items()]
        self._client.log_batch(run_id, metrics[: METRICS_A_BATCH - len(params) - len(tags)], params, tags)
        for start in range(METRICS_A_BATCH - len(params) - len(tags), len(metrics), METRICS_A_BATCH):
            self._client.log_batch(run_id, metrics[start : start + METRICS_A_BATCH])


def _runs_of(client: "MlflowClient", experiment_id: str, study_uid: str) -> "dict[str, StoredRun]":
    """The study's runs by trial. Of twins, which a create whose answer was lost leaves behind, the first one stays."""
    runs: dict[str, StoredRun] = {}
    of_study = f"tags.`policysearch.study_uid` = '{study_uid}'"
    token = None
    while True:
        page = client.search_runs([experiment_id], of_study, order_by=["attributes.end_time ASC"], page_token=token)
        for run in page:
            uid = run.data.tags["policysearch.trial_uid"]
            if uid in runs:
                client.delete_run(run.info.run_id)
            else:
                runs[uid] = run
        token = page.token
        if not token:
            return runs
