"""Whether the budget is long enough to compare policies: the gap of a plain and a strong baseline, at 1x and 3x the epochs.

Which policy wins depends on how long one trains. Where the order or the gap of the two moves by more than images and seeds can
explain, what wins at this budget would not win at a longer one, and no verdict is given on it.
"""

import math
from dataclasses import dataclass

import numpy as np

from policysearch.judging.crossing import Bits
from policysearch.judging.in_words import percent, points
from policysearch.judging.noise import seed_variance
from policysearch.judging.values import Calibration
from searchspaces.phrases import counted

_SURE = 1.96


@dataclass(frozen=True)
class Length:
    """The plain and the strong baseline after so many epochs: errors on the same images, and bits where they are known."""

    epochs: int
    plain_error: float
    strong_error: float
    images: int
    plain_right: Bits | None = None
    strong_right: Bits | None = None

    @property
    def gap(self) -> float:
        """The plain one's error less the strong one's."""
        return self.plain_error - self.strong_error


def calibrated(
    short: Length, long: Length, repeat: Bits | None = None, plain: str = "flip+crop", strong: str = "TrivialAugment"
) -> Calibration:
    """What the four trainings say; `repeat` are the bits of two seeds of the plain baseline, (2, images), if they are known."""
    seed = seed_variance([] if repeat is None else [repeat], short.plain_error)
    moved = long.gap - short.gap
    resolvable = _SURE * math.sqrt(_by_images(short, long) + 4 * seed)
    both = [abs(length.gap) > _SURE * math.sqrt(_by_images(length, None) + 2 * seed) for length in (short, long)]
    enough = not (abs(moved) > resolvable or (short.gap * long.gap < 0 and all(both)))
    sentence = _sentence(short, long, moved, resolvable, enough, (plain, strong))
    return Calibration(enough, short.gap, long.gap, moved, resolvable, short.epochs, long.epochs, sentence)


def _by_images(one: Length, other: Length | None) -> float:
    """The variance of a gap, or of the difference of two, by the images."""
    lengths = [one] if other is None else [one, other]
    gaps = [
        length.strong_right.astype(np.int8) - length.plain_right
        for length in lengths
        if length.strong_right is not None and length.plain_right is not None
    ]
    if len(gaps) == len(lengths) and len({len(gap) for gap in gaps}) == 1:
        moved = gaps[0] if other is None else gaps[1] - gaps[0]
        return float(np.var(moved)) / len(moved)
    errors = [error for length in lengths for error in (length.plain_error, length.strong_error)]
    return sum(error * (1 - error) for error in errors) / one.images


def _sentence(short: Length, long: Length, moved: float, resolvable: float, enough: bool, names: tuple[str, str]) -> str:
    plain, strong = names
    before = f"at {counted(short.epochs, 'epoch')} {strong} is {_gap_in_words(short.gap, plain)}"
    after = f"at {long.epochs} it is {_gap_in_words(long.gap, plain)}"
    moves = f"the gap moves by {points(abs(moved))}"
    if enough:
        return f"No sign that the budget is too short: {before}, {after}; {moves}, and {percent(resolvable)} may be chance."
    return (
        f"Budget too short to compare policies: {before}, {after}; {moves}, where {percent(resolvable)} may be chance."
        f" Try --epochs {long.epochs}."
    )


def _gap_in_words(gap: float, other: str) -> str:
    if percent(abs(gap)) == "0.0":
        return f"level with {other}"
    return f"{points(abs(gap))} {'ahead of' if gap > 0 else 'behind'} {other}"
