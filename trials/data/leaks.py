"""Copies across splits: which there are, and what is done with them.

| cure | exact copies | near copies |
|---|---|---|
| drop-exact | dropped from training where validation or test has them, and from validation where test has them | reported |
| drop-from-train | as above | dropped from training |
| report | reported | reported |
| refuse | refused | refused |

Test images are never dropped. Refuses cures that are none of these, and to drop a class's last images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from searchspaces.errors import BadInput
from trials.data.copies import Pairs, exact_pairs
from trials.data.store import SplitName

CURES = ("drop-exact", "drop-from-train", "report", "refuse")
ORDER: tuple[SplitName, ...] = ("train", "val", "select", "test")


@dataclass(frozen=True)
class Across:
    """The copies that two splits share; `first` and `second` of the pairs are positions among all images that were compared."""

    splits: tuple[str, str]
    kind: str
    pairs: Pairs

    @property
    def of_test(self) -> bool:
        """Whether a search may not be told which they are."""
        return "test" in self.splits


@dataclass(frozen=True)
class Cured:
    """What was found across splits, and which positions are dropped, by split."""

    found: tuple[Across, ...]
    dropped: Mapping[str, np.ndarray]


def check_cure(cure: str) -> None:
    """`BadInput` for what is no cure."""
    if cure not in CURES:
        raise BadInput(f"--duplicates {cure!r}: no such cure; allowed are {', '.join(CURES)}")


def across(split_of: np.ndarray, found: np.ndarray, near: Pairs) -> tuple[Across, ...]:
    """The pairs whose images lie in different splits. `split_of`: each position's split; `found`: its digest; `near` holds
    positions, exact copies among them or not.
    """
    every = []
    names = [name for name in ORDER if (split_of == name).any()]
    differ = found[near.first] != found[near.second]
    for one, other in combinations(names, 2):
        here, there = np.flatnonzero(split_of == one), np.flatnonzero(split_of == other)
        exact = exact_pairs(found[here], found[there])
        every.append(Across((one, other), "exact", Pairs(here[exact.first], there[exact.second], exact.likeness)))
        straight = (split_of[near.first] == one) & (split_of[near.second] == other) & differ
        turned = (split_of[near.first] == other) & (split_of[near.second] == one) & differ
        first = np.concatenate([near.first[straight], near.second[turned]])
        second = np.concatenate([near.second[straight], near.first[turned]])
        likeness = np.concatenate([near.likeness[straight], near.likeness[turned]])
        best_first = np.argsort(-likeness, kind="stable")
        every.append(Across((one, other), "near", Pairs(first, second, likeness).where(best_first)))
    return tuple(some for some in every if len(some.pairs))


def cured(found: Sequence[Across], cure: str, name: Callable[[int], str]) -> Cured:
    """What the cure drops. `name` says which image a position is. `BadInput` where it refuses."""
    if cure == "refuse" and found:
        _refuse(found, name)
    dropped: dict[str, list[np.ndarray]] = {split: [] for split in ORDER}
    for some in found:
        from_training = some.splits[0] == "train"
        from_validation = some.of_test and not from_training
        exact = some.kind == "exact" and cure in ("drop-exact", "drop-from-train")
        near = some.kind == "near" and cure == "drop-from-train" and from_training
        if (exact and (from_training or from_validation)) or near:
            dropped[some.splits[0]].append(some.pairs.first)
    gone = {split: np.unique(np.concatenate(rows)) for split, rows in dropped.items() if rows}
    return Cured(tuple(found), gone)


def _refuse(found: Sequence[Across], name: Callable[[int], str]) -> None:
    counts = ", ".join(f"{len(some.pairs)} {some.kind} between {some.splits[0]} and {some.splits[1]}" for some in found)
    first = found[0]
    one, other = name(int(first.pairs.first[0])), name(int(first.pairs.second[0]))
    raise BadInput(
        f"--duplicates refuse: copies across splits ({counts}), the first {one} of {first.splits[0]} and {other} of "
        f"{first.splits[1]}; remove them, or say --duplicates drop-exact, drop-from-train or report"
    )


def check_classes_left(labels: np.ndarray, classes: Sequence[str], split: str, least: int) -> None:
    """`BadInput` where dropping copies has left a class with fewer images than it needs."""
    left = np.bincount(labels, minlength=len(classes))
    if left.min() < least:
        raise BadInput(
            f"--duplicates: without copies of other splits' images class {classes[int(left.argmin())]!r} has {left.min()} images "
            f"in {split}, and {least} are needed; remove the copies yourself, add images, or say --duplicates report"
        )


def summary(cured: Cured, cure: str) -> dict[str, Any]:
    """Counts for people and reports, as JSON values: nothing in it tells which images they are."""
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for some in cured.found:
        of_later = len(np.unique(some.pairs.second))
        counts.setdefault("-".join(some.splits), {})[some.kind] = {"pairs": len(some.pairs), "images": of_later}
    return {"cure": cure, "across": counts, "dropped": {split: len(rows) for split, rows in cured.dropped.items()}}


@dataclass(frozen=True)
class Copy:
    """One pair, the image of the earlier split first. `dropped`: that one is no longer there."""

    splits: tuple[str, str]
    kind: str
    positions: tuple[int, int]
    likeness: float
    dropped: bool

    def to_dict(self, name: Callable[[int], str]) -> dict[str, Any]:
        """JSON values, with the images' names."""
        names = [name(position) for position in self.positions]
        return {
            "splits": list(self.splits),
            "kind": self.kind,
            "images": names,
            "likeness": self.likeness,
            "dropped": self.dropped,
        }


