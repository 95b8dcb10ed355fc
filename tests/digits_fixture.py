"""Digits that can be turned into one another: scikit-learn's, 8 x 8, enlarged to 28 x 28, as a .npz file."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits  # type: ignore[import-untyped]  # it comes with mlflow

SIDE = 28


def write_digits(path: Path, seed: int = 0) -> Path:
    """1,100 digits to train on, 500 for validation and 197 for the test, shuffled by the seed."""
    found = load_digits()
    small = [Image.fromarray((levels * 15.9375).astype(np.uint8)) for levels in found.images]
    images = np.stack([np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) for image in small])
    parts = np.split(np.random.default_rng(seed).permutation(len(images)), [1100, 1600])
    arrays: dict[str, Any] = {f"{part}_images": images[rows] for part, rows in zip(("train", "val", "test"), parts, strict=True)}
    labels: dict[str, Any] = {
        f"{part}_labels": found.target[rows] for part, rows in zip(("train", "val", "test"), parts, strict=True)
    }
    np.savez(path, **arrays, **labels)
    return path
