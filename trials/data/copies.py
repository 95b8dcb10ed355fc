"""Copies among images: the same to the pixel, and near ones: brighter, darker, shifted, cropped, rescaled, mirrored, compressed.

Near ones are found in two steps. A perceptual descriptor of each image (`descriptors.py`) gives candidates: pairs that are far
more alike than images of this set are otherwise. Then pixels decide: what is left of both after blurring is taken away must agree
where the one lies best on the other, over shifts and scales. `docs/data.md` says how many of CIFAR-10's known ones this finds.

A candidate that stands out from no crowd (sets of simple shapes, where many images look alike) must agree nearly to the pixel.
Sets larger than `MOST_COMPARED` are searched for exact copies alone: all are compared with all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from searchspaces.arrays import Images
    from trials.data.descriptors import Described

MOST_COMPARED = 200_000
LEAST_LIKENESS = 0.7  # of descriptors: CIFAR-10's known near copies have 0.72 and more, but for 2 %
STANDS_OUT = 0.5  # a candidate is at most this fraction as far as the crowd is, about the 21st image
SAME_DETAIL = 0.75  # correlation of details
DETAIL_STANDS_OUT = 0.6  # and its details differ by at most this fraction of what those of other candidates do
NEARLY_SAME = 0.985  # enough where a candidate doesn't stand out: one of many frames, say
_CHUNKS = 31
_NEAREST = 8  # candidates per image; the details of the last `_CROWD` are the usual ones
_CROWD = 3
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


def near_within(sets: Sequence[Images], on_progress: Callable[[int, int], None] | None = None) -> Pairs:
    """Near copies in and across some sets of images of one shape; rows count through all sets. Each pair once, the earlier image
    first; exact copies are among them. Takes memory of about 4 kB an image and, at worst, time as the square of their number:
    `on_progress(images compared, images in all)`.
    """
    import torch

    from trials.data.descriptors import together

    all_of_them = together(sets)
    block = max(1, _BLOCK_VALUES // max(1, len(all_of_them)))
    starts = range(0, len(all_of_them), block)
    blocks = [torch.arange(start, min(start + block, len(all_of_them))) for start in starts]
    found = []
    for rows in blocks:
        found.append(_in_block(all_of_them, rows))
        if on_progress is not None:
            on_progress(int(rows[-1]) + 1, len(all_of_them))
    if not found:
        return Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    return _each_once(Pairs(*(torch.cat(part).numpy() for part in zip(*found, strict=True))))


def _in_block(images: Described, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(row, row of a copy, likeness) of the near copies of some of the images."""
    import torch

    plain = images.plain[rows] @ images.plain.T
    mirrored = images.mirrored[rows] @ images.plain.T
    alike = torch.maximum(plain, mirrored)
    alike[torch.arange(len(rows)), rows] = -1.0
    likeness, column, crowd = _nearest(alike)
    ratio = (1 - likeness) / (1 - crowd).clamp_min(1e-6)[:, None]

    def detail(at: Tensor, which: Tensor) -> Tensor:
        from trials.data.descriptors import detail_likeness

        one = column[at, which]
        return detail_likeness(images, one, rows[at], mirrored[at, one] > plain[at, one])

    at, which = ((likeness >= LEAST_LIKENESS) & ((ratio <= STANDS_OUT) | (likeness >= NEARLY_SAME))).nonzero(as_tuple=True)
    found = detail(at, which)
    good = found >= SAME_DETAIL
    at, which, found = at[good], which[good], found[good]
    rows_asked, back = np.unique(at.numpy(), return_inverse=True)
    asked, place = torch.from_numpy(rows_asked), torch.from_numpy(back)
    others = range(likeness.shape[1])[_NEAREST - _CROWD : _NEAREST]
    usual = [detail(asked, torch.full_like(asked, other)) for other in others]
    crowd_detail = torch.stack(usual).median(dim=0).values[place] if usual else torch.zeros_like(found)
    stands_out = (ratio[at, which] <= STANDS_OUT) & ((1 - found) <= DETAIL_STANDS_OUT * (1 - crowd_detail))
    good = stands_out | (found >= NEARLY_SAME)
    return rows[at][good], column[at, which][good], found[good].double()


def _nearest(alike: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of each row the `_NEAREST` largest values, where they are, and the crowd's: the median of the largest of each chunk.

    Columns are dealt to chunks in turn; of those that share a chunk only the largest is seen.
    """
    import torch

    chunks = min(_CHUNKS, alike.shape[1])
    padded = torch.nn.functional.pad(alike, (0, -alike.shape[1] % chunks), value=-1.0).view(len(alike), -1, chunks)
    best, place = padded.max(dim=1)
    largest, chunk = best.topk(min(_NEAREST, chunks), dim=1)
    return largest, place.gather(1, chunk) * chunks + chunk, best.median(dim=1).values


def _each_once(pairs: Pairs) -> Pairs:
    low, high = np.minimum(pairs.first, pairs.second), np.maximum(pairs.first, pairs.second)
    _, keep = np.unique(np.stack([low, high]), axis=1, return_index=True)
    return Pairs(low[keep], high[keep], pairs.likeness[keep])
