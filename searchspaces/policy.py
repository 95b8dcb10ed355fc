"""The normal form: every policy, whatever family it comes from, is one `Policy`.

Holds values only, checked when they are made: an invalid policy can't exist. Refuses ops outside the table and library-specific
magnitudes: every number is in the op's physical unit. Drawing is in `draw`, applying in `engines`, the file format in
`policy_json`.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from searchspaces.errors import BadInput
from searchspaces.framing import Base, Batch, PadCrop, ResizedCrop, check_number, check_probability
from searchspaces.json_text import shown
from searchspaces.ops import find_op
from searchspaces.ops.op import Op, Parameter

__all__ = [
    "MAX_BRANCHES",
    "MAX_STEPS",
    "Base",
    "Batch",
    "Branch",
    "Choice",
    "Constant",
    "Distribution",
    "Levels",
    "PadCrop",
    "Policy",
    "ResizedCrop",
    "Step",
    "Uniform",
]

MAX_BRANCHES = 1024
MAX_STEPS = 16
_PLAIN, _UNMIXED = Base(), Batch()


def _check_weight(thing: str, value: float) -> None:
    check_number(f"{thing} weight", value)
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
        check_probability("step", self.probability)
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
class Policy:
    """What is done to training images: base, one branch by weight, `placement` the base, and last the batch part.

    Compared and hashed by content. `placement` says whether the branch runs before or after the base's crop, flips and turns.
    """

    base: Base = _PLAIN
    branches: tuple[Branch, ...] = (Branch(steps=()),)
    placement: Literal["before-crop", "after-crop"] = "after-crop"
    batch: Batch = _UNMIXED

    def __post_init__(self) -> None:
        if self.placement not in ("before-crop", "after-crop"):
            raise BadInput(f"placement: {shown(self.placement)}; allowed are 'before-crop', 'after-crop'")
        if len(self.branches) > MAX_BRANCHES:
            raise BadInput(f"policy: {len(self.branches)} branches; allowed are at most {MAX_BRANCHES}")
        _check_weights("policy", [branch.weight for branch in self.branches])

    @property
    def ops(self) -> tuple[str, ...]:
        """The names of all ops the branches can choose, each once, in order of first mention."""
        return tuple(dict.fromkeys(c.op for branch in self.branches for step in branch.steps for c in step.choices))

    @property
    def moves_pixels(self) -> bool:
        """Whether pixels can leave their places, so that masks and boxes made for the image would no longer fit it."""
        moving = any(find_op(name).kind == "geometry" for name in (*self.base.ops, *self.ops))
        return moving or self.base.resolution != 1


def _check_distribution(op: Op, parameter: Parameter, distribution: Distribution) -> None:
    thing = f"op {op.name}, {parameter.name}"
    if distribution.signed and not (op.signed and parameter is op.strength):
        raise BadInput(f"{thing}: it has no sign to draw; leave signed out")
    for end in distribution.ends:
        check_number(thing, end)
        ends = (end, 2 * parameter.identity - end) if distribution.signed else (end,)
        if not all(parameter.low <= value <= parameter.high for value in ends):
            raise BadInput(f"{thing}: {end} {parameter.unit}; allowed is {parameter.low:g} to {parameter.high:g}")
        if parameter.whole and end != int(end):
            raise BadInput(f"{thing}: {end}; allowed are whole numbers ({parameter.unit})")
    if parameter.whole and isinstance(distribution, Uniform):
        raise BadInput(f"{thing}: a uniform range over whole numbers; give levels instead")
