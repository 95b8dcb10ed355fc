"""Fine-tuning on the shipped sample: a backbone that has learned other classes beats a start from chance, in a tiny budget.

Everything is a trial as a study runs it: recipe, spec, weights file.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import trials.data
from searchspaces.errors import BadInput
from searchspaces.policy import Policy
from trials.data import Prepared, Source, prepare
from trials.models import build_model
from trials.models.asked import read_model
from trials.models.pretrained import weights_sha256
from trials.run import run_trial
from trials.seeds import torch_generator
from trials.values import DataRef, Recipe, TrialResult, TrialSpec
from trials.weights import save_weights

SAMPLE = Path(trials.data.__file__).parent / "sample" / "fashion-mnist-sample.npz"
OTHER_CLASSES = (1, 3, 5, 6, 7, 9)
NEW_CLASSES = (0, 2, 4, 8)  # T-shirt, pullover, coat, bag
NAME = "resnet9:width=8"


def prepared(home: Path, classes: tuple[int, ...], images: int) -> Prepared:
    """The sample's images of these classes, numbered anew: so many to train on."""
    arrays: dict[str, np.ndarray] = {}
    with np.load(SAMPLE) as sample:
        for split, most in (("train", images), ("val", 300), ("test", 10 * len(classes))):
            rows = np.flatnonzero(np.isin(sample[f"{split}_labels"], classes))[:most]
            arrays[f"{split}_images"] = sample[f"{split}_images"][rows]
            arrays[f"{split}_labels"] = np.searchsorted(classes, sample[f"{split}_labels"][rows])
    file = home / f"{len(classes)}-classes.npz"
    np.savez(file, allow_pickle=False, **arrays)
    return prepare(Source(data=str(file)), home)


def trained(data: Prepared, recipe: Recipe, epochs: int, weights: Path | None = None, seed: int = 1) -> TrialResult:
    place = DataRef(str(data.directory), data.fingerprint)
    result = run_trial(TrialSpec("t", Policy(), recipe, place, seed, epochs), lambda epoch: None, weights)
    assert result.status == "done", result.error
    return result


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights that have learned nothing yet."""
    file = tmp_path_factory.mktemp("backbone") / "backbone.pt"
    save_weights(build_model(NAME, 1, len(OTHER_CLASSES), torch_generator("backbone")), file)
    return file


def plain() -> Recipe:
    return Recipe(model=NAME, batch_images=32)


def tuned(backbone: Path) -> Recipe:
    sha256 = weights_sha256(str(backbone), read_model(NAME))
    return replace(plain(), weights=str(backbone), weights_sha256=sha256, frozen_stages=2)


@pytest.mark.slow
def test_it_beats_the_same_budget_from_chance(tmp_path: Path) -> None:
    learned = tmp_path / "learned.pt"
    trained(prepared(tmp_path, OTHER_CLASSES, 1200), replace(plain(), peak_learning_rate=0.1), 5, learned)
    data = prepared(tmp_path, NEW_CLASSES, 64)

    def wrong(recipe: Recipe) -> list[int]:
        return [trained(data, recipe, 3, seed=seed).epochs[-1].wrong for seed in range(3)]

    from_chance, whole_rate = wrong(plain()), wrong(tuned(learned))
    lower_rate = wrong(replace(tuned(learned), trunk_learning_rate_factor=0.3))
    assert max(whole_rate) < min(from_chance), (whole_rate, from_chance)
    assert sum(whole_rate) < 0.7 * sum(from_chance), (whole_rate, from_chance)
    assert sum(lower_rate) < 0.85 * sum(from_chance), (lower_rate, from_chance)


def test_frozen_stages_stay_as_they_were_statistics_too(backbone: Path, tmp_path: Path) -> None:
    data = prepared(tmp_path, NEW_CLASSES, 64)
    trained(data, replace(tuned(backbone), ema_decay=0.5), 2, tmp_path / "tuned.pt")
    before, after = (torch.load(file, weights_only=True) for file in (backbone, tmp_path / "tuned.pt"))
    moved = {name.partition(".")[0] for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert moved == {"layer2", "layer3", "head"}


def test_a_trial_whose_weights_are_gone_or_changed_is_refused(backbone: Path, tmp_path: Path) -> None:
    data = prepared(tmp_path, NEW_CLASSES, 64)
    with pytest.raises(BadInput, match="is not the study's"):
        trained(data, replace(tuned(backbone), weights_sha256="0" * 64), 1)
    with pytest.raises(BadInput, match="can't be read"):
        trained(data, replace(tuned(backbone), weights=str(tmp_path / "gone.pt")), 1)


def test_a_net_that_drops_values_gives_the_same_trial_twice(tmp_path: Path) -> None:
    data = prepared(tmp_path, NEW_CLASSES, 64)
    recipe = replace(plain(), model="wideresnet-16:k=1,dropout=0.3")
    one = trained(data, recipe, 1)
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(torch.Generator().manual_seed(99).get_state())
        same = trained(data, recipe, 1)
    assert (one.epochs, one.score) == (same.epochs, same.score)
    assert one.epochs != trained(data, replace(recipe, model="wideresnet-16:k=1"), 1).epochs
