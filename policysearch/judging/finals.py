"""The finalists: mean errors over fresh trainings with how sure they are, who wins, and with which baseline it is compared.

The winner is the lowest mean, then the simplest that is within one standard error of it: of their difference, where both met the
same images, which is smaller than the error of either. The baseline it is compared with is the best of them, by whichever recipe
it does better. This stage only selects: its figures are those of who was chosen by them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, variance

import numpy as np

from policysearch.judging.crossing import Bits, crossed_variance
from policysearch.judging.noise import Noise
from policysearch.judging.quantiles import t_quantile
from policysearch.judging.values import Arm, Finalist

_ALONE = 4.0  # degrees of freedom where one seed has no spread of its own: those of the prior


@dataclass(frozen=True)
class Design:
    """How finalists are scored: all seeds on the same images, or each on a fold of its own (repeated hold-out).

    `ratio` is images scored on for one trained on. Folds share images, so that their errors vary less than errors of new data do:
    Nadeau and Bengio (2003) put 1/J + ratio for 1/J in the variance of the mean of J.
    """

    same_images: bool
    ratio: float = 0.0


@dataclass(frozen=True)
class Runs:
    """An arm's fresh trainings by replicate: error, images, and the bits of its images (True = right) where they are known."""

    arm: Arm
    errors: Mapping[int, float]
    images: int
    right: Mapping[int, Bits] = field(default_factory=dict)

    @property
    def mean(self) -> float:
        """The mean of its errors."""
        return fmean(self.errors.values())

    def bits(self) -> Bits | None:
        """(seeds, images); None where they are not known for all."""
        known = list(self.right.values())
        return np.stack(known) if len(known) == len(self.errors) and len({len(bits) for bits in known}) == 1 else None


def summarised(runs: Runs, design: Design, noise: Noise) -> Finalist:
    """The arm with its mean error and 95 % interval."""
    spread, degrees = _variance([runs], design, noise)
    half = t_quantile(0.975, degrees) * math.sqrt(spread)
    errors = tuple(runs.errors[replicate] for replicate in sorted(runs.errors))
    low, high = max(0.0, runs.mean - half), min(1.0, runs.mean + half)
    return Finalist(runs.arm, errors, runs.mean, math.sqrt(spread), low, high)


def difference(worse: Runs, better: Runs, design: Design, noise: Noise) -> tuple[float, float, float]:
    """The first one's mean error less the other's, its standard error, and its degrees of freedom; paired where that can be."""
    spread, degrees = _variance([worse, better], design, noise)
    return _gap(worse, better, design), math.sqrt(spread), degrees


def choose(finalists: Sequence[Runs], design: Design, noise: Noise) -> tuple[Runs, Runs | None]:
    """The winner, and the best of the baselines; the latter is None where no baseline was trained."""
    order = sorted(finalists, key=lambda runs: (runs.mean, runs.arm.complexity.order(), runs.arm.number))
    lowest = order[0]
    winner = lowest
    for runs in order[1:]:
        gap, error, _ = difference(runs, lowest, design, noise)
        if gap <= error and runs.arm.complexity.order() < winner.arm.complexity.order():
            winner = runs
    return winner, next((runs for runs in order if runs.arm.is_baseline), None)


def _gap(one: Runs, other: Runs, design: Design) -> float:
    shared = sorted(one.errors.keys() & other.errors.keys())
    if design.same_images or not shared:
        return one.mean - other.mean
    return fmean(one.errors[replicate] - other.errors[replicate] for replicate in shared)


def _variance(sides: Sequence[Runs], design: Design, noise: Noise) -> tuple[float, float]:
    """Of the mean of one arm, or of the difference of two; with its degrees of freedom."""
    if not design.same_images:
        return _of_folds(sides, design, noise)
    bits = [side.bits() for side in sides]
    known = [side for side in bits if side is not None]
    if len(known) == len(sides) and len({side.shape[1] for side in known}) == 1:
        return crossed_variance(known)
    return _of_counts(sides, noise)


def _of_folds(sides: Sequence[Runs], design: Design, noise: Noise) -> tuple[float, float]:
    shared = sorted(set.intersection(*(set(side.errors) for side in sides)))
    if len(shared) > 1:
        first, second = sides[0].errors, sides[1].errors if len(sides) == 2 else None
        values = [first[replicate] - (second[replicate] if second else 0.0) for replicate in shared]
        return (1 / len(shared) + design.ratio) * variance(values), len(shared) - 1
    if len(sides) == 2:
        return (1 + design.ratio) * 2 * noise.variance(sides[0].images), _ALONE
    return (1 + design.ratio) * (_alone(sides[0]) + noise.seed_variance), _ALONE


def _of_counts(sides: Sequence[Runs], noise: Noise) -> tuple[float, float]:
    """Where it is not known which images were right: as if each arm had met images of its own."""
    parts, degrees = [], []
    for side in sides:
        seeds = len(side.errors)
        own = variance(side.errors.values()) if seeds > 1 else noise.seed_variance
        parts.append(own / seeds + _alone(side))
        degrees.append(seeds - 1 if seeds > 1 else _ALONE)
    return sum(parts), max(1.0, sum(degrees))


def _alone(side: Runs) -> float:
    """The variance of an error by its images, shared with nobody."""
    return side.mean * (1 - side.mean) / side.images
