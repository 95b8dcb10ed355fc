"""The normal form: every policy, whatever family it comes from, is one `Policy`.

Holds values only, checked when they are made: an invalid policy can't exist. Refuses ops outside the table and library-specific
magnitudes: every number is in the op's physical unit. Drawing is in `draw`, applying in `engines`, the file format in
`policy_json`.
"""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from searchspaces.errors import BadInput
from searchspaces.json_text import shown
from searchspaces.ops import find_op
from searchspaces.ops.op import Op, Parameter

MAX_BRANCHES = 1024
MAX_STEPS = 16


def _check_number(thing: str, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        raise BadInput(f"{thing}: {shown(value)}; allowed is a finite number")


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond what a float holds
        return False


def _check_probability(thing: str, value: float) -> None:
    _check_number(f"{thing} probability", value)
    if not 0 <= value <= 1:
        raise BadInput(f"{thing} probability: {value}; allowed is 0 to 1")


def _check_weight(thing: str, value: float) -> None:
    _check_number(f"{thing} weight", value)
    if not 0 < value <= 1e6:
        raise BadInput(f"{thing} weight: {value}; allowed is above 0 and at most 1e6")


def _check_weights(thing: str, weights: list[float]) -> None:
    if not weights:
        raise BadInput(f"{thing}: nothing to choose from; give at least one")


@dataclass(frozen=True)
class Constant:
    """Always `value`; where `signed`, mirrored about the op's identity value with probability one half."""

    value: float
    signed: bool = False

    @property
    def ends(self) -> tuple[float, ...]:
        """The extreme values that can be drawn, before a sign."""
        return (self.value,)


@dataclass(frozen=True)
class Uniform:
    """Uniform on [`low`, `high`]; where `signed`, mirrored about the op's identity value with probability one half."""

    low: float
    high: float
    signed: bool = False

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise BadInput(f"uniform range: low {shown(self.low)} is above high {shown(self.high)}; give low <= high")

    @property
    def ends(self) -> tuple[float, ...]:
        """The extreme values that can be drawn, before a sign."""
        return (self.low, self.high)


@dataclass(frozen=True)
class Levels:
    """One of `values`, each as likely; where `signed`, mirrored about the op's identity value with probability one half."""

    values: tuple[float, ...]
    signed: bool = False

    def __post_init__(self) -> None:
        if not 1 <= len(self.values) <= 1024:
            raise BadInput(f"levels: {len(self.values)} values; allowed are 1 to 1024")

    @property
    def ends(self) -> tuple[float, ...]:
        """The values that can be drawn, before a sign."""
        return self.values


Distribution: TypeAlias = Constant | Uniform | Levels


@dataclass(frozen=True)
class Choice:
    """One op a step may choose, with a distribution for each of its parameters, in the op's order."""

    op: str
    values: tuple[Distribution, ...]
    weight: float = 1.0

    def __post_init__(self) -> None:
        op = find_op(self.op)
        _check_weight(f"choice {self.op}", self.weight)
        if len(self.values) != len(op.parameters):
            names = ", ".join(parameter.name for parameter in op.parameters)
            raise BadInput(
                f"op {self.op}: {len(self.values)} distributions given; it has {len(op.parameters)} parameters ({names})"
            )
        for parameter, distribution in zip(op.parameters, self.values, strict=True):
            _check_distribution(op, parameter, distribution)


@dataclass(frozen=True)
class Step:
    """With `probability`, one of `choices` by weight is applied; else nothing."""

    choices: tuple[Choice, ...]
    probability: float = 1.0

    def __post_init__(self) -> None:
        _check_probability("step", self.probability)
        _check_weights("step", [choice.weight for choice in self.choices])


@dataclass(frozen=True)
class Branch:
    """A chain of steps, applied in order; `weight` says how often an image takes it."""

    steps: tuple[Step, ...]
    weight: float = 1.0

    def __post_init__(self) -> None:
        _check_weight("branch", self.weight)
        if len(self.steps) > MAX_STEPS:
            raise BadInput(f"branch: {len(self.steps)} steps; allowed are at most {MAX_STEPS}")


@dataclass(frozen=True)
class PadCrop:
    """A window of the image's own size at a uniform place in the image padded by `padding` (fraction of each side, 0 to 0.5)."""

    padding: float

    def __post_init__(self) -> None:
        _check_number("crop padding", self.padding)
        if not 0 < self.padding <= 0.5:
            raise BadInput(f"crop padding: {self.padding}; allowed is above 0 and at most 0.5 of the side (or no crop)")

    def pixels(self, side: int) -> int:
        """The padding of a side of `side` pixels, rounded half up."""
        return math.floor(self.padding * side + 0.5)


@dataclass(frozen=True)
class Base:
    """The plain geometry under every branch: crop, horizontal flip (probability), how geometry resamples, what it moves in.

    `fill` is a grey level, 0 to 255, for all channels. Interpolation is nearest, as in the RandAugment and TrivialAugment code.
    """

    crop: PadCrop | None = None
    hflip: float = 0.0
    interpolation: Literal["nearest"] = "nearest"
    fill: int = 0

    def __post_init__(self) -> None:
        _check_probability("base hflip", self.hflip)
        if self.interpolation != "nearest":
            raise BadInput(f"base interpolation: {self.interpolation!r}; allowed is 'nearest'")
        if isinstance(self.fill, bool) or not isinstance(self.fill, int) or not 0 <= self.fill <= 255:
            raise BadInput(f"base fill: {self.fill!r}; allowed is a whole number from 0 to 255")


@dataclass(frozen=True)
class Policy:
    """What is done to a training image: base, and one branch by weight, `placement` the base's crop.

    Compared and hashed by content. `placement` says whether the branch runs before or after the base's crop and flip.
    """

    base: Base = Base()
    branches: tuple[Branch, ...] = (Branch(steps=()),)
    placement: Literal["before-crop", "after-crop"] = "after-crop"

    def __post_init__(self) -> None:
        if self.placement not in ("before-crop", "after-crop"):
            raise BadInput(f"placement: {self.placement!r}; allowed are 'before-crop', 'after-crop'")
        if len(self.branches) > MAX_BRANCHES:
            raise BadInput(f"policy: {len(self.branches)} branches; allowed are at most {MAX_BRANCHES}")
        _check_weights("policy", [branch.weight for branch in self.branches])

    @property
    def ops(self) -> tuple[str, ...]:
        """The names of all ops the branches can choose, each once, in order of first mention."""
        return tuple(dict.fromkeys(c.op for branch in self.branches for step in branch.steps for c in step.choices))


def _check_distribution(op: Op, parameter: Parameter, distribution: Distribution) -> None:
    thing = f"op {op.name}, {parameter.name}"
    if distribution.signed and not (op.signed and parameter is op.strength):
        raise BadInput(f"{thing}: it has no sign to draw; leave signed out")
    for end in distribution.ends:
        _check_number(thing, end)
        ends = (end, 2 * parameter.identity - end) if distribution.signed else (end,)
        if not all(parameter.low <= value <= parameter.high for value in ends):
            raise BadInput(f"{thing}: {end} {parameter.unit}; allowed is {parameter.low:g} to {parameter.high:g}")
        if parameter.whole and end != int(end):
            raise BadInput(f"{thing}: {end}; allowed are whole numbers ({parameter.unit})")
    if parameter.whole and isinstance(distribution, Uniform):
        raise BadInput(f"{thing}: a uniform range over whole numbers; give levels instead")
