"""The gate on real arrays and real weights: the claim first, one figure, no other look, whoever is killed."""

import dataclasses
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from policysearch import heldout
from policysearch.heldout import disclose
from policysearch.ledger import Figure, Ledger, StudyRecord, TrialRecord, sqlite_url
from searchspaces.errors import BadInput, LookRefused
from trials.data import Prepared, Source, open_split, prepare, read_meta
from trials.evaluate import load_model, score
from trials.models import build_model
from trials.recipes import default_recipe
from trials.values import Score, TrialResult
from trials.weights import save_weights

RECIPE = default_recipe("cpu")
CLASSES = 3


def prepared(folder: Path, seed: int) -> Prepared:
    generator = np.random.default_rng(seed)
    arrays: dict[str, np.ndarray] = {}
    for split, images in (("train", 60), ("val", 30), ("test", 300)):
        arrays[f"{split}_images"] = generator.integers(0, 256, (images, 12, 12), dtype=np.uint8)
        arrays[f"{split}_labels"] = np.arange(images) % CLASSES
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "noise.npz", allow_pickle=False, **arrays)
    return prepare(Source(data=str(folder / "noise.npz")), folder / "home")


@dataclasses.dataclass
class Stage:
    """A ledger with one study, whose winner's weights are in a file."""

    ledger: Ledger
    study: StudyRecord
    data: Prepared
    weights: Path
    winner: TrialRecord

    @property
    def heldout(self) -> Path:
        assert self.data.heldout is not None
        return self.data.heldout

    def disclose(self, **changes: Any) -> Figure:
        asked: dict[str, Any] = {"heldout_directory": self.heldout, "weights_path": self.weights, "winner": self.winner} | changes
        return disclose(self.ledger, self.study, **asked)

    def add_done(self, study: StudyRecord, number: int, weights_sha256: str | None) -> TrialRecord:
        uid = f"{study.name}-{number}"
        spec = {"trial_uid": uid, "recipe": dataclasses.asdict(RECIPE)}
        self.ledger.add_trial(study.uid, number, "trial", f"policy {number}", {}, f"digest{number}", "", spec)
        valid = Score((True, False), ((1, 1), (0, 0)), 1.0)
        self.ledger.commit_result(TrialResult(uid, "done", score=valid, weights_sha256=weights_sha256))
        return self.ledger.trial(uid)


def saved_net(path: Path, seed: int, poison: bool = False) -> str:
    net = build_model(RECIPE.model, 1, CLASSES, torch.Generator().manual_seed(seed))
    if poison:
        with torch.no_grad():
            next(net.parameters()).fill_(float("nan"))
    return save_weights(net, path)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepared(tmp_path_factory.mktemp("data"), seed=1)


@pytest.fixture
def stage(tmp_path: Path, data: Prepared) -> Stage:
    ledger = Ledger.open(sqlite_url(tmp_path / "ledger.sqlite"))
    study = ledger.create_study("noise", {})
    stage = Stage(ledger, study, data, tmp_path / "weights.pt", None)  # type: ignore[arg-type]  # added in the next line
    stage.winner = stage.add_done(study, 0, saved_net(stage.weights, seed=3))
    return stage


@pytest.fixture
def openings(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """One entry for each time the gate opened the test arrays: whether the claim was in the ledger by then."""
    noted: list[bool] = []

    def open_and_note(*arguments: Any) -> Any:
        noted.append(Ledger(stage.ledger.url).claim(stage.study.uid) is not None)
        return open_split(*arguments)

    monkeypatch.setattr(heldout, "open_split", open_and_note)
    return noted


def test_the_figure_is_the_winners_on_the_test_images(stage: Stage, openings: list[bool]) -> None:
    figure = stage.disclose()
    test = open_split(stage.heldout, "test")
    sha256 = stage.winner.result.weights_sha256 if stage.winner.result else None
    assert sha256 is not None
    train = read_meta(stage.data.directory)  # normalised by what the net was trained with
    expected = score(load_model(stage.weights, sha256, 1, CLASSES, RECIPE), test, RECIPE, train["mean"], train["std"])
    assert figure.score == expected and (figure.wrong, figure.total) == (expected.wrong, 300)
    assert figure.test_fingerprint == test.fingerprint == stage.data.heldout_fingerprint
    assert figure.models == ({"trial_uid": "noise-0", "label": "policy 0", "weights_sha256": sha256},)
    assert figure.looks_before == 0 and figure.study_uid == stage.study.uid
    assert openings == [True]


def test_asking_again_gives_the_recorded_figure_without_another_look(stage: Stage, openings: list[bool]) -> None:
    figure = stage.disclose()
    stage.weights.unlink()
    assert stage.disclose() == figure
    assert openings == [True]


def test_an_interrupted_claim_is_finished_for_the_same_models(
    stage: Stage, openings: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "commit_figure", die)
        with pytest.raises(Killed):
            stage.disclose()
    claim = stage.ledger.claim(stage.study.uid)
    assert claim is not None and claim.figure is None
    other = stage.add_done(stage.study, 1, saved_net(stage.weights.with_name("other.pt"), seed=4))
    with pytest.raises(LookRefused, match=r"claimed for policy 0 .*asked now for policy 1"):
        stage.disclose(winner=other, weights_path=stage.weights.with_name("other.pt"))
    assert stage.disclose().models == claim.models
    assert openings == [True, True]


def test_another_model_or_other_images_are_refused_without_a_look(stage: Stage, openings: list[bool], tmp_path: Path) -> None:
    figure = stage.disclose()
    other = stage.add_done(stage.study, 1, saved_net(tmp_path / "other.pt", seed=4))
    with pytest.raises(LookRefused, match=r"'noise'.*spent on policy 0"):
        stage.disclose(winner=other, weights_path=tmp_path / "other.pt")
    with pytest.raises(LookRefused, match="test images"):
        stage.disclose(heldout_directory=prepared(tmp_path / "others", seed=2).heldout)
    assert openings == [True]
    assert stage.disclose() == figure


def test_looks_by_other_studies_are_counted(stage: Stage) -> None:
    stage.disclose()
    second = stage.ledger.create_study("second", {})
    winner = stage.add_done(second, 0, saved_net(stage.weights, seed=3))
    assert disclose(stage.ledger, second, stage.heldout, stage.weights, winner).looks_before == 1
    assert stage.disclose().looks_before == 0


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: saved_net(path, seed=9)])
def test_weights_that_are_not_the_winners_leave_the_look_unspent(stage: Stage, openings: list[bool], spoil: Any) -> None:
    spoil(stage.weights)
    with pytest.raises(BadInput, match=r"weights.pt: .*; ") as caught:
        stage.disclose()
    assert "\n" not in str(caught.value)
    assert stage.ledger.claim(stage.study.uid) is None and openings == []


