"""The samplers by name: ours, Ray Tune's own, every other of Optuna's by its class name. Refuses names that are none of them."""

from collections.abc import Callable, Mapping

from policysearch.samplers.by_chance import RandomSampler
from policysearch.samplers.grid import GridSampler
from policysearch.samplers.ray_variants import RayGridSampler, RayRandomSampler
from policysearch.samplers.tpe import TpeSampler
from policysearch.samplers.tried import Points, Sampler
from searchspaces.errors import BadInput
from searchspaces.space import SearchSpace
from trials.values import Recipe

SAMPLERS: Mapping[str, Callable[[Points, int], Sampler]] = {
    "tpe": TpeSampler,
    "random": RandomSampler,
    "grid": GridSampler,
    "ray:random": RayRandomSampler,
    "ray:grid": RayGridSampler,
}


def make_sampler(name: str, space: SearchSpace, seed: int, recipe: Recipe | None = None) -> Sampler:
    """The sampler of that name: one of `SAMPLERS`, or the class name of one of Optuna's, such as "GPSampler".

    `recipe` is the study's, which a space may change. Raises BadInput for an unknown name, for one that can't be made without
    more being said, for a library that's missing, and for a grid over a space without end.
    """
    points = Points(space, recipe or Recipe())
    if name in SAMPLERS:
        return SAMPLERS[name](points, seed)
    if not name.endswith("Sampler"):
        classes = "or the class name of an Optuna sampler, such as GPSampler"
        raise BadInput(f"sampler {name!r}: allowed are {', '.join(SAMPLERS)}, {classes}")
    from policysearch.samplers.optuna_live import make_live

    return make_live(name, points, seed)
