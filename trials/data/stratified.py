"""Random parts of labelled images in which each class has its share, exact in number.

Refuses, by ValueError, what can't be drawn; who knows the classes' names checks and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from searchspaces.arrays import Labels
    from trials.data.pools import Rows


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
        share = apportioned(sizes, count, np.full_like(sizes, least[index]), room)
        rows = [shuffled[k][taken[k] : taken[k] + share[k]] for k in range(len(sizes))]
        parts.append(np.sort(np.concatenate(rows)).astype(np.int64))
        taken += share
    return tuple(parts)


def apportioned(weights: np.ndarray, count: int, least: np.ndarray, room: np.ndarray) -> np.ndarray:
    """`count` seats in proportion to the weights by largest remainder, each class within [least, room].

    Fewer where there is no room for them, more where the least of all classes are.
    """
    quota = count * weights / max(weights.sum(), 1e-12)
    share = np.clip(np.floor(quota).astype(np.int64), least, room)
    count = int(np.clip(count, least.sum(), room.sum()))
    while share.sum() < count:
        share[np.argmax(np.where(share < room, quota - share, -np.inf))] += 1
    while share.sum() > count:
        share[np.argmin(np.where(share > least, quota - share, np.inf))] -= 1
    return np.asarray(share)
