"""Quantiles of Student's t and the expected maximum of normals, by integrals on a grid: nothing is simulated or looked up."""

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np

_GRID = 20_001
_FAR = 9.0  # standard deviations: beyond is less than 1e-18 of a normal


def normal_quantile(probability: float) -> float:
    """The z such that a standard normal is below it with this probability."""
    return NormalDist().inv_cdf(probability)


@lru_cache(maxsize=512)
def t_quantile(probability: float, degrees: float) -> float:
    """The t that Student's t of so many degrees of freedom (any number above 0) is below with this probability, above 1/2."""
    if degrees > 1e6:
        return normal_quantile(probability)
    # With t = sqrt(degrees) tan(angle) the density is a power of a cosine, on a finite range.
    angles = np.linspace(0.0, math.pi / 2, _GRID)
    density = np.cos(angles) ** (degrees - 1)
    below = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    angle = float(np.interp(2 * probability - 1, below / below[-1], angles))
    return math.sqrt(degrees) * math.tan(angle)


@lru_cache(maxsize=512)
def expected_maximum(count: int) -> float:
    """The mean of the largest of `count` independent standard normals, by integration: 0 for one, 2.51 for a hundred."""
    if count < 1:
        raise ValueError(f"the largest of {count} is none")
    points = np.linspace(-_FAR, _FAR, _GRID)
    density = np.exp(-(points**2) / 2) / math.sqrt(2 * math.pi)
    below = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)]) * (points[1] - points[0])
    largest = points * count * density * np.clip(below, 0.0, 1.0) ** (count - 1)
    return float(np.trapezoid(largest, points))
