"""Independent draws, uniform in each parameter (on its logarithm where the parameter says so). Keeps no state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from policysearch.samplers.tried import Points, Tried, keys
from searchspaces.space import Value
from trials.seeds import numpy_generator

DRAWS = 1000


@dataclass(frozen=True)
class RandomSampler:
    """Draws from a generator of the study's seed and the trial's number. No policy twice."""

    points: Points
    seed: int
    notes: tuple[str, ...] = ()

    def suggest(self, history: Sequence[Tried], number: int) -> Mapping[str, Value] | None:
        """As `Sampler.suggest` says. A space that is not finite counts as used up after 1,000 draws of known policies."""
        generator = numpy_generator("sampler", self.seed, number)
        left = self.points.left(history)
        if left is not None:
            return left[int(generator.integers(len(left)))] if left else None
        seen = keys(history)
        for _ in range(DRAWS):
            point = self.points.space.draw(generator)
            if self.points.key(point) not in seen:
                return point
        return None
