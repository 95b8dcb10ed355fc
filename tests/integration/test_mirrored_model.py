"""The winner as an MLflow model, against a real store: what it predicts, and that it is there once whatever happens."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from mlflow_server import store_of_the_home
from net_fixture import add_best
from study_fixture import StudyInLedger

from policysearch.cli.app import cli
from policysearch.kept_weights import WEIGHTS, KeptWeights
from policysearch.ledger import TrialRecord
from policysearch.tracking.mirror import Shipped, mirror_study
from policysearch.tracking.shipper import OVER, End, ship
from policysearch.tracking.target import Target, locate
from searchspaces.errors import BadInput
from searchspaces.policy_json import digest, read_policy_file
from trials.data import open_split, read_meta
from trials.evaluate import score
from trials.values import Recipe


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> StudyInLedger:
    """Baselines, and one searched policy whose net is kept."""
    made = StudyInLedger(tmp_path_factory.mktemp("home"))
    made.add_baselines()
    add_best(made, seed=1, wrong=100)
    MlflowClient(tracking_uri=locate(made.home.root).tracking_uri).search_experiments()
    return made


@pytest.fixture(autouse=True)
def _environment() -> Iterator[None]:
    with store_of_the_home():
        yield


def mirror(made: StudyInLedger, **how: Any) -> Shipped:
    return mirror_study(made.ledger, made.name, target_of(made), made.home.study_directory(made.name), **how)


def target_of(made: StudyInLedger) -> Target:
    return locate(made.home.root)


def models(made: StudyInLedger) -> tuple[MlflowClient, list[Any]]:
    client = MlflowClient(tracking_uri=target_of(made).tracking_uri)
    return client, list(client.search_logged_models([each.experiment_id for each in client.search_experiments()]))


def test_the_winners_net_predicts_from_plain_images_what_the_trial_did(made: StudyInLedger, tmp_path: Path) -> None:
    import mlflow

    assert mirror(made).notes == ()
    client, (model,) = models(made)
    assert (model.name, str(model.status), model.tags["policysearch.winner"]) == ("winner", "READY", "yes")
    place = Path(model.artifact_location.removeprefix("file://"))
    assert digest(read_policy_file(place / "policy.json").policy) == model.tags["policysearch.digest"]
    loaded = mlflow.pyfunc.load_model(str(place))
    split = open_split(made.prepared.directory, "val")
    answers = loaded.predict(np.array(split.images))
    assert answers.dtype == np.float32 and answers.sum(axis=1) == pytest.approx(1, abs=1e-5)
    trial = made.ledger.trial(model.tags["policysearch.trial_uid"])
    wrong = int((answers.argmax(axis=1) != np.array(split.labels)).sum())
    assert wrong == scored(made, trial)
    (spec,) = loaded.metadata.signature.inputs.inputs
    assert (str(spec.type), spec.shape) == ("uint8", (-1, *split.images.shape[1:]))
    run: Run = client.get_run(model.source_run_id)
    assert run.data.tags["policysearch.trial_uid"] == trial.trial_uid
    assert run.outputs is not None
    assert [output.model_id for output in run.outputs.model_outputs] == [model.model_id]
    assert {metric.key: metric.value for metric in model.metrics} == {"final/val_error": 0.1}
    assert "pickle" not in json.dumps([path.name for path in (place / "data").iterdir()])


def scored(made: StudyInLedger, trial: TrialRecord) -> int:
    """How many validation images the trial's net takes for another class, in float32."""
    from trials.evaluate import load_model

    meta = read_meta(made.prepared.directory)
    recipe = replace(Recipe(**trial.spec["recipe"]), device="cpu", precision="float32", channels_last=False)
    assert trial.result is not None and trial.result.weights_sha256 is not None
    path = KeptWeights(made.home.study_directory(made.name) / WEIGHTS).path(trial.trial_uid)
    net = load_model(path, trial.result.weights_sha256, len(meta["mean"]), len(meta["classes"]), recipe)
    result = score(net, open_split(made.prepared.directory, "val"), recipe, meta["mean"], meta["std"])
    return result.wrong


