"""A weighted mixture of ops: N ops an image, each drawn by its weight, at a strength uniform from nothing to a searched
maximum.

What it finds is which ops help: UniformAugment with the weights set free. A weight is searched as its logarithm, from 1 down
to 1/100 of another op's, so that an op can all but vanish. The maximum is one share of all ranges; with `shares=kinds` or
`shares=ops` each kind of op or each op has its own.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from searchspaces.families.family import Family, useful_ops
from searchspaces.families.option import one_of, op_set
from searchspaces.families.ranges import SHARES, parameter_name, ranged_ops, share_of, share_parameters, up_to
from searchspaces.levels import rounded, scale_ops
from searchspaces.policy import Base, Branch, Choice, Policy, Step
from searchspaces.space import Real, SearchSpace, Whole

LEAST_LOG10 = -2.0


def build(
    channels: int, base: Base, shares: str = "one", ops: tuple[str, ...] | None = None, forbid: tuple[str, ...] = ()
) -> SearchSpace:
    """The space for images with this many channels: `ops` (1 to 3), `strength` (0.1 to 1), and `<op>.weight_log10` (-2 to 0)."""
    names, notes = useful_ops(ops or scale_ops("torchvision"), channels, forbid)
    weights = tuple(Real(_weight(name), LEAST_LOG10, 0.0) for name in names)
    return SearchSpace(
        name="mixture",
        parameters=(Whole("ops", 1, 3), *share_parameters("strength", shares, names), *weights),
        decode_with=partial(_decode, names, shares, base),
        notes=notes,
    )


def _decode(names: tuple[str, ...], shares: str, base: Base, params: Mapping[str, Any]) -> Policy:
    return Policy(base, (Branch(steps=(Step(tuple(_choice(name, shares, params) for name in names)),) * params["ops"]),))


def _choice(name: str, shares: str, params: Mapping[str, Any]) -> Choice:
    return Choice(name, up_to(name, share_of(name, "strength", shares, params)), weight=rounded(10.0 ** params[_weight(name)]))


def _weight(name: str) -> str:
    return f"{parameter_name(name)}.weight_log10"


FAMILY = Family(
    name="mixture",
    summary="1 to 3 random ops an image, drawn by searched weights, at a strength uniform up to a searched maximum",
    source="this project: UniformAugment (arXiv 2003.14348) with its ops weighted; ranges of its published code",
    build=build,
    leaves_out=True,
    options=(
        one_of("shares", "how many maxima are searched: one for all ops, one for each kind of op, or one for each op", SHARES),
        op_set("ops", "other ops than RandAugment's 14", ranged_ops, "rotate/shear_x"),
    ),
)
