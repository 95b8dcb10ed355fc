"""Trials on photos of unlike sizes: the same spec gives the same result, crops see whole photos, scores centre crops."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from searchspaces.policy import Base, PadCrop, Policy, ResizedCrop
from trials.data import Prepared, Source, open_parts, prepare
from trials.recipes import default_recipe
from trials.run import run_trial
from trials.values import DataRef, TrialResult, TrialSpec

CROPPED = Policy(Base(crop=ResizedCrop(), hflip=0.5, interpolation="bilinear"))
PADDED = Policy(Base(crop=PadCrop(0.125), hflip=0.5))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, generator = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for split, count in (("train", 24), ("val", 10), ("test", 4)):
        for level, name in ((90, "dim"), (130, "lit")):
            (root / split / name).mkdir(parents=True)
            for index in range(count):
                height, width = generator.integers(16, 40, 2)
                levels = generator.integers(level - 60, level + 60, (height, width, 3), dtype=np.uint8)
                Image.fromarray(levels).save(root / split / name / f"{index}.jpg", quality=90)
    return root


def prepared(photos: Path, home: Path, most_pixel_bytes: int = 1 << 30) -> Prepared:
    return prepare(Source(str(photos), image_size=16), home, most_pixel_bytes=most_pixel_bytes)


def trained(data: Prepared, policy: Policy, split: str = "search") -> TrialResult:
    recipe = dataclasses.replace(default_recipe("cpu"), batch_images=16)
    spec = TrialSpec("t0", policy, recipe, DataRef(str(data.directory), data.fingerprint), seed=3, budget_epochs=2, split=split)
    result = run_trial(spec, lambda epoch: None, None)
    assert result.status == "done", result.error
    return result


def same(one: TrialResult, other: TrialResult) -> bool:
    return (one.epochs, one.score) == (other.epochs, other.score)


def test_the_same_spec_gives_the_same_result(photos: Path, tmp_path: Path) -> None:
    for most_pixel_bytes in (1 << 30, 0):
        data = prepared(photos, tmp_path / "home", most_pixel_bytes)
        assert open_parts(data.directory, "search")[0].whole is not None
        assert same(trained(data, CROPPED), trained(data, CROPPED))


@pytest.mark.parametrize("split", ["fold-1", "all"])
def test_folds_and_all_train_on_whole_photos_too(split: str, photos: Path, tmp_path: Path) -> None:
    data = prepared(photos, tmp_path / "home")
    assert same(trained(data, CROPPED, split), trained(data, CROPPED, split))


def test_without_a_resized_crop_training_is_what_it_was_on_centre_crops(photos: Path, tmp_path: Path) -> None:
    """The same centre crops as an array of one size, as they were before photos were kept whole: bit for bit."""
    data = prepared(photos, tmp_path / "home")
    arrays = dict[str, np.ndarray]()
    for name, part in zip(("train", "val"), open_parts(data.directory, "search"), strict=True):
        arrays |= {f"{name}_images": part.images.transpose(0, 2, 3, 1), f"{name}_labels": part.labels}
    arrays |= {"test_images": arrays["val_images"], "test_labels": arrays["val_labels"]}
    np.savez(tmp_path / "cut.npz", allow_pickle=False, **arrays)
    cut = prepare(Source(str(tmp_path / "cut.npz"), duplicates="report"), tmp_path / "home")
    assert same(trained(data, PADDED), trained(cut, PADDED))
    assert not same(trained(data, CROPPED), trained(cut, CROPPED))
