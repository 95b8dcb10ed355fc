"""The gate on real arrays and real weights: the claim first, one figure, no other look, whoever is killed."""

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pytest
import torch

from policysearch import heldout
from policysearch.heldout import Entrant, disclose
from policysearch.ledger import Figure, Ledger, StudyRecord, TrialRecord, sqlite_url
from searchspaces.errors import BadInput, LookRefused
from trials.data import Prepared, Source, open_split, prepare, read_meta
from trials.data.store import SplitName
from trials.evaluate import load_model, score
from trials.models import build_model
from trials.recipes import default_recipe
from trials.values import Score, TrialResult
from trials.weights import save_weights

RECIPE = default_recipe("cpu")
CLASSES = 3
Arm: TypeAlias = Literal["winner", "baseline"]


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
    """A ledger with one study, and in a folder the weights of models that are to be looked at: two of each side."""

    ledger: Ledger
    study: StudyRecord
    data: Prepared
    folder: Path
    entrants: list[Entrant]

    @property
    def heldout(self) -> Path:
        assert self.data.heldout is not None
        return self.data.heldout

    def disclose(self, entrants: list[Entrant] | None = None, heldout_directory: Path | None = None) -> Figure:
        given = self.entrants if entrants is None else entrants
        return disclose(self.ledger, self.study, self.data.directory, heldout_directory or self.heldout, given)

    def another(self, name: str) -> "Stage":
        """A study of its own with the same models on the same images."""
        study = self.ledger.create_study(name, self.study.identity)
        stage = dataclasses.replace(self, study=study, entrants=[])
        stage.entrants = four_models(stage)
        return stage

    def entrant(self, number: int, weights: int, arm: Arm = "winner", sha256: str | None = None, **poison: bool) -> Entrant:
        """A trained model of the study; models of one `weights` have the same file."""
        path = self.folder / f"{weights}.pt"
        sha256 = sha256 or saved_net(path, seed=weights, **poison)
        return Entrant(self.add_done(number, sha256), path, "policy" if arm == "winner" else "free", arm)

    def add_done(self, number: int, weights_sha256: str | None, replicate: int | None = None) -> TrialRecord:
        uid = f"{self.study.name}-{number}"
        spec = {"trial_uid": uid, "recipe": dataclasses.asdict(RECIPE), "replicate": replicate or number}
        self.ledger.add_trial(self.study.uid, number, "confirmation", f"model {number}", {}, f"digest{number}", "", spec)
        valid = Score((True, False), ((1, 1), (0, 0)), 1.0)
        self.ledger.commit_result(TrialResult(uid, "done", score=valid, weights_sha256=weights_sha256))
        return self.ledger.trial(uid)


def four_models(stage: Stage) -> list[Entrant]:
    sides: list[Arm] = ["winner", "winner", "baseline", "baseline"]
    return [stage.entrant(number, number, arm) for number, arm in enumerate(sides, start=1)]


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
    stage = Stage(ledger, ledger.create_study("noise", {"test": data.heldout_fingerprint}), data, tmp_path, [])
    stage.entrants = four_models(stage)
    return stage