def test_it_is_there_once_and_one_left_half_written_goes(made: StudyInLedger) -> None:
    mirror(made)
    client, (first,) = models(made)
    tags = {"policysearch.study_uid": made.study.uid, "policysearch.weights_sha256": "of another"}
    client.create_logged_model(first.experiment_id, "winner", tags=tags)
    view = mirror(made).view
    assert [model.model_id for model in models(made)[1]] == [first.model_id]
    assert view is not None and view.model_id == first.model_id


def test_it_is_registered_when_asked_and_once(made: StudyInLedger) -> None:
    mirror(made)
    client, (model,) = models(made)
    assert list(client.search_model_versions()) == [], "nobody has asked"
    for _ in range(2):
        assert mirror(made, register="animals").notes == ("the winner is version 1 of the registered model 'animals'",)
    (version,) = client.search_model_versions("name='animals'")
    assert version.source == model.artifact_location and version.run_id == model.source_run_id
    rebuilt = mirror(made, rebuild=True)
    assert rebuilt.view is not None and rebuilt.view.model_id == model.model_id, "what is registered stays"
    assert [each.model_id for each in models(made)[1]] == [model.model_id]
    (run,) = client.search_runs([model.experiment_id], "tags.`policysearch.role` = 'trial'")
    assert run.info.run_id != model.source_run_id
    assert run.outputs is not None
    assert [output.model_id for output in run.outputs.model_outputs] == [model.model_id]


def test_a_search_registers_its_winner_when_it_is_over_and_not_when_it_was_stopped(made: StudyInLedger) -> None:
    for said, notes in (("", ()), (OVER, ("the winner is version 1 of the registered model 'fish'",))):
        end = End()
        end.await_at(io.StringIO(said))
        assert ship(made.home, made.name, end, "fish").notes == notes


@pytest.mark.parametrize("name", ["a/b", "models:/a", "", "..", "a" * 257])
def test_a_name_that_no_model_can_have_is_refused_before_anything_is_done(made: StudyInLedger, name: str) -> None:
    for words in (["search", "--data", "sample", "--register", name], ["mirror", made.name, "--register", name]):
        said = CliRunner().invoke(cli, [*words, "--home", str(made.home.root)])
        assert isinstance(said.exception, BadInput) and "without / and :, such as birds" in str(said.exception)


def test_a_server_that_does_not_answer_is_told_before_the_search(made: StudyInLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    wish = ["search", "--data", "sample", "--register", "fish", "--home", str(made.home.root)]
    refusal = CliRunner().invoke(cli, wish).exception
    assert isinstance(refusal, BadInput) and "127.0.0.1:9, where 'fish' is to be registered" in str(refusal)
    assert [study.name for study in made.ledger.studies()] == [made.name]


def test_rebuilt_a_model_that_nobody_registered_is_made_anew(made: StudyInLedger) -> None:
    add_best(made, seed=3, wrong=95)
    first = mirror(made).view
    rebuilt = mirror(made, rebuild=True).view
    assert first is not None and rebuilt is not None and rebuilt.model_id not in (None, first.model_id)
    assert first.model_id not in {model.model_id for model in models(made)[1]}


def test_another_winner_stands_beside_the_one_before(made: StudyInLedger, tmp_path: Path) -> None:
    mirror(made)
    add_best(made, seed=2, wrong=90)
    view = mirror(made).view
    won = {model.model_id for model in models(made)[1] if model.tags["policysearch.winner"] == "yes"}
    assert view is not None and won == {view.model_id} and len(models(made)[1]) >= 2


def test_a_net_whose_file_is_gone_or_another_is_no_model(made: StudyInLedger) -> None:
    directory = made.home.study_directory(made.name)
    for path in (directory / WEIGHTS).iterdir():
        path.write_bytes(b"something else")
    stands = mirror(made, rebuild=True, register="birds")
    assert stands.behind == 0 and stands.view is not None and stands.view.model_id is None
    assert stands.notes[-1] == "nothing is registered as 'birds': no net of the winner is kept here"
