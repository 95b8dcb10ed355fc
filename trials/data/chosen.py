"""Which images end up in which split, once they were looked at: groups and near copies kept whole, copies across splits cured.

Where the splits are ours, near copies count as groups. Where they are the user's they stay, and copies across them are cured as
wished. Refuses what the cure `refuse` refuses, and splits in which a class would be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from searchspaces.errors import BadInput
from trials.data.copies import MOST_COMPARED
from trials.data.gathered import Gathered, OnProgress, gather
from trials.data.groups import GroupRule, groups_of, merged, numbered
from trials.data.leaks import ORDER, Cured, across, check_classes_left, check_cure, cured, in_words, summary, suspicious
from trials.data.measured import MOST_PIXEL_BYTES
from trials.data.pools import Pools
from trials.data.source import Source
from trials.data.splits import LEAST_PER_CLASS, Apart, Part, choose_parts
from trials.data.store import SplitName

LARGEST_CLUSTER = 10  # a cluster of near copies larger than 1 / 10 of the images is no cluster: all of them look alike


@dataclass(frozen=True)
class Chosen:
    """The positions of each split's images (ascending), and what is to be told. `groups` are train's, then val's; None: no two
    images belong together. `leaks` tells counts alone.
    """

    pools: Pools
    gathered: Gathered
    positions: Mapping[SplitName, np.ndarray]
    groups: np.ndarray | None
    cured: Cured
    leaks: Mapping[str, Any]
    notes: tuple[str, ...]
    heldout_notes: tuple[str, ...]


def choose(
    pools: Pools, source: Source, scratch: Path, on_progress: OnProgress | None, most_pixel_bytes: int = MOST_PIXEL_BYTES
) -> Chosen:
    """Read the images that are wished for and deal them out. `BadInput` for what can't be."""
    check_cure(source.duplicates)
    apart = told_apart(pools, source)
    parts = choose_parts(pools, source.train_images, source.val_images, source.seed, apart)
    gathered = gather(pools, parts, scratch, on_progress, most_pixel_bytes)
    dealing = _Dealing(pools, source, gathered, apart, parts)
    dealing.keep_together()
    return dealing.chosen()


def told_apart(pools: Pools, source: Source) -> Apart:
    """What the user's groups demand of a choice."""
    rule = None if source.groups is None else GroupRule.parse(source.groups)
    return Apart(_numbers(groups_of(pools, rule)), {})


def _numbers(names: Mapping[str, np.ndarray] | None) -> dict[str, np.ndarray]:
    """Groups of the roles as whole numbers, the same number for the same group; of the test set none are needed."""
    known = {role: groups for role, groups in (names or {}).items() if role != "test"}
    if not known:
        return {}
    together = numbered(np.concatenate(list(known.values())))
    ends = np.cumsum([len(groups) for groups in known.values()])
    return dict(zip(known, np.split(together, ends[:-1]), strict=True))


