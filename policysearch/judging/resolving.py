"""What the sizes of a study can show at all: the smallest difference of two policies, for search, finalists and test apart.

At 5 % two-sided with 80 % power, by the images on which policies disagree and by the seeds; said before anything is compared.
"""

import math
from dataclasses import dataclass

from policysearch.judging.in_words import points
from policysearch.judging.noise import Noise
from policysearch.judging.values import Resolution
from policysearch.statistics import LEVEL_AND_POWER
from searchspaces.phrases import listed


@dataclass(frozen=True)
class Sizes:
    """Images that search, finalists and test score on; None where there are none. `seeds` train each finalist.

    `fold_ratio` is images scored on for one trained on where finalists have folds; None where all seeds meet the same images.
    """

    search: int | None
    finalists: int | None
    test: int | None
    seeds: int
    fold_ratio: float | None = None


def resolution(noise: Noise, sizes: Sizes) -> Resolution:
    """What these sizes can resolve."""
    search = (
        None if sizes.search is None else _smallest(noise.disagreement / sizes.search + 2 * noise.seed_variance, sizes.search)
    )
    finalists = None if sizes.finalists is None else _of_finalists(noise, sizes.finalists, sizes)
    test = None if sizes.test is None else _smallest(_crossed(noise, sizes.test, sizes.seeds), sizes.test)
    seed = math.sqrt(noise.seed_variance)
    told = [("in the search", search), ("among finalists", finalists), ("on the test", test)]
    parts = [f"{points(value)} {where}" for where, value in told if value is not None]
    disagree, varies = f"{100 * noise.disagreement:.0f} %", points(seed)
    sentence = (
        f"These sizes resolve {listed(parts) or 'nothing'} (with 80 % power at 5 %): two policies disagree on {disagree} of the"
        f" images, and an error varies by about {varies} from seed to seed."
    )
    return Resolution(search, finalists, test, noise.disagreement, seed, sentence)


def _of_finalists(noise: Noise, images: int, sizes: Sizes) -> float:
    if sizes.fold_ratio is None:
        return _smallest(_crossed(noise, images, sizes.seeds), images)
    factor = 1 / sizes.seeds + sizes.fold_ratio
    return _smallest(factor * (noise.disagreement / images + 2 * noise.seed_variance), images / factor)


def _crossed(noise: Noise, images: int, seeds: int) -> float:
    """The variance of the difference of two means over seeds: what seeds of one policy disagree on is averaged out."""
    lasting = noise.disagreement - noise.same_policy
    return (lasting + noise.same_policy / seeds) / images + 2 * noise.seed_variance / seeds


def _smallest(variance: float, images: float) -> float:
    """The d of d^2 = 7.84 (variance - d^2 / images)."""
    return math.sqrt(LEVEL_AND_POWER * variance / (1 + LEVEL_AND_POWER / images))
