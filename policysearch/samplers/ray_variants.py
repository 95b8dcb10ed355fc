"""Ray Tune's own ways to go through a space, with its variant generator: by chance, and every cell of a grid.

Neither keeps a state: a variant depends on the seed and the trial's number. Ray knows no conditions: it draws every parameter,
and those that don't exist at a point are dropped. Refuses a grid over a space without end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from policysearch.samplers.by_chance import DRAWS
from policysearch.samplers.grid import require_cells
from policysearch.samplers.tried import Points, Tried, keys
from searchspaces.space import Value
from trials.seeds import numpy_generator


@dataclass(frozen=True)
class RayRandomSampler:
    """What `tune.Tuner` would draw from the space, without a search algorithm."""

    points: Points
    seed: int
    notes: tuple[str, ...] = ()

    @cached_property
    def _param_space(self) -> dict[str, Any]:
        return self.points.space.to_ray()

    def suggest(self, history: Sequence[Tried], number: int) -> Mapping[str, Value] | None:
        """As `Sampler.suggest` says. A space that is not finite counts as used up after 1,000 draws of known policies."""
        from ray.tune.search.variant_generator import generate_variants

        if self.points.left(history) == []:
            return None
        generator = numpy_generator("sampler", "ray", self.seed, number)
        seen = keys(history)
        for _ in range(DRAWS):
            _, config = next(iter(generate_variants(self._param_space, random_state=generator)))
            point = self.points.space.check(config)
            if self.points.key(point) not in seen:
                return point
        return None


@dataclass(frozen=True)
class RayGridSampler:
    """All cells, in the order of Ray's grid search."""

    points: Points
    seed: int
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_cells("ray:grid", self.points.space)

    @cached_property
    def _cells(self) -> Mapping[str, Mapping[str, Value]]:
        """The first variant of each policy by its key."""
        from ray.tune.search.variant_generator import generate_variants

        from searchspaces.render.ray import param_space

        first: dict[str, Mapping[str, Value]] = {}
        for _, config in generate_variants(param_space(self.points.space, grid=True)):
            point = self.points.space.check(config)
            first.setdefault(self.points.key(point), point)
        return first

    def suggest(self, history: Sequence[Tried], number: int) -> Mapping[str, Value] | None:
        """As `Sampler.suggest` says; neither `number` nor the seed makes a difference."""
        seen = keys(history)
        return next((point for key, point in self._cells.items() if key not in seen), None)
