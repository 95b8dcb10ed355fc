"""What a search's own errors are worth: the best of them shrunk towards the mean of all, and by how much the lowest flatters.

The model: recorded error = true error + noise; true errors are spread about their mean, the noise has the variance of images and
seed. So the lowest of many is low by luck too, and the less the policies differ, the more of it is luck.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean, variance

from policysearch.judging.in_words import percent, points
from policysearch.judging.noise import Noise
from policysearch.judging.quantiles import expected_maximum
from policysearch.judging.values import Arm, Optimism
from searchspaces.phrases import counted

_LEAST_SPREAD = 0.05  # of the noise's variance: where policies can't be told apart, they stay in the order of their errors


@dataclass(frozen=True)
class Candidate:
    """An arm as the search has scored it, once: images wrong of total. `posterior` is its shrunk error, once it is known."""

    arm: Arm
    wrong: int
    total: int
    posterior: float = math.nan

    @property
    def error(self) -> float:
        """Images wrong of all."""
        return self.wrong / self.total


def spread_variance(candidates: Sequence[Candidate], noise: Noise) -> float:
    """The variance of the true errors: that of the recorded ones less the noise's; 0 where that explains all of it."""
    if len(candidates) < 2:
        return 0.0
    explained = fmean(noise.variance(candidate.total) for candidate in candidates)
    return max(0.0, variance([candidate.error for candidate in candidates]) - explained)


def shrunk(candidates: Sequence[Candidate], noise: Noise) -> tuple[Candidate, ...]:
    """The candidates with their posterior means, in their order. Those of fewer images are shrunk more."""
    if not candidates:
        return ()
    noises = [noise.variance(candidate.total) for candidate in candidates]
    spread = max(spread_variance(candidates, noise), _LEAST_SPREAD * fmean(noises))
    weights = [1 / (spread + own) for own in noises]
    centre = sum(w * c.error for w, c in zip(weights, candidates, strict=True)) / sum(weights)
    factors = [spread / (spread + own) for own in noises]
    return tuple(
        replace(candidate, posterior=centre + factor * (candidate.error - centre))
        for candidate, factor in zip(candidates, factors, strict=True)
    )


def shortlist(candidates: Sequence[Candidate], count: int, noise: Noise) -> tuple[Candidate, ...]:
    """The `count` best policies by posterior mean, each once; ties go to the one with fewer ops an image, then to the earlier."""
    best: dict[str, Candidate] = {}
    for candidate in sorted(shrunk(candidates, noise), key=_place):
        best.setdefault(candidate.arm.digest, candidate)
    return tuple(best.values())[:count]


def best_baselines(candidates: Sequence[Candidate], count: int = 2) -> tuple[Candidate, ...]:
    """The `count` baselines of the lowest errors; ties go to the simpler one. Nothing is shrunk: each is known by name before."""
    return tuple(sorted(candidates, key=lambda free: (free.error, free.arm.complexity.order(), free.arm.number))[:count])


def optimism(candidates: Sequence[Candidate], noise: Noise) -> Optimism | None:
    """By how much the lowest error of these flatters (the winner's curse); None of fewer than two."""
    if len(candidates) < 2:
        return None
    best = min(shrunk(candidates, noise), key=lambda candidate: (candidate.error, candidate.arm.number))
    own, spread = noise.variance(best.total), spread_variance(candidates, noise)
    curse = own / math.sqrt(own + spread) * expected_maximum(len(candidates)) if own > 0 else 0.0
    many, lowest = counted(len(candidates), "policy", "policies"), percent(best.error)
    sentence = (
        f"The lowest error of the searched policies, {lowest} %, is too low by about {points(curse)}, because it was chosen from"
        f" {many} for being low (winner's curse); shrunk towards the mean of all it is {percent(best.posterior)} %."
    )
    return Optimism(curse, len(candidates), math.sqrt(own), math.sqrt(spread), best.posterior, sentence)


def _place(candidate: Candidate) -> tuple[float, float, int]:
    return candidate.posterior, candidate.arm.complexity.ops_an_image, candidate.arm.number
