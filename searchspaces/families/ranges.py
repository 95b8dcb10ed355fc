"""Distributions over a share of an op's named range, and the parameters that say which share: one, or one for each kind or
op.

Families that draw strengths anew for each image share this. It draws nothing and holds no family.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from searchspaces.errors import BadInput
from searchspaces.levels import rounded
from searchspaces.ops import find_op, op_table
from searchspaces.ops.op import Op, Span
from searchspaces.policy import Constant, Distribution, Levels, Uniform
from searchspaces.space import Real

SHARES = ("one", "kinds", "ops")
SMALLEST_SHARE = 0.1
SPANS = ("uniform", "standard", "albumentations")

CUTOUT_GREY = 121  # the mean of the published code's (125, 123, 114)
# What ops with more values than their strength are given for the others: cutout lies anywhere.
BESIDE: Mapping[str, tuple[Distribution, ...]] = {
    "erase": (Uniform(0.0, 1.0), Uniform(0.0, 1.0), Constant(float(CUTOUT_GREY))),
}


def ranged_ops() -> tuple[str, ...]:
    """The ops that `up_to` knows a range of, in alphabetical order."""
    known = [op for op in op_table() if any(name in op.spans for name in SPANS)]
    return tuple(op.name for op in known if len(op.parameters) == 1 + len(_beside(op)))


def up_to(name: str, share: float) -> tuple[Distribution, ...]:
    """A distribution for each of the op's values: its strength as far as a share (0 to 1) of its range, the others all over.

    The range is UniformAugment's where the op has one, else RandAugment's; for an op of Albumentations it is its own usual one,
    and its other values stay at their identity.
    """
    op = find_op(name)
    return (_strength(op, _span(op), share), *_beside(op))


def _beside(op: Op) -> tuple[Distribution, ...]:
    if "albumentations" in op.spans:
        return tuple(Constant(parameter.identity) for parameter in op.parameters[1:])
    return BESIDE.get(op.name, ())


def _strength(op: Op, span: Span, share: float) -> Distribution:
    """Uniform from the range's weak end to that share of it, with a sign where the op has one.

    Whole numbers are cut off to, as UniformAugment's code does, so that the upper end itself doesn't come up (8 bits kept, which
    is nothing). An op without a strength has its one value.
    """
    if span.weak == span.strong:
        return Constant(span.strong)
    low, high = sorted((span.weak, rounded(span.weak + share * (span.strong - span.weak))))
    if op.strength.whole:
        first = math.floor(low)
        values = tuple(float(value) for value in range(first, max(math.ceil(high), first + 1)))
        return Levels(values, op.signed) if len(values) > 1 else Constant(values[0], op.signed)
    return Uniform(low, high, op.signed)


def share_parameters(name: str, shares: str, ops: Iterable[str]) -> tuple[Real, ...]:
    """The parameters called `name`: one for all, one for each kind of op, or one for each op, if it has a strength."""
    prefixes = dict.fromkeys(_prefix(op, shares) for op in ops if not _is_switch(find_op(op)))
    return tuple(Real(f"{prefix}{name}", SMALLEST_SHARE, 1.0) for prefix in prefixes)


def share_of(op: str, name: str, shares: str, params: Mapping[str, Any]) -> float:
    """The share that params give the op."""
    return float(params.get(f"{_prefix(op, shares)}{name}", 1.0))


def _prefix(op: str, shares: str) -> str:
    return {"one": "", "kinds": f"{find_op(op).kind}.", "ops": f"{parameter_name(op)}."}[shares]


def parameter_name(op: str) -> str:
    """The op's name as parameters of a space are written."""
    return op.lower().replace(":", ".")


def _is_switch(op: Op) -> bool:
    return _span(op).weak == _span(op).strong


def _span(op: Op) -> Span:
    for name in SPANS:
        if name in op.spans:
            return op.spans[name]
    raise BadInput(f"op {op.name}: it has no range called {' or '.join(SPANS)}; it has {', '.join(op.spans) or 'none'}")
