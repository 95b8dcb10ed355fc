"""How sure an error is: intervals, and the smallest difference that so many images can show.

Counts whole images. All formulas are for models that are fixed before the images are seen; an error by which a winner was chosen
from many is lower than its true error, and no interval here mends that.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

# Two-sided test at 5 %, power 80 %: (z(0.975) + z(0.8))^2, each rounded to two places as the tables do.
LEVEL_AND_POWER = (1.96 + 0.84) ** 2


def wilson_interval(wrong: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval (1927, J. Am. Stat. Assoc. 22:209) for the true share of errors, as (low, high) in 0..1.

    Raises ValueError for counts that can't be.
    """
    if not (total > 0 and 0 <= wrong <= total):
        raise ValueError(f"{wrong} wrong of {total} images is impossible")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = wrong / total
    middle = share + z * z / (2 * total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    # At 0 or all wrong the interval reaches the border exactly; rounding must not push it over.
    return (0.0 if wrong == 0 else (middle - half) / scale), (1.0 if wrong == total else (middle + half) / scale)


def disagreement(right_a: Sequence[bool], right_b: Sequence[bool]) -> float:
    """The share (0..1) of images that exactly one of two models gets right; the bits are of the same images in the same order."""
    if not len(right_a) == len(right_b) > 0:
        raise ValueError(f"{len(right_a)} and {len(right_b)} images: two models are compared on the same images, at least one")
    return sum(a != b for a, b in zip(right_a, right_b, strict=True)) / len(right_a)


def resolvable_difference(disagreement: float, total: int) -> float:
    """The smallest difference of two errors (0..1) that a test on the same `total` images shows, given their disagreement.

    McNemar's test (1947, Psychometrika 12:153) at 5 %, two-sided, shows it with 80 % power: n = 7.84 (b - d^2) / d^2, here
    solved for d.
    """
    if not (0 <= disagreement <= 1 and total > 0):
        raise ValueError(f"disagreement {disagreement} on {total} images is impossible")
    return math.sqrt(LEVEL_AND_POWER * disagreement / (total + LEVEL_AND_POWER))
