"""The winner in MLflow's list of models, once, and in its registry where the user asks for that.

A model is known again by the hash of its weights: one that is there and ready is left as it is, one that was being written when
its writer died is deleted and written anew. Refuses names that MLflow takes for no model, and to register where there is none.
"""

import posixpath
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from policysearch.ledger import Ledger, StudyRecord
from policysearch.tracking.runs import Point, trial_run
from policysearch.tracking.store import Store, client_of
from policysearch.tracking.target import Target
from policysearch.tracking.winner_net import WinnerNet, write_model
from searchspaces.errors import BadInput
from searchspaces.json_text import one_line
from trials.failpoints import reach

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel

    from policysearch.judgement import Judgement

WEIGHTS_TAG = "policysearch.weights_sha256"
WON_TAG = "policysearch.winner"
READY: Final = "READY"
LONGEST_NAME = 256  # of a registered model, in MLflow's tables
SHOWN_ERRORS = ("test/error", "finalist/val_error", "final/val_error")


def log_winner(store: Store, ledger: Ledger, study: StudyRecord, net: WinnerNet, policy: Path, judgement: "Judgement") -> str:
    """See that the winner's net is among the experiment's models, with `policy` beside it; the model's id.

    What won before stays there, and says that it does no more.
    """
    found = None
    for model in _models_of(store, study):
        if str(model.status) != READY:
            store.client.delete_logged_model(model.model_id)
        elif found is None and model.tags.get(WEIGHTS_TAG) == net.weights_sha256:
            found = model
        elif model.tags.get(WON_TAG) == "yes":
            store.client.set_logged_model_tags(model.model_id, {WON_TAG: "no longer"})
    if found is None:
        return _write(store, ledger, study, net, policy, judgement)
    if found.tags.get(WON_TAG) != "yes":
        store.client.set_logged_model_tags(found.model_id, {WON_TAG: "yes"})
    _show_beside(store, store.run_id(net.trial.trial_uid), found.model_id)
    return str(found.model_id)


def _write(store: Store, ledger: Ledger, study: StudyRecord, net: WinnerNet, policy: Path, judgement: "Judgement") -> str:
    from mlflow.entities import Metric

    assert judgement.winner is not None
    client, run_id = store.client, store.run_id(net.trial.trial_uid)
    params = {f"policy.{name}": str(value) for name, value in net.trial.params.items()}
    model = client.create_logged_model(
        store.experiment_id, "winner", run_id, _tags(study, net, judgement), params, model_type="image classifier"
    )
    reach("model_made")
    with tempfile.TemporaryDirectory() as folder:
        write_model(net, study, policy, Path(folder) / "model", run_id=run_id, model_id=model.model_id)
        client.log_model_artifacts(model.model_id, str(Path(folder) / "model"))
    _show_beside(store, run_id, model.model_id)
    if run_id is not None:
        told = [Metric(p.key, p.value, p.milliseconds, p.step, model_id=model.model_id) for p in _errors(ledger, study, net)]
        client.log_batch(run_id, told)
    client.finalize_logged_model(model.model_id, READY)
    return str(model.model_id)


def _show_beside(store: Store, run_id: str | None, model_id: str) -> None:
    """See that the run of the net's training names the model: a rebuilt run is another than the model was made for."""
    from mlflow.entities import LoggedModelOutput

    if run_id is None:
        return
    outputs = store.client.get_run(run_id).outputs
    if model_id not in {output.model_id for output in (outputs.model_outputs if outputs else ())}:
        store.client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])


def require_registrable(name: str, target: Target) -> None:
    """BadInput for a name that a registered model can't have, or where MLflow doesn't answer: said before a search, not after.

    A store that is a file is not looked at: it is made when it is needed.
    """
    if not name.strip() or len(name) > LONGEST_NAME or set("/:") & set(name) or posixpath.normpath(name) in (".", ".."):
        allowed = f"1 to {LONGEST_NAME} characters without / and :, such as birds"
        raise BadInput(f"registered model {one_line(name, 60)!r}: can't have that name; allowed are {allowed}")
    if target.tracking_uri.startswith("sqlite:"):
        return
    try:
        client_of(target).search_registered_models(max_results=1)
    except Exception as error:  # whatever client, network and database raise
        raise BadInput(f"MLflow at {target.shown_uri}, where {name!r} is to be registered: {target.told(error)}") from error


def register(store: Store, model_id: str, name: str) -> str:
    """Make the model a version of the registered model `name`, which is made if need be; the version's number. Once is enough."""
    from mlflow.exceptions import MlflowException

    client, model = store.client, store.client.get_logged_model(model_id)
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    for version in client.search_model_versions(f"name='{name}'"):
        if model_id in (version.source or ""):
            return str(version.version)
    # Over a bare database MLflow would look up "models:/ID" wherever the process's own default store is.
    source = f"models:/{model_id}" if store.is_server else model.artifact_location
    made = client.create_model_version(name, source, model.source_run_id, dict(model.tags), model_id=model_id)
    return str(made.version)


def clear_models(store: Store, study: StudyRecord) -> None:
    """Delete the study's models, but for those that somebody has registered."""
    registered = [version.source or "" for version in store.client.search_model_versions()]
    for model in _models_of(store, study):
        if not any(model.model_id in source for source in registered):
            store.client.delete_logged_model(model.model_id)


def _errors(ledger: Ledger, study: StudyRecord, net: WinnerNet) -> list[Point]:
    """What is known of the very net that is shown: its error on the test images, or on those that it was chosen by."""
    claim = ledger.claim(study.uid)
    assert net.trial.result is not None  # it has weights
    run = trial_run(study, net.trial, net.trial.result, claim.figure if claim else None)
    return [point for point in run.metrics if point.key in SHOWN_ERRORS]


def _tags(study: StudyRecord, net: WinnerNet, judgement: "Judgement") -> dict[str, str]:
    assert judgement.winner is not None
    return {
        WON_TAG: "yes",
        WEIGHTS_TAG: net.weights_sha256,
        "policysearch.study": study.name,
        "policysearch.study_uid": study.uid,
        "policysearch.trial_uid": net.trial.trial_uid,
        "policysearch.digest": net.trial.digest,
        "policysearch.policy": judgement.winner.words,
        "policysearch.verdict": judgement.verdict.kind,
    }


def _models_of(store: Store, study: StudyRecord) -> "list[LoggedModel]":
    of_study = f"tags.`policysearch.study_uid` = '{study.uid}'"
    return list(store.client.search_logged_models([store.experiment_id], of_study))
