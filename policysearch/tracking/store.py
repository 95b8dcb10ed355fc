"""One experiment of an MLflow store, and what it holds of one study: finding, making and completing runs.

Every call may raise whatever MLflow, its database or the network raise; `mirror` is where that ends. Every call may be repeated:
what is there already is found again, not made again. Refuses an experiment that is somebody else's, unless the user named it.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from policysearch.ledger import StudyRecord
from policysearch.tracking.data_sets import DataSet
from policysearch.tracking.links import COMPARED, SHARED, SORTED_BY, View, shared_key
from policysearch.tracking.runs import CURVE, Point, Run
from policysearch.tracking.target import Target, be_patient
from searchspaces.errors import BadInput
from trials.failpoints import reach

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Experiment
    from mlflow.entities import Run as StoredRun
    from mlflow.tracking import MlflowClient

METRICS_A_BATCH = 1000  # MLflow's limit
OVER = ("FINISHED", "FAILED")
OURS = "policysearch"
"""The tag of an experiment that policysearch made."""


class Store:
    """The runs of one study in one experiment."""

    def __init__(self, client: "MlflowClient", experiment_id: str, study_uid: str, is_server: bool, narrowed: str = "") -> None:
        self.client = client
        self.is_server = is_server
        self.experiment_id = experiment_id
        self._study_uid = study_uid
        self._runs = _runs_of(client, experiment_id, study_uid, narrowed)

    @staticmethod
    def open(target: Target, experiment: str, study_uid: str, with_finished: bool = True) -> "Store":
        """Find or make the experiment, and look up what it has of the study. BadInput where the experiment is not ours.

        Without the finished runs, which trials that are under way have none of, the look-up stays short in a long study.
        """
        client, narrowed = client_of(target), "" if with_finished else " and attributes.status != 'FINISHED'"
        known = client.get_experiment_by_name(experiment)
        if known is None:
            note = {OURS: "1", "mlflow.note.content": "Augmentation policies, compared by policysearch."}
            made = client.create_experiment(experiment, target.artifact_location, note)
            return Store(client, made, study_uid, target.is_server)
        _require_ours(client, known, named=target.experiment is not None)
        return Store(client, known.experiment_id, study_uid, target.is_server, narrowed)

    def has(self, trial_uid: str) -> bool:
        """Whether the run of this trial is there with all that belongs to it."""
        return trial_uid in self._runs and self._runs[trial_uid].info.status in OVER

    def run_id(self, trial_uid: str) -> str | None:
        """The run of this trial."""
        return self._runs[trial_uid].info.run_id if trial_uid in self._runs else None

    def put(self, run: Run) -> None:
        """Make the run, or complete or refresh the one that is there. What it said before it says again, so nothing doubles.

        The status comes last: a run that is over is whole. Points of its curve that were told while the trial was under way stay
        as they are; where they are not those of the trial's result, the run is put away and made anew.
        """
        stored, points = self._known(run)
        tags = run.tags if stored is not None else {}  # they come with the run, and each that is said again is looked up
        stored = stored or self._made(run)
        if run.data is not None:
            self.client.log_inputs(stored.info.run_id, [_input(run.data)])
        self._log(stored.info.run_id, points, run.params, tags)
        self.client.set_terminated(stored.info.run_id, run.status, run.ended_ms)

    def follow(self, run: Run) -> None:
        """Make the run of a trial that is under way, or tell in one batch what its curve lacks. One that is over is left alone.

        Where MLflow has another value for an epoch, of an attempt whose worker was lost, the run is put away and made anew.
        """
        if self.has(run.trial_uid):
            return
        stored, points = self._known(run)
        if stored is None:
            stored = self._made(run)
            if run.data is not None:
                self.client.log_inputs(stored.info.run_id, [_input(run.data)])
        elif stored.info.status != run.status:  # it was ended when nobody was at work on the trial
            self.client.update_run(stored.info.run_id, run.status)
        if points:
            self._log(stored.info.run_id, points, run.params, {})

    def end(self, trial_uids: Collection[str]) -> None:
        """End the runs of these trials, which nobody is at work on any more; those that are not running stay as they are."""
        for trial_uid in self.running(trial_uids):
            self.client.set_terminated(self._runs[trial_uid].info.run_id, "KILLED")

    def running(self, trial_uids: Collection[str]) -> list[str]:
        """Those of these trials whose run says that they are under way."""
        return [uid for uid in trial_uids if uid in self._runs and self._runs[uid].info.status == "RUNNING"]

    def attach(self, trial_uid: str, file: Path, anew: bool = False) -> None:
        """Add a file to a run, unless the run has one of that name; with `anew` it takes that one's place."""
        run_id = self._runs[trial_uid].info.run_id
        if anew or file.name not in {artifact.path for artifact in self.client.list_artifacts(run_id)}:
            self.client.log_artifact(run_id, str(file))

    def share(self, key: str, state: str) -> None:
        """Keep a view of the study for the UI; a link names it by its key."""
        self.client.set_experiment_tag(self.experiment_id, f"{SHARED}{key}", state)

    def view(self, key: str, model_id: str | None = None) -> View:
        """Where the UI shows the study, by the runs as they stand."""
        return View(self.experiment_id, key, _best(self.client, self.experiment_id, self._study_uid), model_id)

    def clear(self) -> int:
        """Move the study's runs, and no others, to MLflow's bin, where they can be restored until it is emptied; how many."""
        cleared = 0
        for trial_uid, stored in list(self._runs.items()):
            self.client.delete_run(stored.info.run_id)
            del self._runs[trial_uid]
            cleared += 1
            reach("run_cleared")
        return cleared

    def _made(self, run: Run) -> "StoredRun":
        stored = self.client.create_run(self.experiment_id, run.started_ms, dict(run.tags), run.name)
        self._runs[run.trial_uid] = stored
        reach("run_made")
        return stored

    def _known(self, run: Run) -> "tuple[StoredRun | None, Sequence[Point]]":
        """The run as it is there, if it is, and what of its points is to be told.

        When a point of the curve was seen is up to who told it first: told again at another moment it would stand there twice.
        """
        stored, curve = self._runs.get(run.trial_uid), {point.step: point.value for point in run.metrics if point.key == CURVE}
        if stored is None or not curve:
            return stored, run.metrics
        told = {each.step: each.value for each in self.client.get_metric_history(stored.info.run_id, CURVE)}
        too_many = run.status == "FINISHED" and not told.keys() <= curve.keys()
        if too_many or any(told.get(step, value) != value for step, value in curve.items()):
            self.client.delete_run(stored.info.run_id)
            del self._runs[run.trial_uid]
            return None, run.metrics
        return stored, [point for point in run.metrics if point.key != CURVE or point.step not in told]

    def _log(self, run_id: str, points: Sequence[Point], params: Mapping[str, str], texts: Mapping[str, str]) -> None:
        """Everything in one batch, unless it is longer than MLflow takes."""
        from mlflow.entities import Metric, Param, RunTag

        metrics = [Metric(point.key, point.value, point.milliseconds, point.step) for point in points]
        said = [Param(key, value) for key, value in params.items()]
        tags = [RunTag(key, value) for key, value in texts.items()]
        first = METRICS_A_BATCH - len(said) - len(tags)
        self.client.log_batch(run_id, metrics[:first], said, tags)
        for start in range(first, len(metrics), METRICS_A_BATCH):
            self.client.log_batch(run_id, metrics[start : start + METRICS_A_BATCH])


