"""Worlds with planted truth: what every policy's true error is, how images and seeds blur it, as measured on CIFAR-10.

A net gets an image wrong where a sum of normals is above a threshold: how hard the image is for all, how hard for this policy,
how it came out with this seed. Their shares are such that two policies, and two seeds of one, disagree as often as was measured.
Draws bits only; judges nothing.
"""

import math
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from policysearch.judging.crossing import Bits

Floats = NDArray[np.float64]
NORMAL = NormalDist()
BASELINES = ("none", "flip+crop", "trivialaugment-wide", "randaugment(2,9)", "uniformaugment")


@dataclass(frozen=True)
class World:
    """What is true of a study. Errors, gains and deviations are shares of images, 0 to 1.

    All baselines but "none" have the true error `error`; searched ones N(error - `shift`, `spread`), and never below
    error - `best`; the first `gifted` of them have exactly error - `gain`. `select` is the second validation part; 0: folds.
    """

    name: str
    error: float = 0.26
    gifted: int = 0
    gain: float = 0.0
    shift: float = 0.0
    spread: float = 0.0
    best: float = math.inf
    policies: int = 30
    search: int = 1000
    select: int = 0
    train: int = 4000
    test: int = 10_000
    seeds: int = 5
    finalists: int = 3
    seed_deviation: float = 0.004
    disagreement: float = 0.17
    same_policy: float = 0.155
    none_error: float = 0.40

    def errors(self, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """True errors of the baselines and of the searched policies."""
        free = np.array([self.none_error, *[self.error] * (len(BASELINES) - 1)])
        searched = generator.normal(self.error - self.shift, self.spread, self.policies)
        searched[: self.gifted] = self.error - self.gain
        return free, np.maximum(searched, self.error - max(self.best, self.gain))


@dataclass
class Images:
    """Some images: what is hard for all, and for each policy. Both stay as they are for all who meet the same images."""

    world: World
    generator: np.random.Generator
    count: int
    common: Floats = field(init=False)
    own: dict[int, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.common = self.generator.normal(size=self.count)

    def bits(self, policy: int, error: float, rows: NDArray[np.int64] | None = None) -> Bits:
        """The images (or the `rows` of them) that a net of that policy gets right, trained with a new seed."""
        shared, lasting = (
            correlation(self.world.error, self.world.disagreement),
            correlation(self.world.error, self.world.same_policy),
        )
        if policy not in self.own:
            self.own[policy] = self.generator.normal(size=self.count)
        hard = math.sqrt(shared) * self.common + math.sqrt(lasting - shared) * self.own[policy]
        hard = hard if rows is None else hard[rows]
        luck = self.generator.normal(size=len(hard)) * math.sqrt(1 - lasting)
        of_seed = min(max(error + self.world.seed_deviation * self.generator.normal(), 1e-4), 1 - 1e-4)
        right: Bits = hard + luck < NORMAL.inv_cdf(1 - of_seed)
        return right


@lru_cache(maxsize=64)
def correlation(error: float, disagreement: float) -> float:
    """How far two nets of that error must have the hardness of images in common to disagree on that share of them."""
    points = np.linspace(-8, 8, 4001)
    density = np.exp(-(points**2) / 2) / math.sqrt(2 * math.pi) * (points[1] - points[0])
    threshold = NORMAL.inv_cdf(1 - error)
    low, high = 0.0, 1 - 1e-9
    for _ in range(50):
        middle = (low + high) / 2
        wrong = np.array([NORMAL.cdf(x) for x in (math.sqrt(middle) * points - threshold) / math.sqrt(1 - middle)])
        differ = 2 * float((density * wrong * (1 - wrong)).sum())
        low, high = (middle, high) if differ > disagreement else (low, middle)
    return low
