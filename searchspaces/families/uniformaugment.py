"""UniformAugment: N ops an image, each with probability one half, at a strength uniform from nothing to a share of the maximum.

Two numbers are searched: how many ops, and the one share of all ranges that may be drawn from; (2, 1) is the published policy.
The probability is fixed. The paper draws p ~ U(0, 1) anew for each op of each image and then applies the op with probability p,
which is the same as applying it with probability 1/2: a parameter that changes nothing isn't searched.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from searchspaces.families.family import Family, useful_ops
from searchspaces.levels import rounded
from searchspaces.ops import find_op
from searchspaces.policy import Base, Branch, Choice, Constant, Distribution, Levels, Policy, Step, Uniform
from searchspaces.space import Real, SearchSpace, Whole

PROBABILITY = 0.5

# The published list but for cutout, which is no op here: AutoAugment's ops, so with invert and without identity.
OPS = (
    *("autocontrast", "brightness", "contrast", "equalize", "invert", "posterize", "rotate"),
    *("saturation", "sharpness", "shear_x", "shear_y", "solarize", "translate_x", "translate_y"),
)


def build(channels: int, base: Base) -> SearchSpace:
    """The space for images with this many channels: `ops` (1 to 3) and `range_fraction` (0.1 to 1 of each op's standard span)."""
    names, notes = useful_ops(OPS, channels)
    return SearchSpace(
        name="uniformaugment",
        parameters=(Whole("ops", 1, 3), Real("range_fraction", 0.1, 1.0)),
        decode_with=partial(_decode, names, base),
        notes=notes,
    )


def _decode(names: tuple[str, ...], base: Base, params: Mapping[str, Any]) -> Policy:
    choices = tuple(Choice(name, (_values(name, params["range_fraction"]),)) for name in names)
    return Policy(base, (Branch(steps=(Step(choices, PROBABILITY),) * params["ops"]),))


def _values(name: str, fraction: float) -> Distribution:
    """Uniform from the identity to that share of the standard span; over whole numbers, each of them as likely."""
    op = find_op(name)
    span = op.spans["standard"]
    if span.weak == span.strong:
        return Constant(span.strong)
    far = rounded(span.weak + fraction * (span.strong - span.weak))
    low, high = sorted((span.weak, far))
    if op.strength.whole:
        values = tuple(float(value) for value in range(round(low), round(high) + 1))
        return Levels(values, op.signed) if len(values) > 1 else Constant(values[0], op.signed)
    return Uniform(low, high, op.signed)


FAMILY = Family(
    name="uniformaugment",
    summary="1 to 3 random ops, each on half of the images, at a strength uniform over a share of its range",
    source="LingChen et al. 2020, arXiv 2003.14348; without cutout; ranges of torchvision 0.29 v2.AutoAugment",
    build=build,
)