class _Dealing:
    """The state of one preparation after its images have been read."""

    def __init__(self, pools: Pools, source: Source, gathered: Gathered, apart: Apart, parts: dict[str, Part]) -> None:
        self.pools, self.source, self.gathered, self.apart, self.parts = pools, source, gathered, apart, parts
        self.groups = self._groups_of_the_user()
        self.lines: list[str] = []

    def keep_together(self) -> None:
        """Near copies count as groups: split again where one of our splits parts some."""
        own = self.gathered.near.where(self.gathered.near.second < self._own)
        same = self.gathered.same.where(self.gathered.same.second < self._own)
        for pairs in ((own, same), (same,)):
            first, second = (np.concatenate([getattr(some, side) for some in pairs]) for side in ("first", "second"))
            groups = merged(self.groups, first, second)
            largest = np.bincount(groups).max() if len(first) else 0
            if largest * LARGEST_CLUSTER > self._own and largest > np.bincount(self.groups).max():
                continue
            try:
                self.parts = self._split_again(groups) if self._parted(first, second) else self.parts
            except BadInput:  # a class that is one cluster, say
                continue
            self.groups = groups
            return
        self.lines.append("near copies could not be kept in one split each: too many images look alike")

    @property
    def _own(self) -> int:
        """The images that are ours to split end here: those of train and val, as they came."""
        return self.gathered.start("test") if "test" in self.gathered.rows else len(self.gathered)

    def _groups_of_the_user(self) -> np.ndarray:
        if not self.apart.groups:
            return np.arange(self._own)
        used = [self.apart.groups[role][rows] for role, rows in self.gathered.rows.items() if role != "test"]
        return np.unique(np.concatenate(used), return_inverse=True)[1].astype(np.int64)

    def _split_of(self) -> np.ndarray:
        split_of = np.full(len(self.gathered), "", dtype="U6")
        for name, part in self.parts.items():
            split_of[self.gathered.positions(part)] = name
        return split_of

    def _parted(self, first: np.ndarray, second: np.ndarray) -> bool:
        """Whether a split of ours, that is one within a pool, parts such a pair."""
        split_of = self._split_of()
        edge = self.gathered.start("val") if "val" in self.gathered.rows else self._own
        return bool(((split_of[first] != split_of[second]) & ((first < edge) == (second < edge))).any())

    def _split_again(self, groups: np.ndarray) -> dict[str, Part]:
        by_role = {}
        for role, rows in self.gathered.rows.items():
            if role != "test":
                start = self.gathered.start(role)
                by_role[role] = np.zeros(len(self.pools_of(role).labels), dtype=np.int64)
                by_role[role][rows] = groups[start : start + len(rows)]
        within = {role: rows for role, rows in self.gathered.rows.items() if role != "test"}
        wishes = (self.source.train_images, self.source.val_images, self.source.seed)
        return choose_parts(self.pools, *wishes, Apart(by_role, within))

    def pools_of(self, role: str) -> Any:
        """The pool that plays a role."""
        return self.gathered.pools[role]

    def chosen(self) -> Chosen:
        """The splits with copies cured, and all that is to be told."""
        split_of = self._split_of()
        found = across(split_of, self.gathered.digests, self.gathered.near)
        treated = cured(found, self.source.duplicates, self.gathered.name)
        positions: dict[SplitName, np.ndarray] = {}
        for name in ORDER:
            if name not in self.parts:
                continue
            here = np.setdiff1d(self.gathered.positions(self.parts[name]), treated.dropped.get(name, []))
            if name in treated.dropped:
                least = LEAST_PER_CLASS if name == "train" else 1
                check_classes_left(self.gathered.labels[here], self.pools.classes, name, least)
            positions[name] = here
        notes, heldout_notes, counts = self._told(treated, split_of)
        leaks = {**summary(treated, self.source.duplicates), **counts}
        groups = self._of_train_and_val(positions)
        return Chosen(self.pools, self.gathered, positions, groups, treated, leaks, notes, heldout_notes)

    def _of_train_and_val(self, positions: Mapping[SplitName, np.ndarray]) -> np.ndarray | None:
        groups = np.unique(self.groups[np.concatenate([positions["train"], positions["val"]])], return_inverse=True)[1]
        return groups if len(groups) > groups.max() + 1 else None

    def _told(self, treated: Cured, split_of: np.ndarray) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, Any]]:
        """(notes, notes that speak of the test set, counts)."""
        of_one_colour, disagreeing = self.gathered.of_one_colour(), self.gathered.disagreeing()
        if disagreeing and self.source.duplicates == "refuse":
            one, other = (self.gathered.name(position) for position in disagreeing[0])
            raise BadInput(
                f"--duplicates refuse: {one} and {other} are one image with two labels ({len(disagreeing)} such); correct them"
            )
        of_test = split_of == "test"
        open_pairs = [pair for pair in disagreeing if not of_test[list(pair)].any()]
        closed_pairs = [pair for pair in disagreeing if of_test[list(pair)].any()]
        notes = [*self.pools.notes, *self._about_sizes(), *in_words(treated), *self.lines]
        notes += suspicious(of_one_colour[~of_test[of_one_colour]], open_pairs, self.gathered.name)
        heldout_notes = [*self.pools.heldout_notes]
        heldout_notes += suspicious(of_one_colour[of_test[of_one_colour]], closed_pairs, self.gathered.name)
        for role, pool in self.gathered.pools.items():
            (heldout_notes if role == "test" else notes).extend(pool.notes())
        counts = {"of_one_colour": len(of_one_colour), "disagreeing": len(disagreeing), "near_searched": self._near_searched}
        return tuple(dict.fromkeys(notes)), tuple(dict.fromkeys(heldout_notes)), counts

    @property
    def _near_searched(self) -> bool:
        return len(self.gathered) <= MOST_COMPARED

    def _about_sizes(self) -> list[str]:
        lines = []
        counts = {name: len(part.rows) for name, part in self.parts.items()}
        if self.pools.val is None:
            whole = counts["val"] + counts.get("select", 0)
            by_group = ", no group in two splits" if self.apart.groups else ""
            lines.append(f"validation: {whole} of train's images, stratified, by the seed{by_group}")
        if "select" in counts:
            lines.append(
                f"validation is cut in two: {counts['val']} images for the search, {counts['select']} for finalists alone"
            )
        if not self._near_searched:
            lines.append(f"near copies were not looked for: {len(self.gathered)} images are more than {MOST_COMPARED}")
        return lines
