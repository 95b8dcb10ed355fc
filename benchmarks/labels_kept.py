"""What the plain net and the nearest neighbours say breaks labels: digits that must be caught, photos that must be left alone.

Digits are scikit-learn's (1,797, scanned, 8 x 8, enlarged to 28 x 28), split anew for each seed, and drawn ones in matplotlib's
fonts; photos the shipped sample of Fashion-MNIST and, where $POLICYSEARCH_DATA_ROOT holds it, CIFAR-10 (4,000 training images).
Prints what breaks and what a RandAugment and a TrivialAugment space would lose. `python benchmarks/labels_kept.py [--seeds 3]`
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from policysearch.setting import Setting
from policysearch.trimming import concerning, cut_of, strengths_to_ask, what_breaks
from searchspaces.families.fixed import baselines
from searchspaces.policy import Policy
from searchspaces.spaces import PHOTO_BASE, build_space
from trials.data import Prepared, Source, open_split, prepare, read_meta
from trials.evaluate import load_model
from trials.label_keeping import kept_labels
from trials.recipes import default_recipe
from trials.run import run_trial
from trials.values import DataRef, TrialSpec

SIDE = 28
FONTS = [f"DejaVu{face}.ttf" for face in ("Sans", "Sans-Bold", "SansMono", "SansMono-Bold", "Serif", "Serif-Bold")]


def main() -> None:
    """A training and a look for each data set and seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--only", default="", help="the data sets whose names begin so")
    wishes = parser.parse_args()
    root = os.environ.get("POLICYSEARCH_DATA_ROOT")
    with tempfile.TemporaryDirectory() as home:
        for name in ("scanned digits", "drawn digits", "sample", *(("cifar10",) if root else ())):
            for seed in range(wishes.seeds) if name.startswith(wishes.only) else ():
                look(name, seed, wishes.epochs, prepare(source(name, seed, Path(home), root), Path(home)), Path(home))


def source(name: str, seed: int, folder: Path, root: str | None) -> Source:
    """The data set of that name, split by the seed."""
    if name == "cifar10":
        return Source("cifar10", root, 64, 4000, 2000, None, seed)
    if name == "sample":
        return Source("sample", seed=seed)
    images, labels = scanned_digits() if name == "scanned digits" else drawn_digits(seed)
    order = np.random.default_rng(seed).permutation(len(labels))
    parts = zip(("train", "val", "test"), np.split(order, [1100, 1600]), strict=True)
    path = folder / f"{name.replace(' ', '-')}-{seed}.npz"
    arrays: dict[str, Any] = {}
    for part, rows in parts:
        arrays |= {f"{part}_images": images[rows], f"{part}_labels": labels[rows]}
    np.savez(path, **arrays)
    return Source(str(path), seed=seed)


def scanned_digits() -> tuple[np.ndarray, np.ndarray]:
    """UCI's optical digits as scikit-learn ships them, enlarged."""
    from sklearn.datasets import load_digits  # type: ignore[import-untyped]  # it comes with mlflow

    found = load_digits()
    small = [Image.fromarray((levels * 15.9375).astype(np.uint8)) for levels in found.images]
    return np.stack([np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) for image in small]), found.target


def drawn_digits(seed: int, count: int = 1800) -> tuple[np.ndarray, np.ndarray]:
    """Digits in six fonts, of many sizes, slanted a little and moved, with noise."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 10
    return np.stack([_drawn(str(label), generator) for label in labels]), labels


def _drawn(text: str, generator: np.random.Generator) -> np.ndarray:
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    font = ImageFont.truetype(folder / FONTS[generator.integers(len(FONTS))], int(generator.integers(18, 27)))
    image = Image.new("L", (SIDE, SIDE))
    place = (SIDE / 2 + generator.uniform(-2, 2), SIDE / 2 + generator.uniform(-2, 2))
    ImageDraw.Draw(image).text(place, text, fill=int(generator.integers(160, 256)), font=font, anchor="mm")
    image = image.rotate(float(generator.uniform(-10, 10)), Image.Resampling.BILINEAR)
    return np.clip(np.asarray(image) + generator.normal(0, 8, (SIDE, SIDE)), 0, 255).astype(np.uint8)


def look(name: str, seed: int, epochs: int, prepared: Prepared, folder: Path) -> None:
    """Train without augmentation, ask, tell."""
    recipe, data = default_recipe(), DataRef(str(prepared.directory), prepared.fingerprint)
    weights = folder / f"{prepared.directory.name}.pt"
    result = run_trial(TrialSpec("plain", Policy(), recipe, data, seed, epochs), lambda epoch: None, weights)
    if result.score is None or result.weights_sha256 is None:
        raise SystemExit(f"{name}, seed {seed}: {result.error}")
    settings = [
        Setting(build_space(wish, prepared.channels), baselines(prepared.channels, PHOTO_BASE), recipe, data, seed, epochs)
        for wish in ("randaugment", "trivialaugment")
    ]
    model = load_model(weights, result.weights_sha256, prepared.channels, len(prepared.classes), recipe)
    train, val, meta = (
        open_split(prepared.directory, "train"),
        open_split(prepared.directory, "val"),
        read_meta(prepared.directory),
    )
    start = time.process_time()
    table = kept_labels(model, train, val, recipe, meta["mean"], meta["std"], strengths_to_ask(settings[0]))
    seconds = time.process_time() - start
    asked = sum(map(len, table["ops"].values()))
    wrong = 100 * result.score.wrong / result.score.total
    print(
        f"{name}, seed {seed}: plain net {wrong:.1f} % wrong; {asked} strengths on {table['right']} images in {seconds:.1f} CPU s"
    )
    for sentence in what_breaks(table):
        print(f"  {sentence}")
    for setting in settings:
        print(f"  {setting.space.name} would lose: {concerning(cut_of(table), setting).words}", flush=True)


if __name__ == "__main__":
    main()
