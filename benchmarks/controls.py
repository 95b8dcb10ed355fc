"""Two controls of the whole of a study, on real images: one where searching must pay, and one where it can't.

    python benchmarks/controls.py [positive|negative|both] [--small] [--home DIR] [--seed 0]

Both are studies as a user runs them, with calibration, finalists and one look at the test images, on images of Fashion-MNIST
(Debian's dataset-fashion-mnist) at half their size, 14 x 14: so 20,000 of them, which have a second validation part, train
quickly.

positive: validation and test images are turned, each by an angle uniform on [-30, 30] degrees; training images are as they were.
What is searched is how far to turn: 1 to 3 turns an image, each by at most 7.5, 15 or 30 degrees. None of the five baselines
turns every image so. There are few validation images, for the tested models are trained on them too. The verdict must be
"better", and the turns of the winner must reach 30 degrees.

negative: all policies are the same but for a shift of brightness by at most one grey level of 255, so that trainings differ by
chance alone. No such policy may be called "better" than the baselines, of which flip+crop is the same again.

The last line is what came of it, as JSON; the exit status says whether it is as it must be.
"""

import argparse
import gzip
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from policysearch import Study
from policysearch.drivers import Event

if TYPE_CHECKING:
    from policysearch.search import Outcome

IMAGES = Path("/usr/share/datasets/fashion-mnist")
TURN_DEGREES = 30.0
LARGEST_TURN_DEGREES = 30.0  # of the op in the mixture family, at its full strength
TURNS = {
    "space": "mixture:ops=rotate",
    "parameters": {"strength": {"choices": [0.25, 0.5, 1.0]}, "rotate.weight_log10": 0.0},
}
# A shift of at most one grey level: the family's reach is 64.
NOTHING = {
    "space": "photometric",
    "parameters": {
        "brightness_shift.centre": 0.0,
        "brightness_shift.half_width": {"low": 0.25, "high": 1.0},
        "brightness_shift.probability": {"low": 0.25, "high": 1.0},
        **{f"contrast_about_128.{name}": value for name, value in (("centre", 1.0), ("half_width", 0.0), ("probability", 0.0))},
        **{f"gamma.{name}": value for name, value in (("centre", 1.0), ("half_width", 0.0), ("probability", 0.0))},
    },
}


@dataclass(frozen=True)
class Size:
    """How large a control is: images of each split, and what the study may train."""

    train: int
    val: int
    test: int
    epochs: int
    trials: int
    finalists: int
    seeds: int
    calibrate: bool = True


FULL = Size(19_400, 600, 6000, epochs=6, trials=9, finalists=2, seeds=5)
SMALL = {
    "positive": Size(19_800, 200, 3000, epochs=2, trials=4, finalists=1, seeds=2, calibrate=False),
    "negative": Size(600, 300, 2000, epochs=2, trials=2, finalists=1, seeds=2),  # without a second validation part: on folds
}


def turned(images: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Each image turned about its middle by an angle of its own, with black where it was not."""
    angles = generator.uniform(-TURN_DEGREES, TURN_DEGREES, len(images))
    turns = [Image.fromarray(image).rotate(angle, Image.Resampling.BILINEAR) for image, angle in zip(images, angles, strict=True)]
    return np.stack([np.asarray(image) for image in turns])


def write_images(
    path: Path, size: Size, seed: int, shift: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None
) -> Path:
    """Some images of each split as a .npz; those of validation and test shifted."""
    generator = np.random.default_rng(seed)
    (images, labels), (test_images, test_labels) = read("train"), read("t10k")
    rows = generator.permutation(len(labels))
    parts = {
        "train": (images, labels, rows[: size.train]),
        "val": (images, labels, rows[size.train : size.train + size.val]),
        "test": (test_images, test_labels, generator.permutation(len(test_labels))[: size.test]),
    }
    arrays: dict[str, Any] = {}
    for name, (pixels, classes, chosen) in parts.items():
        plain = pixels[chosen]
        arrays[f"{name}_images"] = halved(plain if shift is None or name == "train" else shift(plain, generator))
        arrays[f"{name}_labels"] = classes[chosen].astype(np.int64)
    np.savez(path, **arrays)
    return path


def halved(images: np.ndarray) -> np.ndarray:
    """At half the size: each pixel is the mean of four."""
    means: np.ndarray = images.reshape(len(images), 14, 2, 14, 2).mean(axis=(2, 4))
    return np.round(means).astype(np.uint8)


def read(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of one of the two files."""
    pixels = np.frombuffer(gzip.decompress((IMAGES / f"{name}-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16)
    labels = np.frombuffer(gzip.decompress((IMAGES / f"{name}-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8)
    return pixels.reshape(-1, 28, 28), labels


def control(space: Mapping[str, Any], data: Path, size: Size, home: Path, name: str, seed: int, hear: Any = None) -> "Outcome":
    """The study, to its verdict. A budget found too short is told and gone on with: what is asked here is another question."""
    study = Study(
        *(data, space),
        epochs=size.epochs,
        sampler="random",
        seed=seed,
        name=name,
        home=home,
        calibrate=size.calibrate,
        any_budget=True,
        finalists=size.finalists,
        finalist_seeds=size.seeds,
    )
    return study.run(size.trials, hear, test=True)


def positive(home: Path, size: Size, seed: int, hear: Any = None) -> dict[str, Any]:
    """Whether a gain that is there is found, and where."""
    data = write_images(home / "turned.npz", size, seed, turned)
    outcome = control(TURNS, data, size, home, "positive", seed, hear)
    found = _found(outcome)
    params = found["params"]
    reach = LARGEST_TURN_DEGREES * params.get("strength", 0.0) * params.get("ops", 0)
    return found | {"reach_degrees": reach, "holds": found["verdict"] == "better" and reach >= TURN_DEGREES}


def negative(home: Path, size: Size, seed: int, hear: Any = None) -> dict[str, Any]:
    """Whether a gain that is not there is found all the same."""
    data = write_images(home / "plain.npz", size, seed, None)
    found = _found(control(NOTHING, data, size, home, "negative", seed, hear))
    return found | {"holds": found["verdict"] != "better"}


def _found(outcome: "Outcome") -> dict[str, Any]:
    judgement = outcome.judgement
    verdict, winner = judgement.verdict, judgement.winner
    return {
        "verdict": verdict.kind,
        "sentence": verdict.sentence,
        "winner": None if winner is None else winner.label,
        "params": {} if winner is None else dict(winner.params),
        "trainings": len(outcome.trials),
    }


CONTROLS = {"positive": positive, "negative": negative}


def main() -> int:
    """Run the controls that are wished, and say what came of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", nargs="?", default="both", choices=(*CONTROLS, "both"))
    parser.add_argument("--small", action="store_true", help="a size for tests")
    parser.add_argument("--home", type=Path, help="where to keep the studies (default: a folder that is deleted)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    def hear(event: Event) -> None:
        if event.kind == "note" or (event.kind == "finished" and event.total):
            error = "" if event.kind == "note" or not event.total else f": {100 * (event.wrong or 0) / event.total:.1f} % wrong"
            print(f"{event.text or event.label}{error}", flush=True)

    with tempfile.TemporaryDirectory() as temporary:
        home = options.home or Path(temporary)
        home.mkdir(parents=True, exist_ok=True)
        names = CONTROLS if options.which == "both" else [options.which]
        found = {name: CONTROLS[name](home, SMALL[name] if options.small else FULL, options.seed, hear) for name in names}
    print(json.dumps(found))
    return 0 if all(one["holds"] for one in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
