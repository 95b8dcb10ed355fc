"""What is refused before the first kernel runs: images and plans that the ops can't take, and ops whose library is missing.

Every refusal is a BadInput that names the thing, the value, what is allowed and the cure. It changes nothing and applies nothing.
"""

from collections.abc import Iterable
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

from searchspaces.errors import BadInput
from searchspaces.json_text import shown
from searchspaces.ops import find_op
from searchspaces.ops.op import Op
from searchspaces.plan import NO_OP, Plan

MOST_SIDE = 2**15
"""Pixels a side: places and window corners are whole numbers of 16 bits or floats of 24 in some kernels."""


def check_shape(shape: tuple[int, ...]) -> None:
    """Whether a batch may have this shape: (images, channels, height, width), no images or more, the others at least 1."""
    whole = all(isinstance(size, int | np.integer) and not isinstance(size, bool) for size in shape)
    if len(shape) != 4 or not whole or shape[0] < 0 or min(shape[1:]) < 1 or max(shape[2:]) > MOST_SIDE:
        raise BadInput(
            f"images: shape {tuple(shape)}; allowed are images x channels x height x width, whole numbers, at least 1 channel "
            f"and sides of 1 to {MOST_SIDE} pixels"
        )


def check_ops(names: Iterable[str], channels: int) -> None:
    """Whether these ops take images with so many channels, and what they need is installed."""
    for op in map(find_op, names):
        if not op.accepts(channels):
            allowed = " or ".join(str(count) for count in sorted(op.channels or ()))
            raise BadInput(f"op {op.name}: the images have {channels} channels; it takes {allowed}; leave it out of the policy")
        if op.package and not _is_installed(op.package):
            raise BadInput(
                f"op {op.name}: it needs {op.package}, which is not installed; install it with: pip install "
                f"{op.install or op.package}"
            )


def check_images(images: Any, arrays: bool = False) -> None:
    """Whether these are images: a tensor (with `arrays`, or a numpy array) of uint8, images x channels x height x width."""
    known = isinstance(images, torch.Tensor) or (arrays and isinstance(images, np.ndarray))
    if not known or str(images.dtype).removeprefix("torch.") != "uint8" or images.ndim != 4:
        what = f"{images.dtype} of shape {tuple(images.shape)}" if known else type(images).__name__
        raise BadInput(f"images: {what}; allowed is torch.uint8, images x channels x height x width")
    check_shape(tuple(images.shape))


def check_book(code_book: Any) -> None:
    """Whether this is a plan's code book: names, of which the first is that of no op."""
    if not isinstance(code_book, tuple) or not all(isinstance(name, str) for name in code_book):
        raise BadInput(f"plan: code book {shown(code_book)}; allowed is a tuple of the names of ops")
    if code_book[:1] != ("identity",):
        raise BadInput(f"plan: code book begins with {shown(next(iter(code_book), None))}; allowed is 'identity', which is no op")


def check_plan(plan: Plan, images: int) -> None:
    """Whether the plan is one for so many images: its arrays fit each other, and each value is within its op's limits."""
    for name, array in (("codes", plan.codes), ("values", plan.values), ("seeds", plan.seeds)):
        if not isinstance(array, np.ndarray) and not (name == "seeds" and array is None):
            raise BadInput(f"plan: {name} {shown(array)}; allowed is a numpy array")
    if len(plan) != images:
        raise BadInput(f"plan: {len(plan)} rows for {images} images; draw it for this batch")
    _check_setting(plan)
    _check_arrays(plan)
    limits = _limits(plan.code_book, plan.values.shape[2])
    codes, values = plan.codes, plan.values
    # NaN is in no range.
    allowed = (values >= limits.low[codes]) & (values <= limits.high[codes])
    if limits.whole is not None:
        allowed &= ~limits.whole[codes] | (values == np.rint(values))
    if not allowed.all():
        raise BadInput(_out_of_range(plan, tuple(int(place) for place in np.argwhere(~allowed)[0])))
    if limits.seeded and plan.seeds is None:
        raise BadInput(f"plan: no seeds for op {limits.seeded}, which is noise; draw the plan again")


class _Limits:
    """The lowest and the highest value for each op of a code book and each of its parameters; no limits where nothing is done."""

    def __init__(self, code_book: tuple[str, ...], parameters: int) -> None:
        ops = [find_op(name) for name in code_book]
        self.low = np.full((len(ops), parameters), -np.inf)
        self.high = np.full((len(ops), parameters), np.inf)
        whole = np.zeros((len(ops), parameters), dtype=bool)
        for code, op in enumerate(ops):
            if code != NO_OP:
                _check_width(op, parameters)
                for place, parameter in enumerate(op.parameters):
                    self.low[code, place], self.high[code, place] = parameter.low, parameter.high
                    whole[code, place] = parameter.whole
        self.whole = whole if whole.any() else None
        self.seeded = next((op.name for op in ops if op.seeded), "")


def _check_width(op: Op, parameters: int) -> None:
    if len(op.parameters) > parameters:
        raise BadInput(f"plan: {parameters} values a step; op {op.name} has {len(op.parameters)} parameters; draw the plan again")


_limits = lru_cache(256)(_Limits)


def _check_setting(plan: Plan) -> None:
    if isinstance(plan.fill, bool) or not isinstance(plan.fill, int | np.integer) or not 0 <= plan.fill <= 255:
        raise BadInput(f"plan: fill {shown(plan.fill)}; allowed is a whole number from 0 to 255")
    if plan.interpolation not in ("nearest", "bilinear"):
        raise BadInput(f"plan: interpolation {shown(plan.interpolation)}; allowed are 'nearest', 'bilinear'")
    if not isinstance(plan.resolution, int | float) or not 0 < plan.resolution <= 1:
        raise BadInput(f"plan: resolution {shown(plan.resolution)}; allowed is above 0 and at most 1")


def _check_arrays(plan: Plan) -> None:
    codes, values, seeds = plan.codes, plan.values, plan.seeds
    if codes.ndim != 2 or codes.dtype.kind not in "iu":
        raise BadInput(f"plan: codes of {codes.dtype}, shape {codes.shape}; allowed are whole numbers, images x steps")
    if values.dtype != np.float64 or values.ndim != 3 or values.shape[:2] != codes.shape:
        raise BadInput(
            f"plan: values of {values.dtype}, shape {values.shape}; allowed is float64, images x steps x parameters, as many as "
            f"there are codes, {codes.shape[0]} x {codes.shape[1]}"
        )
    if codes.size and not 0 <= codes.min() <= codes.max() < len(plan.code_book):
        raise BadInput(f"plan: codes {codes.min()} to {codes.max()}; allowed are 0 to {len(plan.code_book) - 1}, as in its book")
    if seeds is not None and (seeds.dtype != np.int64 or seeds.shape != codes.shape or (seeds.size and seeds.min() < 0)):
        raise BadInput(f"plan: seeds of {seeds.dtype}, shape {seeds.shape}; allowed is int64 from 0 on, shape {codes.shape}")


def _out_of_range(plan: Plan, place: tuple[int, ...]) -> str:
    row, step, number = place
    op = find_op(plan.code_book[plan.codes[row, step]])
    parameter = op.parameters[number]
    whole = ", whole" if parameter.whole else ""
    return (
        f"plan, image {row}, step {step}: op {op.name}, {parameter.name} {plan.values[place]:g} {parameter.unit}; "
        f"allowed is {parameter.low:g} to {parameter.high:g}{whole}; draw the plan from a policy"
    )


def _is_installed(library: str) -> bool:
    try:
        return find_spec(library) is not None
    except (ModuleNotFoundError, ValueError):
        return False
