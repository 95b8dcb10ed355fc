"""Tiny data that a net learns in seconds, prepared as a study would have them, and the spec of a trial on them."""

import dataclasses
from pathlib import Path

import numpy as np

from searchspaces.policy import Policy
from trials.data import Prepared, Source, prepare
from trials.recipes import default_recipe
from trials.values import DataRef, TrialSpec

CLASSES = 3
NONE = Policy()


def bars(images: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Noisy grey images, mirror-symmetric, whose class is the height of a bright bar."""
    labels = np.arange(images) % CLASSES
    pixels = generator.integers(0, 160, (images, 13, 13))
    for label in range(CLASSES):
        pixels[labels == label, 1 + 4 * label : 4 + 4 * label] += 60
    return np.maximum(pixels, pixels[:, :, ::-1]).astype(np.uint8), labels.astype(np.int64)


def prepared_bars(folder: Path) -> Prepared:
    """240 images to train on, 120 to validate, 30 to test."""
    generator = np.random.default_rng(5)
    arrays: dict[str, np.ndarray] = {}
    for split, images in (("train", 240), ("val", 120), ("test", 30)):
        arrays[f"{split}_images"], arrays[f"{split}_labels"] = bars(images, generator)
    np.savez(folder / "bars.npz", allow_pickle=False, **arrays)
    return prepare(Source(data=str(folder / "bars.npz")), folder / "home")


def spec_on(data: Prepared) -> TrialSpec:
    """A trial without augmentation, on the CPU."""
    recipe = dataclasses.replace(default_recipe("cpu"), batch_images=32)
    return TrialSpec("t0", NONE, recipe, DataRef(str(data.directory), data.fingerprint), seed=11, budget_epochs=3)
