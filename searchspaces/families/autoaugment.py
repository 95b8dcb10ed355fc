"""AutoAugment's own space: 5 sub-policies, one drawn per image, of two ops each, all with an op, a probability and a level.

Probabilities are tenths, 0 to 10, and levels 0 to 9, both as in the paper. Levels are read on the scale
"torchvision-autoaugment": 9 is the maximum, 0 is nothing. Ops without a strength pay no heed to their level. The published
policies are 5 such ones laid together, 25 sub-policies.
"""

from collections.abc import Mapping
from functools import partial
from itertools import product
from typing import Any

from searchspaces.families.family import Family, useful_ops
from searchspaces.levels import Scale, level_value, scale_ops, top_level
from searchspaces.policy import Base, Branch, Choice, Policy, Step
from searchspaces.space import Categorical, Parameter, SearchSpace, Whole

SUB_POLICIES = 5
_PLACES = ("first", "second")
_SCALE: Scale = "torchvision-autoaugment"


def build(channels: int, base: Base) -> SearchSpace:
    """The space for images with this many channels: `sub1.first.op`, `.probability_tenths`, `.level` to `sub5.second.level`."""
    names, notes = useful_ops(scale_ops(_SCALE), channels)
    places = [f"sub{number}.{place}" for number, place in product(range(1, SUB_POLICIES + 1), _PLACES)]
    parameters = tuple(parameter for place in places for parameter in _parameters(place, names))
    return SearchSpace("autoaugment", parameters, partial(_decode, base), notes)


def _parameters(place: str, names: tuple[str, ...]) -> tuple[Parameter, ...]:
    return (
        Categorical(f"{place}.op", names),
        Whole(f"{place}.probability_tenths", 0, 10),
        Whole(f"{place}.level", 0, top_level(_SCALE)),
    )


def _decode(base: Base, params: Mapping[str, Any]) -> Policy:
    subs = [f"sub{number}" for number in range(1, SUB_POLICIES + 1)]
    return Policy(base, tuple(Branch(tuple(_step(f"{sub}.{place}", params) for place in _PLACES)) for sub in subs))


def _step(place: str, params: Mapping[str, Any]) -> Step:
    name = params[f"{place}.op"]
    choice = Choice(name, (level_value(name, params[f"{place}.level"], _SCALE),))
    return Step((choice,), params[f"{place}.probability_tenths"] / 10)


FAMILY = Family(
    name="autoaugment",
    summary="5 chains of two ops, one chain an image; each op with a probability and a level of its own",
    source="Cubuk et al. 2019, AutoAugment, arXiv 1805.09501; levels as in torchvision 0.29 v2.AutoAugment (10 bins)",
    build=build,
)