def copies(cured: Cured, of_test: bool) -> list[list[Copy]]:
    """The pairs with a test image, or those without, by splits and kind; the most alike first."""
    gone = {split: set(rows.tolist()) for split, rows in cured.dropped.items()}
    return [
        [
            Copy(some.splits, some.kind, (one, other), round(likeness, 3), one in gone.get(some.splits[0], ()))
            for one, other, likeness in zip(
                some.pairs.first.tolist(), some.pairs.second.tolist(), some.pairs.likeness.tolist(), strict=True
            )
        ]
        for some in cured.found
        if some.of_test == of_test
    ]


def in_words(cured: Cured) -> list[str]:
    """A line for each pair of splits that share copies."""
    lines: dict[tuple[str, str], list[str]] = {}
    for some in cured.found:
        images = len(np.unique(some.pairs.second))
        lines.setdefault(some.splits, []).append(f"{images} {'exactly' if some.kind == 'exact' else 'nearly'}")
    told = [f"copies: of {second}'s images {first} holds {' and '.join(words)}" for (first, second), words in lines.items()]
    dropped = [f"{len(rows)} from {split}" for split, rows in cured.dropped.items()]
    if dropped:
        told.append(f"copies dropped: {', '.join(dropped)} (--duplicates report keeps them)")
    return told


def suspicious(images_constant: np.ndarray, disagreeing: Sequence[tuple[int, int]], name: Callable[[int], str]) -> list[str]:
    """Lines about images of one colour, and about the same image with two labels; positions are named."""
    lines = []
    if len(images_constant):
        lines.append(f"{len(images_constant)} images are of one colour: {_some(images_constant.tolist(), name)}")
    if disagreeing:
        shown = "; ".join(f"{name(one)} and {name(other)}" for one, other in disagreeing[:3])
        more = ", ..." if len(disagreeing) > 3 else ""
        lines.append(f"{len(disagreeing)} images are the same as another with another label: {shown}{more}")
    return lines


def _some(positions: Sequence[int], name: Callable[[int], str]) -> str:
    return ", ".join(name(position) for position in positions[:3]) + (", ..." if len(positions) > 3 else "")
