"""Which images become train, validation and test: stratified, seeded, exact in number.

The test set never depends on how many training or validation images are wished. Refuses wishes that exceed what there is, and
splits in which a class would have fewer than 2 images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from searchspaces.errors import BadInput
from trials.data.pools import Pool, Pools, Rows

if TYPE_CHECKING:
    from searchspaces.arrays import Labels

LEAST_PER_CLASS = 2
SHARE = 5  # one fifth: of everything for a test set that must be cut, then of the rest for validation
MOST_VALIDATION = (
    5_000  # by default: CIFAR-10's usual hold-out; scoring every epoch of every trial costs, --val-images asks for more
)


@dataclass(frozen=True)
class Part:
    """Some rows of a pool, ascending."""

    pool: Pool
    rows: Rows


def stratified_parts(labels: Labels, counts: Sequence[int], least: Sequence[int], seed: int | Sequence[int]) -> tuple[Rows, ...]:
    """Disjoint rows, `counts[p]` of them in part p, each class in proportion to its size and at least `least[p]` times.

    labels: whole numbers 0 to K-1. The draw depends on labels, counts, least and seed (one number >= 0 or several) alone; rows
    come ascending. `ValueError` if it can't be done: callers check first and can name the class.
    """
    sizes = np.bincount(labels)
    if (
        sum(counts) > len(labels)
        or sizes.min() < sum(least)
        or any(n < low * len(sizes) for n, low in zip(counts, least, strict=True))
    ):
        raise ValueError(f"{list(counts)} of {len(labels)} images with at least {list(least)} a class can't be drawn")
    generator = np.random.default_rng([*np.atleast_1d(seed).tolist(), 0x5B117])
    shuffled = [generator.permutation(np.flatnonzero(labels == k)) for k in range(len(sizes))]
    taken = np.zeros(len(sizes), dtype=np.int64)
    parts = []
    for index, count in enumerate(counts):
        room = sizes - taken - sum(least[index + 1 :])  # later parts keep their least
        share = _apportion(sizes, count, least[index], room)
        rows = [shuffled[k][taken[k] : taken[k] + share[k]] for k in range(len(sizes))]
        parts.append(np.sort(np.concatenate(rows)).astype(np.int64))
        taken += share
    return tuple(parts)


def _apportion(sizes: np.ndarray, count: int, least: int, room: np.ndarray) -> np.ndarray:
    """`count` seats by largest remainder, each class within [least, room]."""
    quota = count * sizes / sizes.sum()
    share = np.clip(np.floor(quota).astype(np.int64), least, room)
    while share.sum() < count:
        share[np.argmax(np.where(share < room, quota - share, -np.inf))] += 1
    while share.sum() > count:
        share[np.argmin(np.where(share > least, quota - share, np.inf))] -= 1
    return np.asarray(share)


def choose_parts(pools: Pools, train_images: int | None, val_images: int | None, seed: int) -> dict[str, Part]:
    """The rows of each split, keyed "train", "val" and, if there is one, "test". Without wishes everything is used."""
    train = _Wish("--train-images", train_images, pools)
    val = _Wish("--val-images", val_images, pools)
    rows = np.arange(len(pools.train.labels), dtype=np.int64)
    parts = {}
    if pools.cut_test:
        _need(pools, LEAST_PER_CLASS * 3, "to be split in train, validation and test")
        test_count = max(len(rows) // SHARE, LEAST_PER_CLASS * len(pools.classes))
        least = (LEAST_PER_CLASS * 2, LEAST_PER_CLASS)
        rows, test_rows = stratified_parts(pools.train.labels, (len(rows) - test_count, test_count), least, seed)
        parts["test"] = Part(pools.train, test_rows)
    elif pools.test is not None:
        parts["test"] = Part(pools.test, np.arange(len(pools.test.labels), dtype=np.int64))
    if pools.val is None:
        parts["train"], parts["val"] = _split_validation(pools, rows, train, val, seed)
    else:
        _need(pools, LEAST_PER_CLASS, "to be trained on")
        parts["train"] = _some(pools.train, train, LEAST_PER_CLASS, seed)
        parts["val"] = _some(pools.val, val, 1, seed)
    return parts


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


def _split_validation(pools: Pools, rows: Rows, train: _Wish, val: _Wish, seed: int) -> tuple[Part, Part]:
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
    least_each = (LEAST_PER_CLASS, LEAST_PER_CLASS)
    train_rows, val_rows = stratified_parts(pools.train.labels[rows], (train_count, val_count), least_each, seed)
    return Part(pools.train, rows[train_rows]), Part(pools.train, rows[val_rows])


def _some(pool: Pool, wish: _Wish, least: int, seed: int) -> Part:
    count = len(pool.labels)
    if wish.images is None:
        return Part(pool, np.arange(count, dtype=np.int64))
    if wish.images > count:
        raise BadInput(f"{wish.flag} {wish.images}: {pool.where} has {count} images; ask for at most {count}")
    return Part(pool, stratified_parts(pool.labels, (wish.images,), (least,), seed)[0])