@pytest.fixture
def openings(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """One entry for each time the gate opened the test arrays: whether the claim was in the ledger by then."""
    noted: list[bool] = []

    def open_and_note(directory: Path, split: SplitName) -> Any:
        if split == "test":
            noted.append(Ledger(stage.ledger.url).claim(stage.study.uid) is not None)
        return open_split(directory, split)

    monkeypatch.setattr(heldout, "open_split", open_and_note)
    return noted


def sha256_of(entrant: Entrant) -> str:
    sha256 = entrant.trial.result.weights_sha256 if entrant.trial.result else None
    assert sha256 is not None
    return sha256


def test_the_figure_has_a_score_for_each_model_on_the_test_images(stage: Stage, openings: list[bool]) -> None:
    figure = stage.disclose()
    test = open_split(stage.heldout, "test")
    train = read_meta(stage.data.directory)  # normalised by what the nets were trained with
    nets = [load_model(each.weights_path, sha256_of(each), 1, CLASSES, RECIPE) for each in stage.entrants]
    expected = tuple(score(net, test, RECIPE, train["mean"], train["std"]) for net in nets)
    assert figure.scores == expected and len(set(expected)) > 1
    assert (figure.wrong, figure.total, figure.score) == (expected[0].wrong, 300, expected[0])
    assert figure.test_fingerprint == test.fingerprint == stage.data.heldout_fingerprint
    assert [(each["label"], each["arm"], each["replicate"]) for each in figure.models] == [
        *(("policy", "winner", seed) for seed in (1, 2)),
        *(("free", "baseline", seed) for seed in (3, 4)),
    ]
    assert [each["weights_sha256"] for each in figure.models] == list(map(sha256_of, stage.entrants))
    assert (figure.looks_before, figure.level, figure.baseline_label, figure.study_uid) == (0, 0.025, "free", stage.study.uid)
    assert openings == [True]


def test_a_model_is_scored_by_the_views_of_its_own_recipe(stage: Stage) -> None:
    (first, *_) = stage.entrants
    by_views = dataclasses.replace(RECIPE, views="hflip")
    trial = dataclasses.replace(first.trial, spec=first.trial.spec | {"recipe": dataclasses.asdict(by_views)})
    figure = stage.disclose([dataclasses.replace(first, trial=trial)])
    net, test = load_model(first.weights_path, sha256_of(first), 1, CLASSES, RECIPE), open_split(stage.heldout, "test")
    train = read_meta(stage.data.directory)
    assert figure.score == score(net, test, RECIPE, train["mean"], train["std"], "hflip")
    assert figure.score != score(net, test, RECIPE, train["mean"], train["std"])


def test_asking_again_gives_the_recorded_figure_without_another_look(stage: Stage, openings: list[bool]) -> None:
    figure = stage.disclose()
    for entrant in stage.entrants:
        entrant.weights_path.unlink()
    assert stage.disclose() == figure
    assert openings == [True]


def test_an_interrupted_claim_is_finished_for_the_same_list(
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
    other = stage.entrant(9, 9)
    with pytest.raises(LookRefused, match=r"claimed for 4 models of which number 1 is policy .*asked now for 1 model of which"):
        stage.disclose([other])
    assert stage.disclose().models == claim.models
    assert openings == [True, True]


def test_another_list_is_refused_without_a_look(stage: Stage, openings: list[bool]) -> None:
    figure = stage.disclose()
    other = stage.entrant(9, 9)
    lists = ([other], stage.entrants[:2], stage.entrants[::-1], [*stage.entrants, other], [other, *stage.entrants[1:]])
    for entrants in lists:
        with pytest.raises(LookRefused, match=r"'noise'.*spent on 4 models.*asked now for [1245] model"):
            stage.disclose(entrants)
    assert openings == [True]
    assert stage.disclose() == figure


def test_looks_by_other_studies_are_counted(stage: Stage) -> None:
    stage.disclose()
    second = stage.another("second").disclose()
    assert (second.looks_before, second.level) == (1, 0.0125)
    assert stage.disclose().looks_before == 0


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: saved_net(path, seed=99)])
def test_weights_that_are_not_the_recorded_ones_leave_the_look_unspent(stage: Stage, openings: list[bool], spoil: Any) -> None:
    spoil(stage.entrants[-1].weights_path)
    with pytest.raises(BadInput, match=r"4.pt: .*; ") as caught:
        stage.disclose()
    assert "\n" not in str(caught.value)
    assert stage.ledger.claim(stage.study.uid) is None and openings == []


def test_a_machine_that_cannot_follow_a_recipe_leaves_the_look_unspent(stage: Stage) -> None:
    recipe = dataclasses.asdict(RECIPE) | {"model": "unknown here"}
    last = stage.entrants[-1]
    odd = dataclasses.replace(last, trial=dataclasses.replace(last.trial, spec=last.trial.spec | {"recipe": recipe}))
    with pytest.raises(BadInput, match="unknown here"):
        stage.disclose([*stage.entrants[:-1], odd])
    assert stage.ledger.claim(stage.study.uid) is None


def test_missing_test_images_leave_the_look_unspent(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"test images .*none: not there"):
        stage.disclose(heldout_directory=tmp_path / "none")
    assert stage.ledger.claim(stage.study.uid) is None


