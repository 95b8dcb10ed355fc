"""RandAugment(N, M): N ops on every image, each one of 14 as likely, all at level M of a named scale.

On the torchvision scale the grid is 3 numbers of ops by 5 levels, 15 cells; it holds (2, 9), torchvision's default. On the
paper's (`scale=paper`: 10 is AutoAugment's maximum, factors go one way) it is 3 by 8, from 2 to 30, and holds the grid that
the paper searched on CIFAR-100. M = 9 is 9 degrees on the one and 27 on the other.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from searchspaces.families.family import Family, useful_ops
from searchspaces.families.option import one_of, op_set
from searchspaces.levels import Scale, having_levels, level_value, levelled_ops, scale_ops
from searchspaces.policy import Base, Branch, Choice, Policy, Step
from searchspaces.space import SearchSpace, Whole

_LEVELS = {"torchvision": Whole("level", 3, 27, step=6), "paper": Whole("level", 2, 30, step=4)}


def build(
    channels: int, base: Base, scale: Scale = "torchvision", ops: tuple[str, ...] | None = None, forbid: tuple[str, ...] = ()
) -> SearchSpace:
    """The space for images with this many channels: `ops` (1 to 3) and `level` (3, 9 ... 27; on the paper's 2, 6 ... 30)."""
    names, notes = useful_ops(having_levels(ops, scale) or scale_ops(scale), channels, forbid)
    return SearchSpace(
        name="randaugment",
        parameters=(Whole("ops", 1, 3), _LEVELS[scale]),
        decode_with=partial(_decode, names, scale, base),
        notes=notes,
    )


def _decode(names: tuple[str, ...], scale: Scale, base: Base, params: Mapping[str, Any]) -> Policy:
    return randaugment(params["ops"], params["level"], scale, names, base)


def randaugment(ops: int, level: int, scale: Scale, names: tuple[str, ...], base: Base) -> Policy:
    """RandAugment(N = `ops`, M = `level` of that scale), each op one of those named, on top of a base."""
    choices = tuple(Choice(name, (level_value(name, level, scale),)) for name in names)
    return Policy(base, (Branch(steps=(Step(choices),) * ops),))


FAMILY = Family(
    name="randaugment",
    summary="N random ops on every image at one common strength: 15 settings of (N, M), torchvision's scale",
    source="Cubuk et al. 2019, arXiv 1909.13719; ranges of torchvision 0.29 v2.RandAugment",
    build=build,
    leaves_out=True,
    options=(
        one_of("scale", "what M counts on: to 30 (torchvision), or to 10 and beyond (the paper's)", tuple(_LEVELS)),
        op_set("ops", "other ops than the paper's 14", levelled_ops, "rotate/shear_x"),
    ),
)
