"""Distributions over a share of an op's range, and the parameters that say which share: one, or one for each kind or op.

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

# An op's range is the first of these that it has.
SPANS = ("uniform", "standard", "albumentations")
_OURS = "this project: a photo stays recognisable"
# Ranges of ops whose table entry has none.
_MORE_SPANS = {
    "gaussian_blur": Span(0.0, 2.0, "Chen et al. 2020, SimCLR, arXiv 2002.05709: sigma to 2 pixels"),
    "gaussian_noise": Span(0.0, 25.0, _OURS),
    "jpeg": Span(100.0, 30.0, _OURS),
}
# Ops that go both ways without a sign to draw: how far their strength may lie from its identity, as in the photometric family.
_AROUND = {"brightness_shift": 64.0, "contrast_about_128": 0.5, "gamma": 0.5, "hue": 0.15}
_ANY_TURN = Levels((1.0, 2.0, 3.0))

CUTOUT_GREY = 121  # the mean of the (125, 123, 114) of UniformAugment's code
# What ops with more values than their strength are given for the others; those not here have theirs at its identity.
BESIDE: Mapping[str, tuple[Distribution, ...]] = {
    "erase": (Uniform(0.0, 1.0), Uniform(0.0, 1.0), Constant(float(CUTOUT_GREY))),
}


def ranged_ops() -> tuple[str, ...]:
    """The ops that `up_to` knows a range of, in alphabetical order."""
    return tuple(op.name for op in op_table() if op.name in _AROUND or op.name == "quarter_turns" or _span(op) is not None)


def up_to(name: str, share: float) -> tuple[Distribution, ...]:
    """A distribution for each of the op's values: its strength as far as a share (0 to 1) of its range, then the others."""
    op = find_op(name)
    others = BESIDE.get(name) or tuple(Constant(parameter.identity) for parameter in op.parameters[1:])
    return (_strength(op, share), *others)


def _strength(op: Op, share: float) -> Distribution:
    """Uniform from the range's weak end to that share of it, with a sign where the op has one; an op without a strength has one.

    Whole numbers are as likely as each other, but for the one that is nothing: UniformAugment's code cuts off, so that it never
    keeps 8 bits.
    """
    if op.name == "quarter_turns":
        return _ANY_TURN
    if op.name in _AROUND:
        reach = share * _AROUND[op.name]
        return Uniform(rounded(op.strength.identity - reach), rounded(op.strength.identity + reach))
    span = _span(op)
    if span is None:
        raise BadInput(f"op {op.name}: it has no range; ops that have: {', '.join(ranged_ops())}")
    if span.weak == span.strong:
        return Constant(span.strong)
    far = rounded(span.weak + share * (span.strong - span.weak))
    if op.strength.whole:
        return _whole_numbers(round(span.weak), far, op.signed)
    return Uniform(min(span.weak, far), max(span.weak, far), op.signed)


def _whole_numbers(weak: int, far: float, signed: bool) -> Distribution:
    """The whole numbers after `weak` and up to `far`, at least one."""
    numbers = range(weak + 1, math.ceil(far) + 1) if far > weak else range(math.floor(far), weak)
    values = tuple(float(number) for number in numbers)
    return Levels(values, signed) if len(values) > 1 else Constant(values[0], signed)


def share_parameters(name: str, shares: str, ops: Iterable[str]) -> tuple[Real, ...]:
    """The parameters called `name`: one for all, one for each kind of op, or one for each op, if it has a strength."""
    strong = [op for op in ops if up_to(op, SMALLEST_SHARE) != up_to(op, 1.0)]
    return tuple(Real(prefix + name, SMALLEST_SHARE, 1.0) for prefix in dict.fromkeys(_prefix(op, shares) for op in strong))


def share_of(op: str, name: str, shares: str, params: Mapping[str, Any]) -> float:
    """The share that params give the op."""
    return float(params.get(_prefix(op, shares) + name, 1.0))


def parameter_name(op: str) -> str:
    """The op's name as parameters of a space are written."""
    return op.lower().replace(":", ".")


def _prefix(op: str, shares: str) -> str:
    return {"one": "", "kinds": f"{find_op(op).kind}.", "ops": f"{parameter_name(op)}."}[shares]


def _span(op: Op) -> Span | None:
    return next((op.spans[name] for name in SPANS if name in op.spans), _MORE_SPANS.get(op.name))
