"""Which classes an op breaks, by what two readers made of images after it.

`trials.label_keeping` says the rule in words; here are its numbers. It holds no images and asks nobody.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from searchspaces.ops import find_op
from trials.label_readers import Read

LEAST_OF_A_CLASS = 10
"""A class of which the net reads fewer images right is not judged."""
EXCHANGED = 0.3
"""The share of a class that must go to another one, both ways: at least, and beyond what goes there of all other classes."""
MIRRORED = 0.5
BLANK = 0.5
MOVES: Mapping[str, tuple[float, ...]] = {"hflip": (1.0,), "vflip": (1.0,), "quarter_turns": (1.0, 2.0, 3.0)}
"""What only carries pixels to other places, so that an image stays as like others as it was; always asked about."""
Z = 1.96  # 95 %, two-sided

Reads = Mapping[tuple[str, float], Read]
Counted = Int64[np.ndarray, "classes classes"]


def is_blank(read: Read) -> bool:
    """Whether of most images nothing is left to see."""
    return len(read.blank) > 0 and float(read.blank.mean()) > BLANK


class Judge:
    """What the reads of all ops mean. They are of images that are read right when untouched: `labels`, at `rows` of their split.

    What is told of a broken class: the `kind` of breaking, `from` and `to` by name (None: all), the `share` of the class that
    goes there, for an exchange the share that comes `back`, and the row of an image for an `example`.
    """

    def __init__(
        self, classes: Sequence[str], labels: Int64[np.ndarray, "images"], rows: Int64[np.ndarray, "images"], reads: Reads
    ) -> None:
        self._classes, self._labels, self._rows, self._reads = classes, labels, rows, reads
        self._count = np.bincount(labels, minlength=len(classes))
        self._judged = self._count >= LEAST_OF_A_CLASS

    def told(self, op: str, value: float) -> dict[str, Any]:
        """One strength of an op: how many images are still read right, over all and per class, and what it breaks."""
        read = self._reads[op, value]
        kept = np.bincount(self._labels[read.net == self._labels], minlength=len(self._classes))
        return {
            "value": value,
            "right": int(kept.sum()),
            "right_of_class": [int(number) for number in kept],
            "blank": int(read.blank.sum()),
            "broken": [*self._blank(read), *self._mirrored(op, read), *self._exchanged(op, value), *self._turned(op, value)],
        }

    def _blank(self, read: Read) -> Iterator[dict[str, Any]]:
        if is_blank(read):
            share, example = float(read.blank.mean()), int(self._rows[read.blank.argmax()])
            yield {"kind": "blank", "from": None, "to": None, "share": share, "example": example}

    def _mirrored(self, op: str, read: Read) -> Iterator[dict[str, Any]]:
        """The classes of which most are no longer read right, where that is so of all images mirrored left to right together.

        Upside down they are mirrored too; but that photos upside down are misread tells nothing by itself.
        """
        if op not in ("hflip", "vflip") or not self._loses_most(self._reads["hflip", 1.0]):
            return
        wrong = read.net != self._labels
        flow = self._counted(read.net, wrong)
        for one in np.flatnonzero(self._judged & (flow.sum(1) > MIRRORED * self._count)):
            other, share = int(flow[one].argmax()), flow[one].sum() / self._count[one]
            yield self._told("mirror", int(one), other, share, wrong & (read.net == other))

    def _loses_most(self, read: Read) -> bool:
        wrong = read.net != self._labels
        return bool(_lowest(wrong.sum(), len(wrong)) > MIRRORED)

    def _exchanged(self, op: str, value: float) -> Iterator[dict[str, Any]]:
        """The pairs of classes that the op exchanges; where it undoes itself once each, the class first of which more goes."""
        undoing = self._undoing(op, value)
        agreed = self._agreed(self._reads[op, value], op)
        there = self._counted(self._reads[op, value].net, agreed)
        back = self._counted(self._reads[op, undoing].net, self._agreed(self._reads[op, undoing], op))
        gone, returned = self._shares(there), self._shares(back).T
        for one, other in np.argwhere(self._goes(there) & self._goes(back).T):
            if undoing != value or (gone[one, other], other) > (returned[one, other], one):
                seen = agreed & (self._reads[op, value].net == other)
                told = self._told("exchange", one, other, gone[one, other], seen)
                yield told | {"back": float(returned[one, other])}

    def _turned(self, op: str, value: float) -> Iterator[dict[str, Any]]:
        """For rotations: what a turn of at most twice the angle exchanges, for images turned either way then meet."""
        for turns in (1.0, 2.0) if op == "rotate" else ():
            if 90 * turns <= 2 * abs(value):
                yield from (found | {"kind": "turned", "turn": 90 * turns} for found in self._exchanged("quarter_turns", turns))

    def _goes(self, flow: Counted) -> np.ndarray:
        """Of which classes enough goes to which others, and more than of the classes that have nothing to do with the two."""
        share, lowest = self._shares(flow), _lowest(flow, self._count[:, None])
        judged = np.where(self._judged[:, None], flow, 0)
        images = (self._count * self._judged).sum() - self._count[:, None] - self._count[None]
        drain = (judged.sum(0)[None] - judged - np.diag(judged)[None]) / np.maximum(images, 1)
        goes: np.ndarray = (lowest >= EXCHANGED) & (share - drain >= EXCHANGED) & self._judged[:, None] & self._judged[None]
        return goes & ~np.eye(len(self._classes), dtype=bool)

    def _shares(self, flow: Counted) -> Float64[np.ndarray, "classes classes"]:
        shares: Float64[np.ndarray, "classes classes"] = flow / np.maximum(self._count, 1)[:, None]
        return shares

    def _agreed(self, read: Read, op: str) -> np.ndarray:
        """Of which images both readers say the same: of moves any neighbours, of what changes pixels the typical ones."""
        agreed: np.ndarray = ~read.blank & (read.net == (read.far if op in MOVES else read.near))
        return agreed

    def _counted(self, said: Int64[np.ndarray, "images"], which: np.ndarray) -> Counted:
        classes = len(self._classes)
        flat = np.bincount(self._labels[which] * classes + said[which], minlength=classes * classes)
        return flat.reshape(classes, classes)

    def _told(self, kind: str, one: int, other: int, share: float, seen: np.ndarray) -> dict[str, Any]:
        """`seen` are the images of which the first of class `one` is the example."""
        example = int(self._rows[(seen & (self._labels == one)).argmax()])
        names = {"from": self._classes[one], "to": self._classes[other]}
        return {"kind": kind, **names, "share": float(share), "example": example}

    def _undoing(self, op: str, value: float) -> float:
        """The strength that goes the other way, where it was asked about; else the same, as flips are undone by flips."""
        other = 4.0 - value if op == "quarter_turns" else 2 * find_op(op).strength.identity - value
        asked = (found for name, found in self._reads if name == op and math.isclose(found, other, abs_tol=1e-9))
        return next(asked, value)


def _lowest(count: Any, total: Any) -> Any:
    """The lower end of Wilson's 95 % interval for a share, or for each of an array of shares; 0 of nothing is 0."""
    total = np.maximum(total, 1)
    share, z2 = count / total, Z * Z / total
    return (share + z2 / 2 - Z * np.sqrt(share * (1 - share) / total + z2 / (4 * total))) / (1 + z2)