def client_of(target: Target) -> "MlflowClient":
    """A client of the target that does not wait for ever and keeps quiet."""
    be_patient()
    from mlflow.tracking import MlflowClient

    for name in ("mlflow", "alembic"):  # they tell of every table they make
        logging.getLogger(name).setLevel(logging.ERROR)
    return MlflowClient(tracking_uri=target.tracking_uri, registry_uri=target.tracking_uri)


def find_view(target: Target, experiment: str, study: StudyRecord) -> View | None:
    """Where the UI shows a study; None where MLflow has nothing of it yet. Makes nothing."""
    client = client_of(target)
    known, key = client.get_experiment_by_name(experiment), shared_key(study.uid)
    if known is None or f"{SHARED}{key}" not in known.tags:
        return None
    won = f"tags.`policysearch.study_uid` = '{study.uid}' and tags.`policysearch.winner` = 'yes'"
    models = client.search_logged_models([known.experiment_id], won)
    model_id = models[0].model_id if models else None
    return View(known.experiment_id, key, _best(client, known.experiment_id, study.uid), model_id)


def _require_ours(client: "MlflowClient", experiment: "Experiment", named: bool) -> None:
    """Raise BadInput for an experiment that can't be written to, or that the user would not expect to be written to."""
    name = experiment.name
    if experiment.lifecycle_stage == "deleted":
        raise BadInput(
            f"experiment {name!r}: was deleted there; restore it (mlflow experiments restore -x {experiment.experiment_id}),"
            " or name another with MLFLOW_EXPERIMENT_NAME"
        )
    if named or OURS in experiment.tags:
        return
    # An older policysearch left no tag on the experiment, but on its runs.
    if not client.search_runs([experiment.experiment_id], "tags.`policysearch.study_uid` != ''", max_results=1):
        raise BadInput(
            f"experiment {name!r}: is there and was not made by policysearch; to write to it all the same, name it with"
            " MLFLOW_EXPERIMENT_NAME, or name another"
        )
    client.set_experiment_tag(experiment.experiment_id, OURS, "1")


def _input(data: DataSet) -> "DatasetInput":
    """The data set as MLflow knows one; of the same name and digest it keeps one for all runs."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(data.name, data.digest, "policysearch", data.source, data.schema, data.profile)
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])


def _best(client: "MlflowClient", experiment_id: str, study_uid: str) -> tuple[str, ...]:
    """The runs of the best searched trials, lowest validation error first."""
    searched = f"tags.`policysearch.study_uid` = '{study_uid}' and tags.`policysearch.role` = 'trial' and {SORTED_BY} <= 1"
    found = client.search_runs([experiment_id], searched, max_results=COMPARED, order_by=[f"{SORTED_BY} ASC"])
    return tuple(run.info.run_id for run in found)


def _runs_of(client: "MlflowClient", experiment_id: str, study_uid: str, narrowed: str = "") -> "dict[str, StoredRun]":
    """The study's runs by trial. Of twins, which a create whose answer was lost leaves behind, the first one stays."""
    runs: dict[str, StoredRun] = {}
    of_study = f"tags.`policysearch.study_uid` = '{study_uid}'{narrowed}"
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
