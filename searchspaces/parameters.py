"""The parameters of a search space: real, whole and categorical, with bounds, and when each of them exists.

It knows no optimiser and no policy. Refuses bounds that make no sense, and values outside of them, by name.
"""

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from searchspaces.errors import BadInput
from searchspaces.json_text import shown

if TYPE_CHECKING:
    import numpy as np

Value: TypeAlias = str | int | float
Params: TypeAlias = Mapping[str, Value]


@dataclass(frozen=True)
class When:
    """A parameter exists only where the one called `name` exists and has one of `values`."""

    name: str
    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        if not self.values or len(set(self.values)) < len(self.values):
            raise BadInput(f"condition on {self.name}: values {self.values!r}; give at least one, each once")

    def holds(self, point: Params) -> bool:
        """Whether it is so at a point that has all parameters which exist."""
        return self.name in point and point[self.name] in self.values

    def to_dict(self) -> dict[str, Any]:
        """The condition as JSON."""
        return {"name": self.name, "values": list(self.values)}


@dataclass(frozen=True)
class Real:
    """A real number from `low` to `high`, both included; searched on a logarithmic scale where `log`."""

    name: str
    low: float
    high: float
    log: bool = False
    when: When | None = None

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
        told = {"kind": "real", "name": self.name, "low": float(self.low), "high": float(self.high), "log": self.log}
        return told | _told(self.when)

    def at(self, share: float) -> float:
        """The value at this share of the way from low to high (0 to 1)."""
        return min(self.low + share * (self.high - self.low), self.high)

    def drawn(self, generator: "np.random.Generator") -> float:
        """A value by chance: uniform, on the logarithm where the parameter says so."""
        if not self.log:
            return float(generator.uniform(self.low, self.high))
        exponent = float(generator.uniform(math.log(self.low), math.log(self.high)))
        return min(max(math.exp(exponent), self.low), self.high)

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
    when: When | None = None

    def __post_init__(self) -> None:
        if self.step < 1 or self.low >= self.high or (self.high - self.low) % self.step:
            raise BadInput(
                f"parameter {self.name}: {self.low} to {self.high} by {self.step}; give whole steps from low up to high"
            )

    def checked(self, value: object) -> int:
        """The value as an int, if it is one of the points."""
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or int(value) not in self.points:
            by = f" in steps of {self.step}" if self.step > 1 else ""
            given = value if isinstance(value, bool) or not isinstance(value, numbers.Integral) else int(value)
            raise BadInput(f"parameter {self.name}: {shown(given)}; allowed is a whole number from {self.low} to {self.high}{by}")
        return int(value)

    def to_dict(self) -> dict[str, Any]:
        """The parameter as JSON."""
        told = {"kind": "whole", "name": self.name, "low": self.low, "high": self.high, "step": self.step}
        return told | _told(self.when)

    def at(self, share: float) -> int:
        """The value at this share of all values (0 to below 1)."""
        return self.points[int(share * len(self.points))]

    def drawn(self, generator: "np.random.Generator") -> int:
        """A value by chance, each as likely."""
        return self.points[int(generator.integers(len(self.points)))]

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
    when: When | None = None

    def __post_init__(self) -> None:
        if len(self.choices) < 2 or len(set(self.choices)) < len(self.choices):
            raise BadInput(f"parameter {self.name}: choices {self.choices!r}; give at least two, each once")

    def checked(self, value: object) -> Value:
        """The choice that equals the value."""
        for choice in self.choices:
            if not isinstance(value, bool) and value == choice:
                return choice
        raise BadInput(f"parameter {self.name}: {shown(value)}; allowed are {', '.join(map(repr, self.choices))}")

    def to_dict(self) -> dict[str, Any]:
        """The parameter as JSON."""
        return {"kind": "categorical", "name": self.name, "choices": list(self.choices)} | _told(self.when)

    def at(self, share: float) -> Value:
        """The choice at this share of all choices (0 to below 1)."""
        return self.choices[int(share * len(self.choices))]

    def drawn(self, generator: "np.random.Generator") -> Value:
        """A choice by chance, each as likely."""
        return self.choices[int(generator.integers(len(self.choices)))]

    @property
    def points(self) -> tuple[Value, ...]:
        """All choices."""
        return self.choices

    @property
    def ends(self) -> tuple[Value, Value]:
        """The first and the last choice."""
        return (self.choices[0], self.choices[-1])


Parameter: TypeAlias = Real | Whole | Categorical


def _as_float(value: numbers.Real) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number beyond what a float holds: outside of every range
        return math.inf


def _told(when: When | None) -> dict[str, Any]:
    """What a condition adds to a parameter's JSON; nothing where there is none, so that older identities stay."""
    return {} if when is None else {"when": when.to_dict()}
