"""Copies among images: the same to the pixel, and near ones: brighter, darker, shifted, cropped, rescaled, mirrored, compressed.

Near ones are found in two steps. A perceptual descriptor of each image (`descriptors.py`) gives candidates: pairs that are far
more alike than images of this set are otherwise. Then pixels decide: what is left of both after blurring is taken away must agree
where the one lies best on the other, over shifts and scales. `docs/data.md` says how many of CIFAR-10's known ones this finds.

A candidate that stands out from no crowd (sets of simple shapes, where many images look alike) must agree nearly to the pixel.
Sets larger than `MOST_COMPARED` are searched for exact copies alone: all are compared with all.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from searchspaces.arrays import Images
    from trials.data.descriptors import Described

MOST_COMPARED = 200_000
LEAST_LIKENESS = 0.7  # of descriptors: CIFAR-10's known near copies have 0.72 and more, but for 2 %
STANDS_OUT = 0.5  # a candidate is at most this fraction as far as the crowd is
SAME_DETAIL = 0.75  # correlation of details
NEARLY_SAME_DETAIL = 0.985  # where a candidate doesn't stand out
_CHUNKS = 101  # the crowd's likeness is the median over so many chunks of their most alike images
_CANDIDATES = 8  # per image
_BLOCK_VALUES = 1 << 25


@dataclass(frozen=True)
class Pairs:
    """Pairs of images, by row: `first` in one set, `second` in the other, and how alike their details are (1: to the pixel)."""

    first: np.ndarray
    second: np.ndarray
    likeness: np.ndarray

    def __len__(self) -> int:
        return len(self.first)

    def where(self, keep: np.ndarray) -> Pairs:
        """Some of the pairs."""
        return Pairs(self.first[keep], self.second[keep], self.likeness[keep])


def digests(images: Images) -> np.ndarray:
    """16 bytes for each image, alike for the same pixels alone."""
    found = np.empty(len(images), dtype="S32")
    for start in range(0, len(images), 4096):
        for index, image in enumerate(np.ascontiguousarray(images[start : start + 4096])):
            found[start + index] = hashlib.blake2b(image.data, digest_size=16).hexdigest().encode()
    return found


def exact_pairs(first: np.ndarray, second: np.ndarray) -> Pairs:
    """All pairs of equal digests across two sets; many to many."""
    order = np.argsort(first, kind="stable")
    ordered = first[order]
    low, high = np.searchsorted(ordered, second, "left"), np.searchsorted(ordered, second, "right")
    rows = [order[a:b] for a, b in zip(low.tolist(), high.tolist(), strict=True) if b > a]
    there = np.repeat(np.arange(len(second)), high - low)
    found = np.concatenate(rows) if rows else np.empty(0, np.int64)
    return Pairs(found.astype(np.int64), there.astype(np.int64), np.ones(len(found)))


def exact_within(found: np.ndarray) -> Pairs:
    """Each image that is the same as an earlier one of its set, paired with the first such."""
    _, first, inverse = np.unique(found, return_index=True, return_inverse=True)
    earliest = first[inverse]
    later = np.flatnonzero(earliest != np.arange(len(found)))
    return Pairs(earliest[later].astype(np.int64), later.astype(np.int64), np.ones(len(later)))


def near_pairs(first: Described, second: Described) -> Pairs:
    """Near copies across two sets, or within one that is given twice (then each pair once, the earlier image first).

    Exact copies are among them. Empty where there are more than `MOST_COMPARED` images.
    """
    import torch

    from trials.data.descriptors import detail_likeness

    if max(len(first), len(second)) > MOST_COMPARED or not len(first) or not len(second):
        return Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    within = first is second
    found = []
    for start in range(0, len(second), block := max(1, _BLOCK_VALUES // len(first))):
        rows = torch.arange(start, min(start + block, len(second)))
        found.append(_candidates(first, second, rows, within))
    one, other, crowd_ratio, mirrored = (torch.cat(part) for part in zip(*found, strict=True))
    detail = detail_likeness(first, one, second, other, mirrored)
    good = (detail >= NEARLY_SAME_DETAIL) | ((detail >= SAME_DETAIL) & (crowd_ratio <= STANDS_OUT))
    pairs = Pairs(one[good].numpy(), other[good].numpy(), detail[good].double().numpy())
    return _each_once(pairs) if within else pairs


def _candidates(first: Described, second: Described, rows: Any, within: bool) -> tuple[Any, ...]:
    """For these rows of the second set: (row of the first, row of the second, fraction of the crowd's distance, mirrored)."""
    import torch

    plain = second.plain[rows] @ first.plain.T
    mirrored = second.mirrored[rows] @ first.plain.T
    alike = torch.maximum(plain, mirrored)
    if within:
        alike[torch.arange(len(rows)), rows] = -1.0
    short = -len(first) % _CHUNKS if len(first) > _CHUNKS else 0
    chunks = torch.nn.functional.pad(alike, (0, short), value=-1.0).view(len(rows), -1, min(_CHUNKS, len(first)))
    best, place = chunks.max(dim=1)
    crowd = best.median(dim=1).values
    likeness, chunk = best.topk(min(_CANDIDATES, best.shape[1]), dim=1)
    column = place.gather(1, chunk) * chunks.shape[2] + chunk
    ratio = (1 - likeness) / (1 - crowd).clamp_min(1e-6)[:, None]
    keep = (likeness >= LEAST_LIKENESS) & ((ratio <= STANDS_OUT) | (likeness >= NEARLY_SAME_DETAIL))
    at, which = keep.nonzero(as_tuple=True)
    one = column[at, which]
    return one, rows[at], ratio[at, which], mirrored[at, one] > plain[at, one]


def _each_once(pairs: Pairs) -> Pairs:
    low, high = np.minimum(pairs.first, pairs.second), np.maximum(pairs.first, pairs.second)
    _, keep = np.unique(np.stack([low, high]), axis=1, return_index=True)
    return Pairs(low[keep], high[keep], pairs.likeness[keep])
