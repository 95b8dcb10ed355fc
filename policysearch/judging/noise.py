"""How noisy an error is, as far as it matters for comparing policies: images that policies disagree on, and seeds.

All policies meet the same images, so that only the images on which they disagree make noise between them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

PRIOR_SHARE = 0.009
PRIOR_DEGREES = 4.0
"""Until a study has measured it, the standard deviation over seeds is taken for 0.9 % of sqrt(p (1 - p)), p being the error.

On CIFAR-10 (4,000 training images, errors of 24 to 44 %) 0.2 to 0.7 points were measured, the images' own noise of 0.3 included:
0.4 points at an error of 26 %. What is measured counts beside it as much as it is worth; the prior is worth 4 degrees of freedom.
"""
_LEAST_OF_PRIOR = 0.25


@dataclass(frozen=True)
class Noise:
    """`disagreement` is the share of images that exactly one of two policies gets right, `gap_squared` the mean square of their
    difference, `same_policy` the disagreement of two seeds of one policy (0 where it is not known, which is on the safe side).
    """

    disagreement: float
    gap_squared: float
    same_policy: float
    seed_variance: float

    def sampling_variance(self, images: int) -> float:
        """The variance of one error by the images, as far as other policies don't share it."""
        return max(0.0, self.disagreement - self.gap_squared) / (2 * images)

    def variance(self, images: int) -> float:
        """The variance of one error by images and seed."""
        return self.sampling_variance(images) + self.seed_variance


def measured_noise(policies: Sequence[NDArray[np.bool_]], repeats: Sequence[NDArray[np.bool_]], errors: Sequence[float]) -> Noise:
    """The noise of a study whose policies got these bits of the same images (True = right), each (images,).

    `repeats` are bits of one policy each, (seeds, images). `errors` are the policies' errors: all there is to go by where bits
    are unknown, when policies count as if they had nothing in common.
    """
    error = fmean(errors) if errors else 0.5
    disagreement, gap_squared = _disagreement(policies) if len(policies) > 1 else (2 * error * (1 - error), 0.0)
    same = [_disagreement(list(repeat))[0] for repeat in repeats if len(repeat) > 1]
    return Noise(disagreement, gap_squared, min(fmean(same) if same else 0.0, disagreement), seed_variance(repeats, error))


def prior_seed_variance(error: float) -> float:
    """The variance over seeds that an error of this size is likely to have."""
    return PRIOR_SHARE**2 * max(error * (1 - error), 1e-4)


def seed_variance(repeats: Sequence[NDArray[np.bool_]], error: float) -> float:
    """The variance of a policy's error over seeds, by what was measured and the prior, each as much as it is worth.

    Of few images the images' own noise hides that of the seeds: then nearly nothing was measured.
    """
    prior = prior_seed_variance(error)
    weights, weighted = PRIOR_DEGREES, PRIOR_DEGREES * prior
    for repeat in repeats:
        seeds, images = repeat.shape
        if seeds < 2:
            continue
        noise = _disagreement(list(repeat))[0] / (2 * images)
        worth = (seeds - 1) * (prior / (prior + noise)) ** 2
        weights += worth
        weighted += worth * (float(np.var(repeat.mean(axis=1), ddof=1)) - noise)
    return max(weighted / weights, _LEAST_OF_PRIOR * prior)


def _disagreement(bits: Sequence[NDArray[np.bool_]]) -> tuple[float, float]:
    """Over all pairs: the mean share of images that exactly one gets right, and the mean square of the difference of errors."""
    stacked = np.stack(bits)
    models, images = stacked.shape
    pairs = models * (models - 1) / 2
    right = stacked.sum(axis=0, dtype=np.float64)
    share = stacked.mean(axis=1)
    gaps = models * float((share**2).sum()) - float(share.sum()) ** 2
    return float((right * (models - right)).sum()) / (pairs * images), max(0.0, gaps) / pairs


def deviation(variance: float) -> float:
    """Its square root."""
    return math.sqrt(max(0.0, variance))
