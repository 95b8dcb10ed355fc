"""AutoAugment's own space: K sub-policies, one drawn per image, of two ops each, all with an op, a probability and a level.

K is 5, as each controller sample of the paper; fewer make a smaller space, more (to 25, as published) a larger one.
Probabilities are tenths, 0 to 10, and levels 0 to 9, both as in the paper. Levels are read on the scale
"torchvision-autoaugment", where 9 is the maximum and 0 is nothing; with `scale=paper` they are 0 to 10 on the published
code's. An op without a strength has no level. The published policies are 5 of 5 laid together, 25 sub-policies.
"""

from collections.abc import Mapping
from functools import partial
from itertools import product
from typing import Any

from searchspaces.families.family import Family, useful_ops
from searchspaces.families.option import one_of, op_set, whole_number
from searchspaces.levels import Scale, having_levels, level_value, levelled_ops, scale_ops, top_level
from searchspaces.policy import Base, Branch, Choice, Policy, Step
from searchspaces.space import Categorical, Parameter, SearchSpace, When, Whole

SUB_POLICIES = 5
_PLACES = ("first", "second")
_SCALES = ("torchvision-autoaugment", "paper")


def build(
    channels: int,
    base: Base,
    sub_policies: int = SUB_POLICIES,
    scale: Scale = "torchvision-autoaugment",
    ops: tuple[str, ...] | None = None,
    forbid: tuple[str, ...] = (),
) -> SearchSpace:
    """The space for images with this many channels: `sub1.first.op`, `.probability_tenths`, `.level` to `sub5.second.level`."""
    names, notes = useful_ops(having_levels(ops, scale) or scale_ops(scale), channels, forbid)
    subs = tuple(f"sub{number}" for number in range(1, sub_policies + 1))
    places = [f"{sub}.{place}" for sub, place in product(subs, _PLACES)]
    parameters = tuple(parameter for place in places for parameter in _parameters(place, names, scale))
    return SearchSpace("autoaugment", parameters, partial(_decode, subs, names, scale, base), notes)


def _parameters(place: str, names: tuple[str, ...], scale: Scale) -> tuple[Parameter, ...]:
    strong = tuple(name for name in names if _has_strength(name, scale))
    when = None if len(strong) == len(names) else When(f"{place}.op", strong) if strong else None
    levels = (Whole(f"{place}.level", 0, top_level(scale), when=when),) if strong else ()
    ops = (Categorical(f"{place}.op", names),) if len(names) > 1 else ()
    return (*ops, Whole(f"{place}.probability_tenths", 0, 10), *levels)


def _has_strength(name: str, scale: Scale) -> bool:
    return level_value(name, 0, scale) != level_value(name, top_level(scale), scale)


def _decode(subs: tuple[str, ...], names: tuple[str, ...], scale: Scale, base: Base, params: Mapping[str, Any]) -> Policy:
    return Policy(base, tuple(Branch(tuple(_step(f"{sub}.{place}", names, scale, params) for place in _PLACES)) for sub in subs))


def _step(place: str, names: tuple[str, ...], scale: Scale, params: Mapping[str, Any]) -> Step:
    name = params.get(f"{place}.op", names[0])
    choice = Choice(name, (level_value(name, params.get(f"{place}.level", 0), scale),))
    return Step((choice,), params[f"{place}.probability_tenths"] / 10)


FAMILY = Family(
    name="autoaugment",
    summary="5 chains of two ops, one chain an image; each op with a probability and a level of its own",
    source="Cubuk et al. 2019, AutoAugment, arXiv 1805.09501; levels as in torchvision 0.29 v2.AutoAugment (10 bins)",
    build=build,
    leaves_out=True,
    options=(
        whole_number("sub_policies", "how many chains: 1 to 25", 1, 25, SUB_POLICIES),
        one_of("scale", "what levels count on: to 9 (torchvision's bins), or to 10 (the published code's)", _SCALES),
        op_set("ops", "other ops than the 14 of the scale", levelled_ops, "rotate/shear_x"),
    ),
)
