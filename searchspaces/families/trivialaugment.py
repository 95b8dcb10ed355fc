"""TrivialAugment with its range set free: one op an image, at one of the levels from nothing up to a highest one, all as likely.

Searched are the scale, "standard" (RandAugment's ranges) or "wide", and the highest of its 31 levels: 10 cells. (wide, 30) is
TrivialAugment as published. On the standard scale images move by a share of their side, where the published code moves them by
10 pixels whatever their size; on the wide one by its 32 pixels.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from searchspaces.families.family import Family, useful_ops
from searchspaces.levels import Scale, all_levels, scale_ops
from searchspaces.policy import Base, Branch, Choice, Policy, Step
from searchspaces.space import Categorical, SearchSpace, Whole

_SCALES: dict[str, Scale] = {"standard": "torchvision", "wide": "trivialaugment-wide"}


def build(channels: int, base: Base, forbid: tuple[str, ...] = ()) -> SearchSpace:
    """The space for images with this many channels: `scale` (standard, wide) and `highest_level` (6, 12, 18, 24, 30)."""
    names = {scale: useful_ops(scale_ops(levels), channels, forbid)[0] for scale, levels in _SCALES.items()}
    _, notes = useful_ops(scale_ops("torchvision"), channels, forbid)
    return SearchSpace(
        name="trivialaugment",
        parameters=(Categorical("scale", tuple(_SCALES)), Whole("highest_level", 6, 30, step=6)),
        decode_with=partial(_decode, names, base),
        notes=notes,
    )


def _decode(names: Mapping[str, tuple[str, ...]], base: Base, params: Mapping[str, Any]) -> Policy:
    scale, highest = params["scale"], params["highest_level"]
    choices = tuple(Choice(name, (all_levels(name, _SCALES[scale], highest),)) for name in names[scale])
    return Policy(base, (Branch(steps=(Step(choices),)),))


FAMILY = Family(
    name="trivialaugment",
    summary="one random op an image at a random strength: the standard or the wide ranges, up to a share of them",
    source="Müller and Hutter 2021, arXiv 2103.10158; ranges of torchvision 0.29 v2.RandAugment and v2.TrivialAugmentWide",
    build=build,
    leaves_out=True,
)
