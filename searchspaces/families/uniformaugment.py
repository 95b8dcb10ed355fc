"""UniformAugment: N ops an image, each with probability one half, at a strength uniform from nothing to a share of the
maximum.

Two numbers are searched: how many ops, and the one share of all ranges that may be drawn from; (2, 1) is the published
policy. With `shares=kinds` geometry, tone, colour and texture have a share each, with `shares=ops` every op has. The
probability is fixed. The paper draws p ~ U(0, 1) anew for each op of each image and then applies the op with probability p,
which is the same as applying it with probability 1/2: a parameter that changes nothing isn't searched.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from searchspaces.families.family import Family, useful_ops
from searchspaces.families.option import one_of, op_set
from searchspaces.families.ranges import SHARES, ranged_ops, share_of, share_parameters, up_to
from searchspaces.policy import Base, Branch, Choice, Policy, Step
from searchspaces.space import SearchSpace, Whole

PROBABILITY = 0.5

# The published list: AutoAugment's ops, so with invert and without identity, and cutout.
OPS = (
    *("autocontrast", "brightness", "contrast", "equalize", "erase", "invert", "posterize", "rotate"),
    *("saturation", "sharpness", "shear_x", "shear_y", "solarize", "translate_x", "translate_y"),
)


def build(
    channels: int, base: Base, shares: str = "one", ops: tuple[str, ...] | None = None, forbid: tuple[str, ...] = ()
) -> SearchSpace:
    """The space for images with this many channels: `ops` (1 to 3) and `range_fraction` (0.1 to 1 of each op's range)."""
    names, notes = useful_ops(ops or OPS, channels, forbid)
    return SearchSpace(
        name="uniformaugment",
        parameters=(Whole("ops", 1, 3), *share_parameters("range_fraction", shares, names)),
        decode_with=partial(_decode, names, shares, base),
        notes=notes,
    )


def _decode(names: tuple[str, ...], shares: str, base: Base, params: Mapping[str, Any]) -> Policy:
    fractions = {name: share_of(name, "range_fraction", shares, params) for name in names}
    choices = tuple(Choice(name, up_to(name, fraction)) for name, fraction in fractions.items())
    return Policy(base, (Branch(steps=(Step(choices, PROBABILITY),) * params["ops"]),))


FAMILY = Family(
    name="uniformaugment",
    summary="1 to 3 random ops, each on half of the images, at a strength uniform over a share of its range",
    source="LingChen et al. 2020, arXiv 2003.14348; ranges of its published code",
    build=build,
    leaves_out=True,
    options=(
        one_of("shares", "how many shares are searched: one for all ranges, one for each kind of op, or one for each op", SHARES),
        op_set("ops", "other ops than the published 15", ranged_ops, "rotate/shear_x"),
    ),
)
