"""Whether ops keep labels: what each op at each strength makes images read as, and where a class is broken.

A net that has never met an op errs on what the op makes, harmless or not; so the share of images still read right is shown, but
breaks nothing by itself. A label is broken where an op *exchanges* two classes: it makes images of one be read as the other,
undoing it makes images of the other be read as the first, and net and nearest neighbours agree on it. Also where nothing is left
to see, where most mirrored images are no longer read as what they are, and where a turn goes half the way to a turn that
exchanges. docs/labels-kept.md has the evidence and the limits.

Images are augmented here only to be asked about; no score of a policy comes of it. Nothing is drawn at random.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int64
from torch import nn

from searchspaces.json_text import one_line
from searchspaces.ops import find_op
from trials.data import Split
from trials.label_readers import Read, Readers, stratified_rows
from trials.machine import reproducible
from trials.pixels import Normaliser
from trials.values import Recipe

MOST_IMAGES = 2_000
USUAL_IMAGES, IMAGES_A_CLASS = 1_000, 50
LEAST_OF_A_CLASS = 10
"""A class of which the net reads fewer images right is not judged."""
EXCHANGED = 0.3
"""The share of a class that must go to another one, both ways: at least, and beyond what goes there of all other classes."""
MIRRORED = 0.5
BLANK = 0.5
MOVES: Mapping[str, tuple[float, ...]] = {"hflip": (1.0,), "vflip": (1.0,), "quarter_turns": (1.0, 2.0, 3.0)}
"""What only carries pixels to other places, so that an image stays as like others as it was; always asked about."""
CLASSES_NAMED, LONGEST_NAME = 3, 40
Z = 1.96  # 95 %, two-sided

Counted = Int64[np.ndarray, "classes classes"]


def kept_labels(
    model: nn.Module,
    train: Split,
    val: Split,
    recipe: Recipe,
    mean: Sequence[float],
    std: Sequence[float],
    strengths: Mapping[str, Sequence[float]],
) -> dict[str, Any]:
    """What ops at their `strengths` do to the labels of validation images, as JSON values.

    `model` was trained on `train` without augmentation, with its `mean` and `std`. At most 2,000 images of `val` are asked about,
    of each class as many. The flips and quarter turns are, too, whatever `strengths` says. Shares are of the images that
    are read right when untouched, so an op that does nothing has 1.
    """
    rows = stratified_rows(val.labels, min(MOST_IMAGES, max(USUAL_IMAGES, IMAGES_A_CLASS * len(val.classes))))
    was_training = model.training
    model.eval()
    try:
        with reproducible(recipe):
            return _asked(Readers(model, train, recipe, Normaliser(mean, std, recipe)), val, rows, dict(strengths) | dict(MOVES))
    finally:
        model.train(was_training)


def _asked(
    readers: Readers, val: Split, rows: Int64[np.ndarray, "images"], strengths: Mapping[str, Sequence[float]]
) -> dict[str, Any]:
    right = rows[readers.read(val.images, rows).net == val.labels[rows]]
    labels = np.array(val.labels[right])
    readers.learn_typical(val.images, right, labels)
    asked = {op: tuple(values) for op, values in strengths.items() if find_op(op).changes(val.images.shape[1])}
    reads = {(op, value): readers.read(val.images, right, op, value) for op, values in asked.items() for value in values}
    for op, value in _where_blank_begins(reads):
        reads[op, value] = readers.read(val.images, right, op, value)
    count = np.bincount(labels, minlength=len(val.classes))
    judge = _Judge(val.classes, labels, reads)
    return {
        "classes": list(val.classes),
        "images": len(rows),
        "right": int(count.sum()),
        "right_of_class": [int(number) for number in count],
        "ops": {op: [judge.told(op, value) for name, value in sorted(reads) if name == op] for op in sorted(asked)},
    }


def _where_blank_begins(reads: Mapping[tuple[str, float], Read]) -> list[tuple[str, float]]:
    """Strengths between the last that leaves something to see and the first that does not: three more to ask about on each side.

    Seeing needs no net, and a range that merely ends in nothing should lose little of itself.
    """
    found = []
    for op in {name for name, _ in reads}:
        strength = find_op(op).strength
        for way in (-1, 1):
            side = sorted(
                (value for name, value in reads if name == op and way * (value - strength.identity) > 0), key=lambda v: way * v
            )
            blank = [_is_blank(reads[op, value]) for value in side]
            if any(blank) and not blank[0]:
                inner, outer = side[blank.index(True) - 1], side[blank.index(True)]
                between = [inner + (outer - inner) * share for share in (0.25, 0.5, 0.75)]
                found += [(op, float(round(value)) if strength.whole else value) for value in between]
    return sorted(set(found) - set(reads))


def _is_blank(read: Read) -> bool:
    return len(read.blank) > 0 and float(read.blank.mean()) > BLANK


class _Judge:
    """What the reads of all ops mean."""

    def __init__(
        self, classes: Sequence[str], labels: Int64[np.ndarray, "images"], reads: Mapping[tuple[str, float], Read]
    ) -> None:
        self._classes, self._labels, self._reads = classes, labels, reads
        self._count = np.bincount(labels, minlength=len(classes))

    def told(self, op: str, value: float) -> dict[str, Any]:
        """One strength of an op: shares still read right, and which classes it breaks."""
        read = self._reads[op, value]
        kept = np.bincount(self._labels[read.net == self._labels], minlength=len(self._classes))
        return {
            "value": value,
            "right": int(kept.sum()),
            "right_of_class": [int(number) for number in kept],
            "blank": int(read.blank.sum()),
            "broken": [*self._blank(read), *self._mirrored(op, read), *self._exchanged(op, value), *self._turned(op, value)],
        }

    def _blank(self, read: Read) -> list[dict[str, Any]]:
        if not _is_blank(read):
            return []
        return [{"kind": "blank", "from": None, "to": None, "share": float(read.blank.mean())}]

    def _mirrored(self, op: str, read: Read) -> list[dict[str, Any]]:
        """The classes of which most are no longer read right, where that is so of all images together."""
        wrong = read.net != self._labels
        if op != "hflip" or _lowest(int(wrong.sum()), len(wrong)) <= MIRRORED:
            return []
        flow = self._counted(read.net, np.ones(len(wrong), dtype=bool))
        found = []
        for one in self._judged():
            others = np.where(np.arange(len(flow)) == one, 0, flow[one])
            share = others.sum() / self._count[one]
            if share > MIRRORED:
                found.append(self._told("mirror", one, int(others.argmax()), float(share)))
        return found

    def _exchanged(self, op: str, value: float) -> list[dict[str, Any]]:
        """The pairs of classes that the op exchanges; such a pair is told once, the class of which more goes over first."""
        there, back = self._agreed(op, value), self._agreed(op, _undoing(op, value, self._reads))
        found, judged = [], self._judged()
        for one in judged:
            for other in judged:
                ahead, behind = self._share(there, one, other), self._share(back, other, one)
                first = ahead > behind or (ahead == behind and one < other) or _undoing(op, value, self._reads) != value
                if one != other and first and self._goes(there, one, other) and self._goes(back, other, one):
                    found.append(self._told("exchange", one, other, ahead) | {"back": behind})
        return found

    def _turned(self, op: str, value: float) -> list[dict[str, Any]]:
        """For rotations: what a turn of at most twice the angle exchanges, one image turned so far and one the other way meet."""
        if op != "rotate":
            return []
        reached = [turns for turns in (1.0, 2.0) if 90 * turns <= 2 * abs(value)]
        return [
            found | {"kind": "turned", "turn": 90 * turns}
            for turns in reached
            for found in self._exchanged("quarter_turns", turns)
        ]

    def _goes(self, flow: Counted, one: int, other: int) -> bool:
        """Whether enough of a class goes to another, and more than of the classes that have nothing to do with it."""
        third = [place for place in self._judged() if place not in (one, other)]
        drain = flow[third, other].sum() / max(1, self._count[third].sum())
        share = self._share(flow, one, other)
        return _lowest(int(flow[one, other]), int(self._count[one])) >= EXCHANGED and share - drain >= EXCHANGED

    def _share(self, flow: Counted, one: int, other: int) -> float:
        return float(flow[one, other] / self._count[one])

    def _agreed(self, op: str, value: float) -> Counted:
        """What both readers say, [class, class read]: of moves by any neighbours, of what changes pixels by typical ones."""
        read = self._reads[op, value]
        return self._counted(read.net, ~read.blank & (read.net == (read.far if op in MOVES else read.near)))

    def _counted(self, said: Int64[np.ndarray, "images"], which: np.ndarray) -> Counted:
        classes = len(self._classes)
        flat = np.bincount(self._labels[which] * classes + said[which], minlength=classes * classes)
        return flat.reshape(classes, classes)

    def _judged(self) -> list[int]:
        return [int(one) for one in np.flatnonzero(self._count >= LEAST_OF_A_CLASS)]

    def _told(self, kind: str, one: int, other: int, share: float) -> dict[str, Any]:
        return {"kind": kind, "from": self._classes[one], "to": self._classes[other], "share": share}


def broken_in_words(broken: Sequence[Mapping[str, Any]]) -> str:
    """What an op at one strength breaks, by its list `broken` in the table."""
    if broken[0]["kind"] == "blank":
        return "leaves nothing to see"
    pairs = [_pair_in_words(found) for found in broken]
    more = f" and {len(pairs) - CLASSES_NAMED} more" if len(pairs) > CLASSES_NAMED else ""
    return f"breaks class{'es' if len(pairs) > 1 else ''} {', '.join(pairs[:CLASSES_NAMED])}{more}"


def _pair_in_words(found: Mapping[str, Any]) -> str:
    one, other = (one_line(str(found[end]), LONGEST_NAME) for end in ("from", "to"))
    if found["kind"] == "turned":
        return f"{one} (turned by {found['turn']:.0f} degrees it is read as {other}, so there are turns at which the two meet)"
    return f"{one} (read as {other}{', and the other way round' if found['kind'] == 'exchange' else ''})"


def _undoing(op: str, value: float, reads: Mapping[tuple[str, float], Read]) -> float:
    """The strength that goes the other way, where it was asked about; else the same, as flips are undone by flips."""
    other = 4.0 - value if op == "quarter_turns" else 2 * find_op(op).strength.identity - value
    near = [asked for name, asked in reads if name == op and math.isclose(asked, other, abs_tol=1e-9)]
    return near[0] if near else value


def _lowest(count: int, total: int) -> float:
    """The lower end of Wilson's 95 % interval for a share."""
    if not total:
        return 0.0
    share, z2 = count / total, Z * Z / total
    return (share + z2 / 2 - Z * math.sqrt(share * (1 - share) / total + z2 / (4 * total))) / (1 + z2)