def test_a_model_without_weights_or_of_another_study_is_refused(stage: Stage) -> None:
    bare = stage.add_done(9, None)
    with pytest.raises(BadInput, match="kept no weights"):
        stage.disclose([dataclasses.replace(stage.entrants[0], trial=bare)])
    with pytest.raises(ValueError, match="not of study noise"):
        stage.disclose([*stage.entrants[:-1], stage.another("other").entrants[0]])
    assert stage.ledger.claim(stage.study.uid) is None


def test_changed_test_images_give_no_figure(stage: Stage, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(stage.heldout, copy)
    labels = np.load(copy / "test_labels.npy")
    (copy / "test_labels.npy").chmod(0o644)
    np.save(copy / "test_labels.npy", labels[::-1])
    with pytest.raises(BadInput, match="not those that were claimed"):
        stage.disclose(heldout_directory=copy)
    claim = stage.ledger.claim(stage.study.uid)
    assert claim is not None and claim.figure is None
    assert stage.disclose().total == 300  # the same claim, on the images it was laid for


def test_a_net_whose_outputs_are_not_finite_leaves_the_look_unspent(stage: Stage, openings: list[bool]) -> None:
    sick = stage.entrant(9, 9, "baseline", poison=True)
    with pytest.raises(BadInput, match=r"trial 9 \(model 9\): .*not finite.*stays closed"):
        stage.disclose([*stage.entrants, sick])
    assert stage.ledger.claim(stage.study.uid) is None and openings == []


def test_a_claim_ends_with_a_figure_even_if_a_net_has_nothing_finite_to_say(stage: Stage) -> None:
    sick = stage.entrant(9, 9, "baseline", poison=True)
    stage.ledger.claim_test(stage.study.uid, stage.study.identity["test"], [heldout._frozen(stage.study, sick)])
    figure = stage.disclose([sick])
    assert figure.wrong == 200  # all classes are equally likely to it, and one in three images is of the first
    assert stage.ledger.facts(stage.study.uid) == {heldout.SILENT: {sick.trial.trial_uid: 300}}


@pytest.mark.slow
def test_racing_processes_that_are_killed_never_make_two_figures(stage: Stage) -> None:
    report = race(stage, races=2, processes=12, seed=5)
    assert report["two_figures"] == report["claims_without_a_figure"] == report["wrong_figures"] == 0
    assert report["killed"] > 0 and report["refused"] > 0
    assert report["races"] == 2


@pytest.mark.slow
def test_ten_races_of_fifty_processes_with_random_kills_end_with_one_figure_each(stage: Stage) -> None:
    report = race(stage, races=10, processes=50, seed=11)
    assert report["two_figures"] == report["claims_without_a_figure"] == report["wrong_figures"] == 0
    assert report["races"] == 10 and report["killed"] >= 50 and report["refused"] > 0


@pytest.mark.slow
def test_two_races_over_a_server_end_with_one_figure_each(stage: Stage, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue("postgres_server").new_database()
    report = race(stage, races=2, processes=20, seed=3, storage=url)
    assert report["two_figures"] == report["claims_without_a_figure"] == report["wrong_figures"] == 0
    assert report["races"] == 2 and report["killed"] > 0


def race(stage: Stage, races: int, processes: int, seed: int, storage: str | None = None) -> dict[str, Any]:
    racer = Path(__file__).with_name("heldout_racer.py")
    sizes = ["--races", str(races), "--processes", str(processes), "--seed", str(seed)]
    where = ["--data", str(stage.data.directory), "--heldout", str(stage.heldout), *(["--storage", storage] if storage else [])]
    done = subprocess.run([sys.executable, str(racer), *sizes, *where], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_only_the_gate_opens_the_test_split() -> None:
    root = Path(heldout.__file__).parents[1]
    sources = [
        path for package in ("searchspaces", "trials", "policysearch", "dashboards") for path in (root / package).rglob("*.py")
    ]
    openers = [path.name for path in sources if re.search(r"""open_split\([^)]*["']test["']""", path.read_text())]
    assert openers == ["heldout.py"]
