"""The difference of two arms on the same images, each trained with several seeds: its variance, its interval by a bootstrap.

Both images and seeds are samples: other images of the kind and other seeds would give another difference. So both are drawn
anew, crossed: every model meets every image of a draw. Arms are paired by image, which is what matters, and not by seed, which
gains 2 to 3 % and costs half the degrees of freedom; what seeds share makes the interval a little too wide, never too short.
"""

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from policysearch.judging.noise import PRIOR_DEGREES, prior_seed_variance
from policysearch.judging.quantiles import normal_quantile, t_quantile

Bits: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float64]

DRAWS = 10_000


def crossed_variance(sides: Sequence[Bits]) -> tuple[float, float]:
    """The variance of the mean over seeds and images of one side, or of the difference of two; its degrees of freedom.

    Each side is (seeds, images), True = right. By the mean squares of a crossed design: what differs by image, what differs by
    seed, less what both counted, the noise of single answers. Of one seed the variance over seeds is the prior's.
    """
    images = sides[0].shape[1]
    means = [side.mean(axis=0) for side in sides]
    by_image = float(np.var(means[0] - means[1] if len(sides) == 2 else means[0], ddof=1)) / images
    parts = [_seed_part(side, mean) for side, mean in zip(sides, means, strict=True)]
    by_seed = max(0.0, sum(own - twice for own, twice, _ in parts))
    spread = sum(own**2 / degrees for own, _, degrees in parts)
    total = by_image + by_seed
    if total == 0 or spread == 0:
        return total, math.inf
    degrees = total**2 / spread  # Satterthwaite's; of two seeds, which may lie close by chance, it is too many
    return total, degrees if min(map(len, sides)) > 2 else min(degrees, sum(own for _, _, own in parts))


def _seed_part(side: Bits, mean: Floats) -> tuple[float, float, float]:
    """The variance of a side's mean by its seeds; how much of that its images have counted already; its degrees of freedom."""
    seeds, images = side.shape
    if seeds == 1:
        return prior_seed_variance(1 - float(side.mean())), 0.0, PRIOR_DEGREES
    share = side.mean(axis=1)
    variance = float(np.var(share, ddof=1))
    within = float((mean * (1 - mean)).sum()) * seeds  # squares about each image's mean
    residual = max(0.0, within - images * (seeds - 1) * variance) / ((seeds - 1) * (images - 1))
    return variance / seeds, residual / (images * seeds), seeds - 1


def crossed_interval(
    right_winner: Bits, right_baseline: Bits, level: float, generator: np.random.Generator, draws: int = DRAWS
) -> tuple[float, float, float]:
    """The baseline's error less the winner's, and its interval (low, high) at 1 - 2 `level`.

    A bootstrap over images and seeds gives the shape. Drawn crossed it overrates the noise of single answers, and of few seeds it
    underrates the variance over seeds: so its spread is brought to that of `crossed_variance`, and widened as Student's t is.
    """
    difference = float(right_winner.mean() - right_baseline.mean())
    variance, degrees = crossed_variance([right_winner, right_baseline])
    drawn = _drawn(right_winner, right_baseline, generator, draws) - difference
    spread = float(drawn.std())
    if spread == 0:
        return difference, difference, difference
    scale = math.sqrt(variance) / spread * t_quantile(1 - level, degrees) / normal_quantile(1 - level)
    low, high = np.quantile(drawn - drawn.mean(), [level, 1 - level])
    return difference, difference + scale * float(low), difference + scale * float(high)


def _drawn(winner: Bits, baseline: Bits, generator: np.random.Generator, draws: int) -> Floats:
    """The difference in each of so many draws of images and seeds."""
    models = np.concatenate([winner, baseline])
    # Images on which all models answer alike are exchangeable: it is drawn how many of each kind there are, not which.
    kinds, counts = np.unique(np.packbits(models, axis=0), axis=1, return_counts=True)
    answers = np.unpackbits(kinds, axis=0, count=len(models)).astype(np.float64)  # (models, kinds)
    images = generator.multinomial(models.shape[1], counts / counts.sum(), size=draws) @ answers.T  # (draws, models)
    rights = images / models.shape[1]
    chosen = (_seed_weights(len(winner), generator, draws), _seed_weights(len(baseline), generator, draws))
    of_winner: Floats = np.einsum("ds,ds->d", rights[:, : len(winner)], chosen[0])
    of_baseline: Floats = np.einsum("ds,ds->d", rights[:, len(winner) :], chosen[1])
    return of_winner - of_baseline


def _seed_weights(seeds: int, generator: np.random.Generator, draws: int) -> Floats:
    """How much each seed counts in each draw; deviations from the mean are as large as of seeds drawn from all there are."""
    weights = generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws) / seeds
    return 1 / seeds + (weights - 1 / seeds) * math.sqrt(seeds / max(1, seeds - 1))
