"""Whether ops keep labels: what each op at each strength makes images read as, and where a class is broken.

A net that has never met an op errs on what the op makes, harmless or not; so the share of images still read right is shown, but
breaks nothing by itself. A label is broken where an op *exchanges* two classes: it makes images of one be read as the other,
undoing it makes images of the other be read as the first, and net and nearest neighbours agree on it. Also where nothing is left
to see, where most mirrored images are no longer read as what they are, and where a turn goes half the way to a turn that
exchanges. docs/labels-kept.md has the evidence and the limits.

Images are augmented here only to be asked about; no score of a policy comes of it. Nothing is drawn at random.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int64
from torch import nn

from searchspaces.json_text import one_line
from searchspaces.ops import find_op
from trials.data import Split
from trials.evaluate import evaluating
from trials.label_breaking import MOVES, Judge, Reads, is_blank
from trials.label_readers import Read, Readers, stratified_rows
from trials.machine import reproducible
from trials.pixels import Normaliser
from trials.values import Recipe

MOST_IMAGES = 2_000
USUAL_IMAGES, IMAGES_A_CLASS = 1_000, 50
CLASSES_NAMED, LONGEST_NAME = 3, 40


def unheard(done: int, of: int) -> None:
    """Nobody waits to hear how far it is."""


def kept_labels(
    model: nn.Module,
    train: Split,
    val: Split,
    recipe: Recipe,
    mean: Sequence[float],
    std: Sequence[float],
    strengths: Mapping[str, Sequence[float]],
    heard: Callable[[int, int], None] = unheard,
) -> dict[str, Any]:
    """What ops at their `strengths` do to the labels of validation images, as JSON values.

    `model` was trained on `train` without augmentation, with its `mean` and `std`. At most 2,000 images of `val` are asked about,
    of each class as many. The flips and quarter turns are, too, whatever `strengths` says. Shares are of the images that
    are read right when untouched, so an op that does nothing has 1. `heard` is called after each strength with how many have been
    asked about, and how many are to be: a few may come to it.
    """
    rows = stratified_rows(val.labels, min(MOST_IMAGES, max(USUAL_IMAGES, IMAGES_A_CLASS * len(val.classes))))
    with evaluating(model), reproducible(recipe):
        return _asked(
            Readers(model, train, recipe, Normaliser(mean, std, recipe)), val, rows, dict(strengths) | dict(MOVES), heard
        )


def _asked(
    readers: Readers,
    val: Split,
    rows: Int64[np.ndarray, "images"],
    strengths: Mapping[str, Sequence[float]],
    heard: Callable[[int, int], None],
) -> dict[str, Any]:
    right = rows[readers.read(val.images, rows).net == val.labels[rows]]
    labels = np.array(val.labels[right])
    readers.learn_typical(val.images, right, labels)
    asked = {op: tuple(values) for op, values in strengths.items() if find_op(op).changes(val.images.shape[1])}
    reads: dict[tuple[str, float], Read] = {}

    def ask(questions: Sequence[tuple[str, float]]) -> None:
        of = len(reads) + len(questions)
        for op, value in questions:
            reads[op, value] = readers.read(val.images, right, op, value)
            heard(len(reads), of)

    ask([(op, value) for op, values in asked.items() for value in values])
    ask(_where_blank_begins(reads))
    count = np.bincount(labels, minlength=len(val.classes))
    judge = Judge(val.classes, labels, right, reads)
    return {
        "classes": list(val.classes),
        "images": len(rows),
        "right": int(count.sum()),
        "right_of_class": [int(number) for number in count],
        "ops": {op: [judge.told(op, value) for name, value in sorted(reads) if name == op] for op in sorted(asked)},
    }


def _where_blank_begins(reads: Reads) -> list[tuple[str, float]]:
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
            blank = [is_blank(reads[op, value]) for value in side]
            if any(blank) and not blank[0]:
                inner, outer = side[blank.index(True) - 1], side[blank.index(True)]
                between = [inner + (outer - inner) * share for share in (0.25, 0.5, 0.75)]
                found += [(op, float(round(value)) if strength.whole else value) for value in between]
    return sorted(set(found) - set(reads))


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
