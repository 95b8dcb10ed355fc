"""How many of CIFAR-10's test images have near copies among its training images, found by `trials.data.copies`, against a list.

The list is ciFAIR's (Barz and Denzler 2020), meta/duplicates_cifar10.csv of github.com/cvjena/cifair: columns TestID, TrainID,
Distance, Judgment (0 exact, 1 near, 2 very similar), by people. A listed test image counts as found where any training image is
found for it. Run:

    python benchmarks/near_copies.py --data-root DIR --list duplicates_cifar10.csv [--sheet extra.png]

`--sheet` draws pairs that are found and not listed, the most alike first, for a person to judge.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

import numpy as np
from PIL import Image

from trials.data import cifar
from trials.data.copies import Pairs, digests, exact_pairs, near_within

NAMES = {0: "exact", 1: "near", 2: "very similar"}
COLUMNS, SIDE, GAP, SHOWN = 8, 64, 8, 96


def main() -> None:
    """Print the table."""
    arguments = _arguments()
    files = cifar.cifar_files(arguments.data_root)
    train, test = (cifar.read_cifar_pool(files[name]).images for name in ("train", "test"))
    started = time.perf_counter()
    exact = exact_pairs(digests(train), digests(test))
    near = near_within([train, test])
    near = near.where((near.first < len(train)) & (near.second >= len(train)))
    near = Pairs(near.first, near.second - len(train), near.likeness)
    seconds = time.perf_counter() - started
    hit = np.zeros(len(test), dtype=bool)
    hit[near.second] = True
    print(f"{len(exact)} exact pairs; {len(near)} near pairs, {hit.sum()} of {len(test)} test images; {seconds:.0f} s")
    rows = _listed(arguments.list)
    for judgement, name in NAMES.items():
        known = np.unique([test_id for test_id, _, judged in rows if judged == judgement]).astype(int)
        if len(known):
            print(f"listed as {name}: {hit[known].sum()} of {len(known)} test images found ({hit[known].mean():.1%})")
    listed = np.unique([test_id for test_id, _, _ in rows])
    extra = near.where(~np.isin(near.second, listed))
    print(f"not listed: {len(np.unique(extra.second))} test images in {len(extra)} pairs")
    if arguments.sheet is not None:
        _draw(extra, train, test, arguments.seed, arguments.sheet)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--list", type=Path, required=True)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--seed", type=int, default=0, help="which of the pairs are drawn")
    return parser.parse_args()


def _listed(path: Path) -> list[tuple[int, int, int]]:
    with path.open(newline="") as file:
        return [(int(row["TestID"]), int(row["TrainID"]), int(row["Judgment"])) for row in csv.DictReader(file)]


def _draw(pairs: Pairs, train: np.ndarray, test: np.ndarray, seed: int, path: Path) -> None:
    """A random sample of the pairs, test image left, the most alike first."""
    drawn = np.random.default_rng(seed).permutation(len(pairs))[:SHOWN]
    drawn = drawn[np.argsort(-pairs.likeness[drawn])]
    height = -(-len(drawn) // COLUMNS) * (SIDE + GAP)
    sheet = Image.new("RGB", (COLUMNS * (2 * SIDE + GAP), height), "white")
    for place, pair in enumerate(drawn):
        corner = ((place % COLUMNS) * (2 * SIDE + GAP), (place // COLUMNS) * (SIDE + GAP))
        for step, pixels in enumerate((test[pairs.second[pair]], train[pairs.first[pair]])):
            image = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))).resize((SIDE, SIDE))
            sheet.paste(image, (corner[0] + step * SIDE, corner[1]))
    sheet.save(path)


if __name__ == "__main__":
    main()
