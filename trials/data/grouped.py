"""Splits that no group straddles: as near as whole groups allow to the wished sizes and to each class's share.

Images that are a group of their own are dealt out exactly, so that without larger groups the split is `stratified_parts`' own.
Refuses, by ValueError, what can't be done; who knows the classes' names checks and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from trials.data.stratified import apportioned, stratified_parts

if TYPE_CHECKING:
    from searchspaces.arrays import Labels
    from trials.data.pools import Rows

_PASSES = 6  # of improving, group by group
_TRIES = 8  # orders of equally large groups


def grouped_parts(
    labels: Labels, groups: np.ndarray, counts: Sequence[int], least: Sequence[int], seed: int | Sequence[int]
) -> tuple[Rows, ...]:
    """Disjoint rows, about `counts[p]` of them in part p, each class at least `least[p]` times, and no group in two parts.

    groups: whole numbers from 0, one per image. Where counts leave images over, no part is larger than wished: some images of a
    group are then in no part. Depends on the arguments alone; rows ascend. `ValueError` if no such split is found.
    """
    sizes = np.bincount(groups)
    if sizes.max(initial=0) <= 1:
        return stratified_parts(labels, counts, least, seed)
    numbers = [*np.atleast_1d(seed).tolist(), 0x6B09B]
    for number in range(_TRIES):
        parts = _Dealing(labels, groups, counts, least).deal(np.random.default_rng([*numbers, number]))
        if all(_enough(labels, rows, low) for rows, low in zip(parts, least, strict=True)):
            if sum(counts) == len(labels):
                return tuple(parts)
            return tuple(_cut(labels, rows, count, low, seed) for rows, count, low in zip(parts, counts, least, strict=True))
    raise ValueError(f"{list(counts)} of {len(labels)} images in {len(sizes)} groups with at least {list(least)} a class each")


def _enough(labels: Labels, rows: Rows, least: int) -> bool:
    return bool((np.bincount(labels[rows], minlength=labels.max() + 1) >= least).all())


def _cut(labels: Labels, rows: Rows, count: int, least: int, seed: int | Sequence[int]) -> Rows:
    """At most the wished number: only where images are left over anyway is a part larger, for whole groups came into it."""
    if len(rows) <= count or count < least * (labels.max() + 1):
        return rows
    return rows[stratified_parts(labels[rows], (count,), (least,), seed)[0]]


class _Dealing:
    """One attempt: large groups first, each to the part it fits best, then moves that fit better, then the single images."""

    def __init__(self, labels: Labels, groups: np.ndarray, counts: Sequence[int], least: Sequence[int]) -> None:
        self.labels, self.groups = labels, groups
        self.classes = int(labels.max()) + 1
        self.left_over = len(labels) - sum(counts)
        wished = [*counts, *([self.left_over] if self.left_over else [])]
        self.least = np.array([*least, *([0] if self.left_over else [])])[:, np.newaxis]
        self.sizes = np.bincount(labels, minlength=self.classes)
        self.counts = np.array(wished)
        self.target = self.counts[:, np.newaxis] * self.sizes / len(labels)  # parts x classes
        self.held = np.zeros_like(self.target)

    def deal(self, generator: np.random.Generator) -> list[Rows]:
        """The rows of each wished part, uncut."""
        sizes = np.bincount(self.groups)
        large = np.flatnonzero(sizes > 1)
        large = large[np.lexsort((generator.permutation(len(large)), -sizes[large]))]
        table = np.zeros((len(sizes), self.classes), dtype=np.int64)
        np.add.at(table, (self.groups, self.labels), 1)
        part_of = np.full(len(sizes), -1)
        for group in large:
            part_of[group] = self._best(table[group])
            self.held[part_of[group]] += table[group]
        self._improve(large, table, part_of)
        part_of_row = part_of[self.groups]
        self._deal_singles(np.flatnonzero(part_of_row < 0), part_of_row, generator)
        wished = len(self.counts) - bool(self.left_over)
        return [np.flatnonzero(part_of_row == part).astype(np.int64) for part in range(wished)]

    def _cost(self, group: np.ndarray) -> np.ndarray:
        """What each part's distance from its target grows by if it gets the group, classes that lack images before all else."""
        grown = group * (2 * (self.held - self.target) + group) / np.maximum(self.target, 1e-9)
        lacking = np.maximum(self.least - self.held, 0) - np.maximum(self.least - self.held - group, 0)
        return np.asarray(grown.sum(axis=1) - 4 * len(self.labels) * lacking.sum(axis=1))

    def _best(self, group: np.ndarray) -> int:
        return int(self._cost(group).argmin())

    def _improve(self, large: np.ndarray, table: np.ndarray, part_of: np.ndarray) -> None:
        for _ in range(_PASSES):
            moved = False
            for group in large[::-1]:
                here = part_of[group]
                self.held[here] -= table[group]
                costs = self._cost(table[group])
                best = int(costs.argmin())
                part_of[group] = best if costs[best] < costs[here] - 1e-9 else here
                moved |= part_of[group] != here
                self.held[part_of[group]] += table[group]
            if not moved:
                return

    def _deal_singles(self, rows: Rows, part_of_row: np.ndarray, generator: np.random.Generator) -> None:
        """Fill each part up to its size, every class in proportion to what it still lacks."""
        free = np.bincount(self.labels[rows], minlength=self.classes)
        shuffled = [generator.permutation(rows[self.labels[rows] == k]) for k in range(self.classes)]
        wanted = _seats(self.counts - self.held.sum(axis=1).astype(np.int64), len(rows))
        taken = np.zeros(self.classes, dtype=np.int64)
        lacking = np.maximum(self.least - self.held, 0).astype(np.int64)
        for part, count in enumerate(wanted):
            room = np.maximum(free - taken - lacking[part + 1 :].sum(axis=0), 0)  # later parts keep their least
            weights = np.maximum(self.target[part] - self.held[part], 0) + 1e-9 * room
            share = apportioned(weights, int(count), np.minimum(lacking[part], room), room)
            for k in range(self.classes):
                part_of_row[shuffled[k][taken[k] : taken[k] + share[k]]] = part
            taken += share


def _seats(wanted: np.ndarray, free: int) -> np.ndarray:
    """How many single images each part gets: what it lacks, less where others hold more than their share."""
    seats = np.maximum(wanted, 0)
    while seats.sum() > free:
        seats[seats.argmax()] -= 1
    seats[seats.argmax()] += free - seats.sum()
    return np.asarray(seats)