def test_a_machine_that_cannot_follow_the_recipe_leaves_the_look_unspent(stage: Stage) -> None:
    recipe = dataclasses.asdict(RECIPE) | {"model": "unknown here"}
    with pytest.raises(BadInput, match="unknown here"):
        stage.disclose(winner=dataclasses.replace(stage.winner, spec=stage.winner.spec | {"recipe": recipe}))
    assert stage.ledger.claim(stage.study.uid) is None


def test_missing_test_images_leave_the_look_unspent(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not prepared data"):
        stage.disclose(heldout_directory=tmp_path / "none")
    assert stage.ledger.claim(stage.study.uid) is None


def test_a_winner_without_weights_or_of_another_study_is_refused(stage: Stage) -> None:
    with pytest.raises(BadInput, match="kept no weights"):
        stage.disclose(winner=stage.add_done(stage.study, 1, None))
    other = stage.ledger.create_study("other", {})
    with pytest.raises(ValueError, match="not of study noise"):
        stage.disclose(winner=stage.add_done(other, 0, "ab"))
    assert stage.ledger.claim(stage.study.uid) is None


def test_changed_test_images_give_no_figure(stage: Stage, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(stage.heldout, copy)
    labels = np.load(copy / "test_labels.npy")
    (copy / "test_labels.npy").chmod(0o644)
    np.save(copy / "test_labels.npy", labels[::-1])
    with pytest.raises(BadInput, match="changed since they were prepared"):
        stage.disclose(heldout_directory=copy)
    assert stage.disclose().total == 300  # the same claim, on the images it was laid for


def test_a_net_that_gives_no_finite_outputs_gets_no_figure(stage: Stage) -> None:
    sick = stage.add_done(stage.study, 1, saved_net(stage.weights, seed=5, poison=True))
    with pytest.raises(BadInput, match="not finite"):
        stage.disclose(winner=sick)
    claim = stage.ledger.claim(stage.study.uid)
    assert claim is not None and claim.figure is None


def test_racing_processes_that_are_killed_never_make_two_figures(stage: Stage, tmp_path: Path) -> None:
    sha256 = saved_net(stage.weights, seed=3)
    stages = [dataclasses.replace(stage, study=stage.ledger.create_study(f"race {number}", {})) for number in range(6)]
    for each in stages:
        each.winner = each.add_done(each.study, 0, sha256)
    stage.disclose()
    racer = Path(__file__).with_name("heldout_racer.py")
    command = [sys.executable, str(racer), stage.ledger.url, str(stage.heldout), str(stage.weights), "5"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    codes = list(map(int, output.split()))
    assert codes[3:] == [0, 0] and set(codes[:3]) <= {0, -9} and -9 in codes
    figures = [each.disclose() for each in stages]
    connection = sqlite3.connect(tmp_path / "ledger.sqlite")
    assert connection.execute("SELECT count(*), count(DISTINCT study_uid) FROM figure").fetchall() == [(7, 7)]
    assert connection.execute("SELECT count(*), count(DISTINCT study_uid) FROM claim").fetchall() == [(7, 7)]
    connection.close()
    assert sorted(figure.looks_before for figure in figures) == list(range(1, 7))
    assert len({figure.score for figure in figures}) == 1  # the same weights on the same images, in whichever process


def test_only_the_gate_opens_the_test_split() -> None:
    root = Path(heldout.__file__).parents[1]
    sources = [
        path for package in ("searchspaces", "trials", "policysearch", "dashboards") for path in (root / package).rglob("*.py")
    ]
    openers = [path.name for path in sources if re.search(r"""open_split\([^)]*["']test["']""", path.read_text())]
    assert openers == ["heldout.py"]
