"""A pretended study from its search to its verdict: planted truth in, all decisions by the functions that judge real ones."""

from dataclasses import dataclass
from statistics import fmean

import numpy as np
from simulation.planted import BASELINES, Images, World

from policysearch.judging import (
    Arm,
    Candidate,
    Complexity,
    Design,
    Noise,
    Runs,
    Tested,
    Verdict,
    best_baselines,
    chosen,
    confirmed,
    measured_noise,
    optimism,
    shortlist,
)
from policysearch.judging.crossing import Bits

DRAWS = 500  # of the bootstrap: the interval's ends are then off by 5 % of its half, at random


@dataclass(frozen=True)
class Played:
    """What came of it: the verdicts before and after the test, and the truth about who was compared (shares of images).

    `gain` is how much better the winner truly is; `optimism` by how much the search's lowest error was too low beside the others,
    and `expected` what it was said to be.
    """

    before: Verdict
    verdict: Verdict
    gain: float
    optimism: float
    expected: float

    @property
    def is_false(self) -> bool:
        """Whether "better" or "worse" was claimed of what is not."""
        return (self.verdict.kind == "better" and self.gain <= 0) or (self.verdict.kind == "worse" and self.gain >= 0)

    @property
    def covers(self) -> bool | None:
        """Whether the test's interval holds the true difference; None without a test."""
        if self.verdict.low is None or self.verdict.high is None:
            return None
        return self.verdict.low <= self.gain <= self.verdict.high


@dataclass(frozen=True)
class Searched:
    """The part of a study before its finalists: all that is known of it."""

    candidates: tuple[Candidate, ...]
    free: tuple[Candidate, ...]
    noise: Noise
    truth: dict[str, float]


def play(world: World, seed: int) -> Played:
    """One study."""
    generator = np.random.default_rng(seed)
    searched = _searched(world, generator)
    entrants = (*shortlist(searched.candidates, world.finalists, searched.noise), *best_baselines(searched.free))
    arms = [candidate.arm for candidate in entrants]
    design, runs = _finalists(world, arms, searched.truth, generator)
    winner, baseline, before = chosen(runs, design, searched.noise, "the test set has not been opened")
    best = min(searched.candidates, key=lambda candidate: candidate.error)
    told = optimism(searched.candidates, searched.noise)
    luck = [searched.truth[each.arm.key] - each.error for each in searched.candidates]  # partly of the images, and all have it
    curse = (searched.truth[best.arm.key] - best.error - fmean(luck), 0.0 if told is None else told.points)
    if baseline is None:
        return Played(before, before, 0.0, *curse)
    gain = searched.truth[baseline.arm.key] - searched.truth[winner.arm.key]
    verdict = confirmed(_tested(world, winner.arm, baseline.arm, searched.truth, generator, seed), DRAWS)
    return Played(before, verdict, gain, *curse)


def _searched(world: World, generator: np.random.Generator) -> Searched:
    free, found = world.errors(generator)
    images = Images(world, generator, world.search)
    arms = [_arm(number, label, "baseline") for number, label in enumerate(BASELINES)]
    arms += [_arm(len(arms) + number, f"policy {number}", "trial") for number in range(world.policies)]
    truth = {arm.key: float(error) for arm, error in zip(arms, (*free, *found), strict=True)}
    bits = {arm.key: images.bits(arm.number, truth[arm.key]) for arm in arms}
    scored = [Candidate(arm, int((~bits[arm.key]).sum()), world.search) for arm in arms]
    plain = arms[1]
    repeat = np.stack([bits[plain.key], images.bits(plain.number, truth[plain.key])])
    known = [bits[arm.key] for arm in arms[1:]][:24]
    noise = measured_noise(known, [repeat], [candidate.error for candidate in scored[1:]])
    split = len(BASELINES)
    return Searched(tuple(scored[split:]), tuple(scored[:split]), noise, truth)


def _finalists(
    world: World, arms: list[Arm], truth: dict[str, float], generator: np.random.Generator
) -> tuple[Design, list[Runs]]:
    """Fresh trainings on a second validation part, or on folds of train and validation, which share images."""
    right: dict[str, dict[int, Bits]] = {arm.key: {} for arm in arms}
    images = Images(world, generator, world.select or world.train + world.search)
    for replicate in range(1, world.seeds + 1):
        rows = None if world.select else generator.choice(images.count, world.search, replace=False)
        for arm in arms:
            right[arm.key][replicate] = images.bits(arm.number, truth[arm.key], rows)
    design = Design(True) if world.select else Design(False, world.search / world.train)
    runs = [
        Runs(
            arm,
            {replicate: 1 - float(bits.mean()) for replicate, bits in right[arm.key].items()},
            world.select or world.search,
            right[arm.key],
        )
        for arm in arms
    ]
    return design, runs


def _tested(
    world: World, winner: Arm, baseline: Arm, truth: dict[str, float], generator: np.random.Generator, seed: int
) -> Tested:
    images = Images(world, generator, world.test)
    bits = [np.stack([images.bits(arm.number, truth[arm.key]) for _ in range(world.seeds)]) for arm in (winner, baseline)]
    return Tested(f"{world.name} {seed}", winner.label, baseline.label, 0.025, 0, bits[0], bits[1])


def _arm(number: int, label: str, role: str) -> Arm:
    ops = (0.0, 1.5, 2.4, 3.3, 2.5)[number] if role == "baseline" else 1.5 + number % 3
    simple = Complexity(role != "baseline", ops, 14, 1, False, 0, 1)
    return Arm(label, label, label, role, label, {}, {}, label, simple, number)
