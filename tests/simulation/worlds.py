"""The worlds in which verdicts are tried, how often each came, and the exact bound that a rate of false claims is held to."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from simulation.planted import Images, World
from simulation.playing import DRAWS, Played, play

from policysearch.judging import crossed_interval

LARGE = {"select": 2000, "search": 2000, "train": 16_000}  # a second validation part; without it there are folds
NULLS = (
    World("nothing is better, folds"),
    World("nothing is better, second part", **LARGE),
    World("nothing is better, 100 policies on 500 images", policies=100, search=500, seed_deviation=0.007),
    World("all searched ones are worse or equal", shift=-0.01, spread=0.01, best=0.0, **LARGE),
)
GAINS = (
    World("5 of 30 better by 1 point, folds", gifted=5, gain=0.01),
    World("5 of 30 better by 1 point, second part", gifted=5, gain=0.01, **LARGE),
    World("all better by 1 point, second part", gifted=30, gain=0.01, **LARGE),
    World("5 of 30 better by 2 points, folds", gifted=5, gain=0.02),
    World("5 of 30 better by 2 points, second part", gifted=5, gain=0.02, **LARGE),
    World("5 of 30 better by 3 points, folds", gifted=5, gain=0.03),
)
ALLOWED = 0.05


@dataclass
class Tally:
    """Verdicts of many studies in one world."""

    world: World
    kinds: Counter[str] = field(default_factory=Counter)
    false: int = 0
    covered: int = 0
    tested: int = 0
    optimism: float = 0.0
    expected: float = 0.0

    @property
    def studies(self) -> int:
        """How many."""
        return sum(self.kinds.values())

    def add(self, played: Played) -> None:
        """Count one."""
        self.kinds[played.verdict.kind] += 1
        self.false += played.is_false
        self.covered += played.covers is True
        self.tested += played.covers is not None
        self.optimism += played.optimism
        self.expected += played.expected

    def row(self) -> str:
        """As a row of a table."""
        kinds = [self.kinds[kind] / self.studies for kind in ("better", "not-distinguishable", "worse", "baseline-wins")]
        shares = " | ".join(f"{100 * share:.1f} %" for share in kinds)
        covered = f"{100 * self.covered / self.tested:.1f} % of {self.tested:,}" if self.tested else ""
        curse = f"{100 * self.optimism / self.studies:.2f} / {100 * self.expected / self.studies:.2f}"
        return f"| {self.world.name} | {self.studies:,} | {shares} | {self.false} | {covered} | {curse} |"


HEAD = (
    "| world | studies | better | not distinguishable | worse | use a baseline | false claims | intervals that hold the truth |"
    " optimism: true / told (points) |\n|---|---|---|---|---|---|---|---|---|"
)


def tally(world: World, seeds: Iterable[int]) -> Tally:
    """Play so many studies."""
    found = Tally(world)
    for seed in seeds:
        found.add(play(world, seed))
    return found


def coverage(world: World, pairs: int, level: float) -> tuple[int, int]:
    """How often the interval of two equal policies lies above 0, and below: it may do so in `level` of all cases each."""
    above = below = 0
    for seed in range(pairs):
        generator = np.random.default_rng([7, seed])
        images = Images(world, generator, world.test)
        winner, baseline = (np.stack([images.bits(policy, world.error) for _ in range(world.seeds)]) for policy in (0, 1))
        _, low, high = crossed_interval(winner, baseline, level, generator, DRAWS)
        above += low > 0
        below += high < 0
    return above, below


def least_rate(claims: int, studies: int, confidence: float = 0.99) -> float:
    """Clopper and Pearson's exact lower bound of the rate behind so many claims."""
    if claims == 0:
        return 0.0
    low, high = 0.0, claims / studies
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_least(claims, studies, middle) < 1 - confidence else (low, middle)
    return low


def _at_least(claims: int, studies: int, rate: float) -> float:
    """The chance of that many claims or more."""
    if rate <= 0:
        return 0.0
    logs = (
        math.lgamma(studies + 1) - math.lgamma(k + 1) - math.lgamma(studies - k + 1)
        + k * math.log(rate) + (studies - k) * math.log1p(-rate)
        for k in range(claims)
    )  # fmt: skip
    return 1 - sum(map(math.exp, logs))
