"""Hypothesis strategies of the values that flow: any valid policy, from every corner of the normal form."""

from typing import Any

from hypothesis import strategies as st

from searchspaces.framing import INTERPOLATIONS
from searchspaces.ops import op_table
from searchspaces.ops.op import Op, Parameter
from searchspaces.policy import (
    Base,
    Batch,
    Branch,
    Choice,
    Constant,
    Distribution,
    Levels,
    PadCrop,
    Policy,
    ResizedCrop,
    Step,
    Uniform,
)
from searchspaces.space import Categorical, SearchSpace

WEIGHTS = st.floats(min_value=1e-3, max_value=1e6)
PROBABILITIES = st.sampled_from([0.0, -0.0, 0.5, 1.0, 1]) | st.floats(min_value=0, max_value=1)


def values_of(op: Op, parameter: Parameter, signed: bool) -> st.SearchStrategy[float]:
    """Any value of the parameter; with `signed`, any whose mirror image is one too."""
    low, high = parameter.low, parameter.high
    if signed:
        low, high = max(low, 2 * parameter.identity - high), min(high, 2 * parameter.identity - low)
    if parameter.whole:
        return st.integers(int(low), int(high)).map(float)
    inside = st.floats(low, high).filter(
        lambda value: not signed or parameter.low <= 2 * parameter.identity - value <= parameter.high
    )
    return st.sampled_from([low, high, parameter.identity]) | inside


@st.composite
def distributions(draw: st.DrawFn, op: Op, parameter: Parameter) -> Distribution:
    signed = op.signed and parameter is op.strength and draw(st.booleans())
    values = values_of(op, parameter, signed)
    kind = draw(st.sampled_from(["constant", "levels"] if parameter.whole else ["constant", "levels", "uniform"]))
    if kind == "constant":
        return Constant(draw(values), signed)
    if kind == "levels":
        return Levels(tuple(draw(st.lists(values, min_size=1, max_size=4))), signed)
    low, high = sorted([draw(values), draw(values)])
    return Uniform(low, high, signed)


@st.composite
def choices(draw: st.DrawFn, channels: int) -> Choice:
    op = draw(st.sampled_from([op for op in op_table() if op.accepts(channels)]))
    values = tuple(draw(distributions(op, parameter)) for parameter in op.parameters)
    return Choice(op.name, values, draw(WEIGHTS))


def steps(channels: int) -> st.SearchStrategy[Step]:
    return st.builds(Step, st.lists(choices(channels), min_size=1, max_size=3).map(tuple), PROBABILITIES)


def branches(channels: int) -> st.SearchStrategy[Branch]:
    return st.builds(Branch, st.lists(steps(channels), max_size=3).map(tuple), WEIGHTS)


@st.composite
def resized_crops(draw: st.DrawFn) -> ResizedCrop:
    scale = sorted(draw(st.lists(st.sampled_from([0.01, 1.0]) | st.floats(0.01, 1.0), min_size=2, max_size=2)))
    aspect = sorted(draw(st.lists(st.sampled_from([0.1, 1.0, 10.0]) | st.floats(0.1, 10.0), min_size=2, max_size=2)))
    return ResizedCrop(scale[0], scale[1], aspect[0], aspect[1])


def bases() -> st.SearchStrategy[Base]:
    crops = st.none() | st.builds(PadCrop, st.floats(min_value=0.01, max_value=0.5)) | resized_crops()
    return st.builds(
        Base,
        crops,
        PROBABILITIES,
        st.sampled_from(INTERPOLATIONS),
        st.integers(0, 255),
        st.just(0.0) | PROBABILITIES,
        st.just(0.0) | PROBABILITIES,
        st.just(1.0) | st.floats(0.1, 1.0),
    )


def batches() -> st.SearchStrategy[Batch]:
    alphas = st.sampled_from([0.0, -0.0, 0.01, 10.0]) | st.floats(0.01, 10.0)
    return st.just(Batch()) | st.builds(Batch, alphas, alphas, PROBABILITIES)


def policies(channels: int = 3) -> st.SearchStrategy[Policy]:
    """Any policy whose ops take images with this many channels."""
    chains = st.lists(branches(channels), min_size=1, max_size=3).map(tuple)
    return st.builds(Policy, bases(), chains, st.sampled_from(["before-crop", "after-crop"]), batches())


@st.composite
def points(draw: st.DrawFn, space: SearchSpace) -> dict[str, Any]:
    """Any params of the space, each with those parameters that exist there; the ends more often than not."""
    params: dict[str, Any] = {}
    for parameter in space.parameters:
        if parameter.when is not None and not parameter.when.holds(params):
            continue
        if isinstance(parameter, Categorical):
            params[parameter.name] = draw(st.sampled_from(parameter.choices))
            continue
        low, high = parameter.ends
        inside = st.floats(low, high) if parameter.points is None else st.sampled_from(parameter.points)
        params[parameter.name] = draw(st.sampled_from([low, high]) | inside)
    return params
