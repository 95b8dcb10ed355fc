"""Which images become train, validation, second validation and test: stratified, seeded, by group, exact in number.

From `SELECT_FROM` images for training and validation on, validation is cut in two halves: "val", which the search sees, and
"select", which only finalists see. The test set never depends on how many training or validation images are wished. Refuses
wishes that exceed what there is, and splits in which a class would have fewer than 2 images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from searchspaces.errors import BadInput
from trials.data.grouped import grouped_parts
from trials.data.pools import Pool, Pools, Rows
from trials.data.stratified import stratified_parts

LEAST_PER_CLASS = 2
SHARE = 5  # one fifth: of everything for a test set that must be cut, then of the rest for validation
MOST_VALIDATION = (
    5_000  # by default: CIFAR-10's usual hold-out; scoring every epoch of every trial costs, --val-images asks for more
)
SELECT_FROM = 20_000  # fewer images than this can't spare some for finalists alone


@dataclass(frozen=True)
class Part:
    """Some rows of a pool, ascending."""

    pool: Pool
    rows: Rows


@dataclass(frozen=True)
class Apart:
    """What a choice must keep to: `groups` by role ("train", "val"; whole numbers, one per image of the pool), and `within`, the
    rows that may be taken at all. A role that is not named has no groups, or all of its rows.
    """

    groups: Mapping[str, np.ndarray]
    within: Mapping[str, Rows]
    named: bool = True  # by the user; else they are clusters of near copies

    def rows(self, role: str, pool: Pool) -> Rows:
        """The rows that may be taken."""
        return self.within.get(role, np.arange(len(pool.labels), dtype=np.int64))

    def divided(
        self, role: str, pool: Pool, rows: Rows, counts: Sequence[int], least: Sequence[int], seed: int
    ) -> tuple[Rows, ...]:
        """Rows of a pool in parts of these sizes that no group straddles. `BadInput` if there is no such split."""
        groups = self.groups.get(role)
        numbers = np.arange(len(rows)) if groups is None else np.unique(groups[rows], return_inverse=True)[1]
        loose = tuple(min(low, 1 if index else LEAST_PER_CLASS) for index, low in enumerate(least))
        try:
            parts = grouped_parts(pool.labels[rows], numbers, counts, least if groups is None else loose, seed)
        except ValueError as error:
            raise BadInput(
                f"{pool.where}: no split keeps each group whole and each class in every part ({error}); "
                "a class needs a group of its own in each part: give smaller groups, or more images of rare classes"
            ) from error
        return tuple(rows[part] for part in parts)


FREE = Apart({}, {})


def choose_parts(
    pools: Pools, train_images: int | None, val_images: int | None, seed: int, apart: Apart = FREE
) -> dict[str, Part]:
    """The rows of each split, keyed "train", "val" and, if there are such, "select" and "test". Without wishes all are used."""
    train = _Wish("--train-images", train_images, pools)
    val = _Wish("--val-images", val_images, pools)
    rows = apart.rows("train", pools.train)
    parts = {}
    if pools.cut_test:
        _need(pools, LEAST_PER_CLASS * 3, "to be split in train, validation and test")
        test_count = max(len(rows) // SHARE, LEAST_PER_CLASS * len(pools.classes))
        least = (LEAST_PER_CLASS * 2, LEAST_PER_CLASS)
        rows, test_rows = apart.divided("train", pools.train, rows, (len(rows) - test_count, test_count), least, seed)
        parts["test"] = Part(pools.train, test_rows)
    elif pools.test is not None:
        parts["test"] = Part(pools.test, np.arange(len(pools.test.labels), dtype=np.int64))
    if pools.val is None:
        return parts | _split_validation(pools, rows, train, val, seed, apart)
    _need(pools, LEAST_PER_CLASS, "to be trained on")
    parts["train"] = _some(pools.train, rows, train, LEAST_PER_CLASS, seed)
    parts["val"] = _some(pools.val, apart.rows("val", pools.val), val, 1, seed)
    return parts | _halved(parts, seed, apart)


@dataclass(frozen=True)
class _Wish:
    """How many images a flag asks for, or None for what there is; checked against what is sensible for the classes."""

    flag: str
    images: int | None
    pools: Pools

    def __post_init__(self) -> None:
        least = LEAST_PER_CLASS * len(self.pools.classes)
        if self.images is not None and self.images < least:
            raise BadInput(
                f"{self.flag} {self.images} is too few for {len(self.pools.classes)} classes; "
                f"at least {least} ({LEAST_PER_CLASS} a class) are needed"
            )


def _need(pools: Pools, least: int, purpose: str) -> None:
    sizes = np.bincount(pools.train.labels, minlength=len(pools.classes))
    smallest = int(sizes.argmin())
    if sizes[smallest] < least:
        raise BadInput(
            f"{pools.train.where}: class {pools.classes[smallest]!r} has {sizes[smallest]} images; "
            f"a class needs at least {least} {purpose}: add images or drop the class"
        )


def _split_validation(pools: Pools, rows: Rows, train: _Wish, val: _Wish, seed: int, apart: Apart) -> dict[str, Part]:
    _need(pools, LEAST_PER_CLASS * 2, "to be split in train and validation")
    least = LEAST_PER_CLASS * len(pools.classes)
    val_count = val.images
    if val_count is None:
        # a fifth of the images used; with --train-images N that is N / 4 more
        used = len(rows) if train.images is None else train.images + max(train.images // (SHARE - 1), least)
        val_count = max(min(used // SHARE, MOST_VALIDATION), least)
    train_count = len(rows) - val_count if train.images is None else train.images
    if train_count + val_count > len(rows) or train_count < least:
        raise BadInput(
            f"{pools.train.where} has {len(rows)} images for training and validation, but {max(train_count, least)} for training "
            f"and {val_count} for validation are wished; lower --train-images or --val-images"
        )
    counts, least_each = [train_count, val_count], [LEAST_PER_CLASS, LEAST_PER_CLASS]
    if train_count + val_count >= SELECT_FROM:
        counts[1:], least_each[1:] = halves(val_count), [1, 1]
    names = ("train", "val", "select")[: len(counts)]
    chosen = apart.divided("train", pools.train, rows, counts, least_each, seed)
    return {name: Part(pools.train, rows) for name, rows in zip(names, chosen, strict=True)}


def _halved(parts: Mapping[str, Part], seed: int, apart: Apart) -> dict[str, Part]:
    """The parts "val" and "select" of a validation set that the user gave, where there are images enough; else nothing new."""
    pool, rows = parts["val"].pool, parts["val"].rows
    few = np.bincount(pool.labels[rows]).min() < LEAST_PER_CLASS
    if few or len(parts["train"].rows) + len(rows) < SELECT_FROM:
        return {}
    val, select = apart.divided("val", pool, rows, halves(len(rows)), (1, 1), seed)
    return {"val": Part(pool, val), "select": Part(pool, select)}


def halves(images: int) -> list[int]:
    """Of so many validation images those for the search, and those for finalists."""
    return [images - images // 2, images // 2]


def _some(pool: Pool, rows: Rows, wish: _Wish, least: int, seed: int) -> Part:
    if wish.images is None or wish.images == len(rows):
        return Part(pool, rows)
    if wish.images > len(rows):
        raise BadInput(f"{wish.flag} {wish.images}: {pool.where} has {len(rows)} images; ask for at most {len(rows)}")
    return Part(pool, rows[stratified_parts(pool.labels[rows], (wish.images,), (least,), seed)[0]])
