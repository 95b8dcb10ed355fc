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


def ranged_ops(spans: tuple[str, ...] = ("uniform", "standard")) -> tuple[str, ...]:
    """The ops with one value that have a range of one of these names, in alphabetical order."""
    return tuple(op.name for op in op_table() if len(op.parameters) == 1 and any(name in op.spans for name in spans))


def up_to(name: str, share: float, spans: tuple[str, ...] = ("uniform", "standard")) -> Distribution:
    """Uniform from the weak end of the op's range to a share of it (0 to 1), with a sign where the op has one.

    The range is the first of `spans` that the op has. Whole numbers are cut off to, as UniformAugment's code does, so that
    the upper end itself doesn't come up (8 bits kept, which is nothing). An op without a strength has its one value.
    """
    op = find_op(name)
    span = _span(op, spans)
    if span.weak == span.strong:
        return Constant(span.strong)
    low, high = sorted((span.weak, rounded(span.weak + share * (span.strong - span.weak))))
    if op.strength.whole:
        first = math.floor(low)
        values = tuple(float(value) for value in range(first, max(math.ceil(high), first + 1)))
        return Levels(values, op.signed) if len(values) > 1 else Constant(values[0], op.signed)
    return Uniform(low, high, op.signed)


def share_parameters(name: str, shares: str, ops: Iterable[str]) -> tuple[Real, ...]:
    """The parameters called `name`: one for all, one for each kind of op, or one for each op. Ops without a strength need none."""
    prefixes = dict.fromkeys(_prefix(op, shares) for op in ops if not isinstance(up_to(op, 1.0), Constant))
    return tuple(Real(f"{prefix}{name}", SMALLEST_SHARE, 1.0) for prefix in prefixes)


def share_of(op: str, name: str, shares: str, params: Mapping[str, Any]) -> float:
    """The share that params give the op."""
    return float(params.get(f"{_prefix(op, shares)}{name}", 1.0))


def _prefix(op: str, shares: str) -> str:
    return {"one": "", "kinds": f"{find_op(op).kind}.", "ops": f"{parameter_name(op)}."}[shares]


def parameter_name(op: str) -> str:
    """The op's name as parameters of a space are written."""
    return op.lower().replace(":", ".")


def _span(op: Op, spans: tuple[str, ...]) -> Span:
    for name in spans:
        if name in op.spans:
            return op.spans[name]
    raise BadInput(f"op {op.name}: it has no range called {' or '.join(spans)}; it has {', '.join(op.spans) or 'none'}")
