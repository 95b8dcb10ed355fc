"""RandAugment(N, M): N ops on every image, each one of 14 as likely, all at level M of the torchvision scale.

The grid is 3 numbers of ops by 5 levels, 15 cells. It holds (2, 9), torchvision's default. The paper's own M is another scale:
it counts to 10 where this one counts to 30.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from searchspaces.families.family import Family, useful_ops
from searchspaces.levels import level_value, scale_ops
from searchspaces.policy import Base, Branch, Choice, Policy, Step
from searchspaces.space import SearchSpace, Whole


def build(channels: int, base: Base) -> SearchSpace:
    """The space for images with this many channels: `ops` (1 to 3) and `level` (3, 9, 15, 21, 27)."""
    names, notes = useful_ops(scale_ops("torchvision"), channels)
    return SearchSpace(
        name="randaugment",
        parameters=(Whole("ops", 1, 3), Whole("level", 3, 27, step=6)),
        decode_with=partial(_decode, names, base),
        notes=notes,
    )


def _decode(names: tuple[str, ...], base: Base, params: Mapping[str, Any]) -> Policy:
    choices = tuple(Choice(name, (level_value(name, params["level"], "torchvision"),)) for name in names)
    return Policy(base, (Branch(steps=(Step(choices),) * params["ops"]),))


FAMILY = Family(
    name="randaugment",
    summary="N random ops on every image at one common strength: 15 settings of (N, M), torchvision's scale",
    source="Cubuk et al. 2019, arXiv 1909.13719; ranges of torchvision 0.29 v2.RandAugment",
    build=build,
)
