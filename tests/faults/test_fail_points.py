"""Real steps of a search are killed at each named place and done again: whole in the end, once, with nothing left lying about."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from faults.programmes import IN_DRIVERS, IN_WORKERS
from search_fixture import SEARCH_ALONE, write_bars

from policysearch.drivers import Task
from policysearch.home import Home
from policysearch.kept_weights import KeptWeights
from policysearch.ledger import Ledger, TrialRecord, sqlite_url
from searchspaces.policy import Base, Policy
from searchspaces.policy_json import digest
from trials.data import Source, prepare
from trials.failpoints import POINTS, VARIABLE
from trials.recipes import default_recipe
from trials.values import DataRef, TrialSpec

IN_TRAINING = ("mid_epoch", "checkpoint_half_written", "checkpoint_renamed", "before_commit", "after_commit")
AT_AN_EPOCHS_END = ("training_half_written", "training_written")
IN_THE_GATE = ("gate_claimed", "gate_evaluated")
IN_THE_MIRROR = ("run_made", "mirrored_not_marked", "model_made", "run_cleared")
pytestmark = pytest.mark.timeout(900)  # many processes are started, one after the other
NAME = "bars"
UNCOMPILED = {"POLICYSEARCH_ENGINE": "grouped"}  # kernels that are compiled again after each kill would be all that is tested
ROOT = Path(__file__).parents[2]


def step(*words: str, failpoint: str = "") -> int:
    """Run a step in its own process; its exit code."""
    environment = os.environ | UNCOMPILED | {VARIABLE: failpoint, "GIT_PYTHON_REFRESH": "quiet"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    command = [sys.executable, str(Path(__file__).with_name("at_points.py")), *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


def left_lying(folder: Path) -> list[Path]:
    """Temporary files."""
    return [path for path in folder.rglob(".*") if path.is_file()]


def test_every_point_is_in_the_code_once_and_met_by_a_test() -> None:
    packages = ("searchspaces", "trials", "policysearch", "dashboards")
    code = "\n".join(path.read_text() for room in packages for path in (ROOT / room).rglob("*.py"))
    placed = re.findall(r'reach(?:\(|, )"(\w+)"', code)
    assert sorted(placed) == sorted(POINTS)
    met = {*IN_TRAINING, *AT_AN_EPOCHS_END, *IN_THE_GATE, *IN_WORKERS, *IN_DRIVERS, *IN_THE_MIRROR, "report_half_written"}
    assert met == set(POINTS)


@pytest.mark.slow
@pytest.mark.parametrize("point", IN_TRAINING)
def test_a_training_killed_there_is_recorded_once_with_the_weights_that_were_recorded(point: str, tmp_path: Path) -> None:
    data = prepare(Source(str(write_bars(tmp_path / "bars.npz"))), tmp_path)
    ledger = Ledger.open(sqlite_url(tmp_path / "ledger.sqlite"))
    recipe = replace(default_recipe("cpu"), batch_images=32)
    spec = TrialSpec("uid", Policy(), recipe, DataRef(str(data.directory), data.fingerprint), 0, 1)
    study = ledger.create_study(NAME, {})
    ledger.add_trial(study.uid, 0, "trial", "", {}, digest(spec.policy), "", spec.to_dict())
    weights = KeptWeights(tmp_path / "weights")
    task = json.dumps(Task(spec.to_dict(), ledger.url, str(weights.path("uid"))).to_dict())

    assert step("trial", task, failpoint=f"{point}=kill") == -signal.SIGKILL
    assert (ledger.result("uid") is not None) == (point == "after_commit")
    assert step("trial", task) == 0
    trial = ledger.trial("uid")
    assert trial.result is not None and trial.result.status == "done"
    assert trial.attempts == (1 if point == "after_commit" else 2)
    assert weights.is_sound("uid", trial.result.weights_sha256)
    assert left_lying(tmp_path / "weights") == []
    assert ledger.late_results(study.uid) == ()


def told(task: str, failpoint: str = "") -> list[str]:
    """Carry out a task in a process of its own that keeps every epoch; what it said."""
    environment = os.environ | UNCOMPILED | {VARIABLE: failpoint}
    command = [sys.executable, str(Path(__file__).with_name("at_points.py")), "careful", task]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == (-signal.SIGKILL if failpoint else 0), done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "place"), [("float32", "disk"), (default_recipe("cpu").precision, "url")])
def test_a_training_killed_at_epochs_ends_goes_on_there_and_ends_as_one_that_was_not(
    precision: Any, place: str, tmp_path: Path
) -> None:
    data = prepare(Source(str(write_bars(tmp_path / "bars.npz"))), tmp_path)
    ledger = Ledger.open(sqlite_url(tmp_path / "ledger.sqlite"))
    recipe = replace(default_recipe("cpu"), batch_images=32, precision=precision)
    study, tasks = ledger.create_study(NAME, {}), list[str]()
    folder = f"{'file://' if place == 'url' else ''}{tmp_path}/nets"
    for seed, uid in ((0, "whole"), (1, "killed")):  # both the same but for the name; the ledger wants other points
        spec = TrialSpec(uid, Policy(Base(hflip=0.5)), recipe, DataRef(str(data.directory), data.fingerprint), 0, 4)
        ledger.add_trial(study.uid, seed, "trial", uid, {}, str(seed), "", spec.to_dict())
        tasks.append(json.dumps(Task(spec.to_dict(), ledger.url, f"{folder}/weights/{uid}.pt").to_dict()))

    whole, killed = tasks
    assert told(whole) == ["1", "2", "3", "4"]
    assert told(killed, "training_written=kill") == ["1"]
    assert [file.name for file in (tmp_path / "nets" / "training").iterdir()] == ["killed.pt"]
    goes_on = "a training that was begun before goes on after epoch 1"
    assert told(killed, "training_half_written=kill") == [goes_on, "2"], "killed while it kept epoch 2"
    assert len(left_lying(tmp_path / "nets")) == 1
    assert told(killed) == [goes_on, "2", "3", "4"]
    one, other = ledger.result("whole"), ledger.result("killed")
    assert one is not None and other is not None and one.status == "done"
    assert (other.epochs, other.score, other.weights_sha256) == (one.epochs, one.score, one.weights_sha256)
    assert ledger.trial("killed").attempts == 3 and KeptWeights(tmp_path / "nets" / "weights").is_sound(
        "killed", one.weights_sha256
    )
    assert [path.name for path in (tmp_path / "nets" / "training").glob("[!.]*")] == [], "the result is there"
    KeptWeights(tmp_path / "nets" / "training").sweep([])
    assert left_lying(tmp_path / "nets") == []


def searched(root: Path) -> tuple[Home, tuple[TrialRecord, ...]]:
    """A small real search, done by one worker."""
    from policysearch import Study

    data, home = write_bars(root / "bars.npz"), Home(root / "home")
    wishes: Any = {"data": str(data), "epochs": 2, "workers": 1, "sampler": "tpe", "seed": 5, "name": NAME, "home": home.root}
    outcome = Study(**wishes, **SEARCH_ALONE).run(trials=3)
    return home, outcome.trials


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Home:
    with pytest.MonkeyPatch.context() as patched:
        for name, value in UNCOMPILED.items():
            patched.setenv(name, value)
        return searched(tmp_path_factory.mktemp("done"))[0]


@pytest.fixture
def home(done: Home, tmp_path: Path) -> Home:
    shutil.copytree(done.root, tmp_path / "home")
    return Home(tmp_path / "home")


@pytest.mark.slow
@pytest.mark.parametrize("point", IN_THE_GATE)
def test_a_look_at_the_test_set_killed_there_is_finished_for_the_same_claim(point: str, home: Home) -> None:
    ledger = Ledger(home.ledger_url)
    study = ledger.study(NAME)
    assert study is not None
    assert step("gate", str(home.root), NAME, failpoint=f"{point}=kill") == -signal.SIGKILL
    claimed = ledger.claim(study.uid)
    assert claimed is not None and claimed.figure is None
    assert step("gate", str(home.root), NAME) == 0
    first = ledger.claim(study.uid)
    assert step("gate", str(home.root), NAME, failpoint=f"{point}=kill") == 0, "a figure that is there needs no other look"
    assert first is not None and first.figure is not None and ledger.claim(study.uid) == first
    assert first.models == claimed.models and ledger.looks(claimed.test_fingerprint) == 1


@pytest.mark.slow
def test_a_report_killed_half_written_is_not_there_and_leaves_nothing_once_it_is(home: Home) -> None:
    directory = home.study_directory(NAME)
    assert step("report", str(home.root), NAME, failpoint="report_half_written=kill") == -signal.SIGKILL
    assert not (directory / "report.html").exists() and len(left_lying(directory)) == 1
    assert step("report", str(home.root), NAME) == 0
    assert "</html>" in (directory / "report.html").read_text() and left_lying(directory) == []


@pytest.mark.slow
@pytest.mark.parametrize("point", IN_THE_MIRROR)
def test_a_mirror_killed_there_has_every_run_and_the_winners_model_once_in_the_end(point: str, home: Home) -> None:
    from mlflow.tracking import MlflowClient

    from policysearch.tracking.target import locate

    rebuild = ("rebuild",) if point == "run_cleared" else ()
    if rebuild:
        assert step("mirror", str(home.root), NAME) == 0
    assert step("mirror", str(home.root), NAME, *rebuild, failpoint=f"{point}=kill") == -signal.SIGKILL
    assert step("mirror", str(home.root), NAME) == 0
    ledger, client = Ledger(home.ledger_url), MlflowClient(tracking_uri=locate(home.root).tracking_uri)
    study = ledger.study(NAME)
    assert study is not None
    runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    copied = [run for run in runs if run.data.tags["policysearch.role"] != "study"]
    trials = {trial.trial_uid: trial.result for trial in ledger.trials(study.uid)}
    assert sorted(run.data.tags["policysearch.trial_uid"] for run in copied) == sorted(trials)
    for run in copied:
        result = trials[run.data.tags["policysearch.trial_uid"]]
        assert result is not None and result.score is not None
        assert run.data.metrics["final/val_error"] == result.score.wrong / result.score.total
        assert run.info.status == "FINISHED"
    models = client.search_logged_models([run.info.experiment_id for run in runs[:1]])
    assert [(model.name, str(model.status)) for model in models] == [("winner", "READY")]


@pytest.mark.slow
def test_the_same_seed_with_one_worker_gives_the_same_policies_and_the_same_counts(tmp_path: Path) -> None:
    """Byte for byte, in two homes: policies, params, errors of every epoch, bits of every image, and the weights' hashes."""

    def said(place: str) -> str:
        (tmp_path / place).mkdir()
        trials = searched(tmp_path / place)[1]
        assert all(trial.result is not None and trial.result.status == "done" for trial in trials)
        whole = [
            {
                "number": trial.number,
                "label": trial.label,
                "digest": trial.digest,
                "params": dict(trial.params),
                "policy": trial.spec["policy"],
                "result": {part: trial.result.to_dict()[part] for part in ("epochs", "score", "weights_sha256")},
            }
            for trial in trials
            if trial.result
        ]
        return json.dumps(whole, sort_keys=True)

    assert said("once") == said("again")
