"""A search space: named parameters with bounds, and how a point of them is decoded to a policy.

It knows no optimiser: `searchspaces.render` writes it in Optuna's and Ray Tune's words. Refuses points with a parameter missing,
unknown or out of range, by name.
"""

import itertools
import math
import numbers
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeAlias

from searchspaces.errors import BadInput
from searchspaces.json_text import shown
from searchspaces.policy import Policy
from searchspaces.policy_json import digest

if TYPE_CHECKING:
    import optuna

Value: TypeAlias = str | int | float
Params: TypeAlias = Mapping[str, Value]

MAX_CELLS = 10_000


@dataclass(frozen=True)
class Real:
    """A real number from `low` to `high`, both included; searched on a logarithmic scale where `log`."""

    name: str
    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise BadInput(f"parameter {self.name}: from {self.low} to {self.high}; give finite bounds, low below high")
        if self.log and self.low <= 0:
            raise BadInput(f"parameter {self.name}: low {self.low} on a logarithmic scale; give one above 0")

    def checked(self, value: object) -> float:
        """The value as a float, if it is in the range."""
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not self.low <= _as_float(value) <= self.high:
            raise BadInput(f"parameter {self.name}: {shown(value)}; allowed is a number from {self.low:g} to {self.high:g}")
        return float(value)

    def to_dict(self) -> dict[str, Any]:
        """The parameter as JSON."""
        return {"kind": "real", "name": self.name, "low": float(self.low), "high": float(self.high), "log": self.log}

    def at(self, share: float) -> float:
        """The value at this share of the way from low to high (0 to 1)."""
        return min(self.low + share * (self.high - self.low), self.high)

    @property
    def points(self) -> None:
        """Too many to list."""
        return None

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest value."""
        return (self.low, self.high)


@dataclass(frozen=True)
class Whole:
    """A whole number `low`, `low` + `step`, ... up to `high`, both ends included."""

    name: str
    low: int
    high: int
    step: int = 1

    def __post_init__(self) -> None:
        if self.step < 1 or self.low >= self.high or (self.high - self.low) % self.step:
            raise BadInput(
                f"parameter {self.name}: {self.low} to {self.high} by {self.step}; give whole steps from low up to high"
            )

    def checked(self, value: object) -> int:
        """The value as an int, if it is one of the points."""
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or int(value) not in self.points:
            by = f" in steps of {self.step}" if self.step > 1 else ""
            raise BadInput(f"parameter {self.name}: {value!r}; allowed is a whole number from {self.low} to {self.high}{by}")
        return int(value)

    def to_dict(self) -> dict[str, Any]:
        """The parameter as JSON."""
        return {"kind": "whole", "name": self.name, "low": self.low, "high": self.high, "step": self.step}

    def at(self, share: float) -> int:
        """The value at this share of all values (0 to below 1)."""
        return self.points[int(share * len(self.points))]

    @property
    def points(self) -> range:
        """All values, ascending."""
        return range(self.low, self.high + 1, self.step)

    @property
    def ends(self) -> tuple[int, int]:
        """The lowest and the highest value."""
        return (self.low, self.high)


@dataclass(frozen=True)
class Categorical:
    """One of `choices`: text or numbers, at least two, without an order."""

    name: str
    choices: tuple[Value, ...]

    def __post_init__(self) -> None:
        if len(self.choices) < 2 or len(set(self.choices)) < len(self.choices):
            raise BadInput(f"parameter {self.name}: choices {self.choices!r}; give at least two, each once")

    def checked(self, value: object) -> Value:
        """The choice that equals the value."""
        for choice in self.choices:
            if not isinstance(value, bool) and value == choice:
                return choice
        raise BadInput(f"parameter {self.name}: {value!r}; allowed are {', '.join(map(repr, self.choices))}")

    def to_dict(self) -> dict[str, Any]:
        """The parameter as JSON."""
        return {"kind": "categorical", "name": self.name, "choices": list(self.choices)}

    def at(self, share: float) -> Value:
        """The choice at this share of all choices (0 to below 1)."""
        return self.choices[int(share * len(self.choices))]

    @property
    def points(self) -> tuple[Value, ...]:
        """All choices."""
        return self.choices

    @property
    def ends(self) -> tuple[Value, Value]:
        """The first and the last choice."""
        return (self.choices[0], self.choices[-1])


def _as_float(value: numbers.Real) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number beyond what a float holds: outside of every range
        return math.inf


def _fixed_share(name: str, number: int) -> float:
    """From 0 to below 1, as if drawn, but the same for ever and on every machine."""
    return int.from_bytes(sha256(f"{name} {number}".encode()).digest()[:4]) / 2**32


Parameter: TypeAlias = Real | Whole | Categorical


@dataclass(frozen=True)
class SearchSpace:
    """A family's policies as points of named parameters.

    `decode_with` gets every parameter, checked and as a plain str, int or float, and must be a pure function of them. `notes` are
    sentences for the user, such as which ops were left out for grey images.
    """

    name: str
    parameters: tuple[Parameter, ...]
    decode_with: Callable[[Mapping[str, Any]], Policy]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [parameter.name for parameter in self.parameters]
        for name in names:
            # Ray Tune reads "/" as nesting, and params become columns and metric names.
            if not re.fullmatch(r"[a-z][a-z0-9_.]*", name):
                raise BadInput(f"space {self.name}: parameter {name!r}; allowed are lower-case letters, digits, '_' and '.'")
            if names.count(name) > 1:
                raise BadInput(f"space {self.name}: parameter {name!r} given twice; give each name once")
        if not names:
            raise BadInput(f"space {self.name}: it has no parameters; give at least one")

    def check(self, params: Mapping[str, object]) -> dict[str, Value]:
        """The params in the space's order, as plain values. BadInput names what is missing, unknown or out of range."""
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in params:
            if name not in known:
                raise BadInput(f"space {self.name}: unknown parameter {name!r}; it has {', '.join(known)}")
        for name in known:
            if name not in params:
                raise BadInput(f"space {self.name}: parameter {name} is missing; give {', '.join(known)}")
        try:
            return {name: parameter.checked(params[name]) for name, parameter in known.items()}
        except BadInput as error:
            raise BadInput(f"space {self.name}: {error}") from None

    def decode(self, params: Mapping[str, object]) -> Policy:
        """The policy at a point: the same one for the same params, always."""
        return self.decode_with(self.check(params))

    def cells(self) -> list[dict[str, Value]] | None:
        """All points, the last parameter varying fastest; None where there are more than 10,000 or a parameter is real."""
        axes = [parameter.points for parameter in self.parameters]
        finite = [axis for axis in axes if axis is not None]
        if len(finite) < len(axes) or math.prod(len(axis) for axis in finite) > MAX_CELLS:
            return None
        names = [parameter.name for parameter in self.parameters]
        return [dict(zip(names, point, strict=True)) for point in itertools.product(*finite)]

    def to_dict(self) -> dict[str, Any]:
        """What makes this space this space, as JSON: its parameters, and the digests of some of its policies.

        The digests stand for the code of `decode`: base, channels and what a level means enter through them. They are of the two
        ends, and of 16 points inside that depend on the parameters' names alone; `inside` is the SHA-256 of these.
        """
        parameters = [parameter.to_dict() for parameter in self.parameters]
        ends = [digest(self.decode({p.name: p.ends[end] for p in self.parameters})) for end in (0, 1)]
        inside = [
            digest(self.decode({p.name: p.at(_fixed_share(p.name, number)) for p in self.parameters})) for number in range(16)
        ]
        return {"name": self.name, "parameters": parameters, "ends": ends, "inside": sha256("".join(inside).encode()).hexdigest()}

    def suggest(self, trial: "optuna.trial.BaseTrial") -> Policy:
        """The policy that an Optuna trial suggests; the params are in `trial.params` under our names."""
        from searchspaces.render.optuna import suggest

        return self.decode(suggest(self, trial))

    def to_optuna(self) -> dict[str, "optuna.distributions.BaseDistribution"]:
        """The space as Optuna's distributions, for `study.ask` and samplers."""
        from searchspaces.render.optuna import distributions

        return distributions(self)

    def to_ray(self) -> dict[str, Any]:
        """The space as Ray Tune's `param_space`; `decode` reads the config that comes out of it."""
        from searchspaces.render.ray import param_space

        return param_space(self)
