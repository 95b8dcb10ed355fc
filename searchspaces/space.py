"""A search space: named parameters with bounds and conditions, and how a point of them is decoded to a policy.

It knows no optimiser: `searchspaces.render` writes it in Optuna's and Ray Tune's words. Refuses points with a parameter missing,
unknown or out of range, by name.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from searchspaces.conditions import all_points, check_conditions, count_points, most_active, reaching
from searchspaces.errors import BadInput
from searchspaces.json_text import canonical_json, shown
from searchspaces.parameters import Categorical, Parameter, Params, Real, Value, When, Whole
from searchspaces.policy import Policy
from searchspaces.policy_json import digest
from searchspaces.recipe_fields import USUAL

if TYPE_CHECKING:
    import numpy as np
    import optuna

__all__ = ["MAX_CELLS", "RECIPE", "Categorical", "Parameter", "Params", "Real", "SearchSpace", "Value", "When", "Whole"]

MAX_CELLS = 10_000
RECIPE = "recipe."
"""What the names of parameters begin with that say how to train; `decode` leaves them out."""


@dataclass(frozen=True, eq=False)
class SearchSpace:
    """A family's policies as points of named parameters. Compared by content: what `to_dict` says.

    `decode_with` gets every parameter that exists at a point, checked and as a plain str, int or float, and all of `fixed`:
    values that are decoded but not searched. It must be a pure function of them. `notes` are sentences for the user, such as
    which ops were left out for grey images.
    """

    name: str
    parameters: tuple[Parameter, ...]
    decode_with: Callable[[Mapping[str, Any]], Policy]
    notes: tuple[str, ...] = ()
    fixed: Mapping[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [*(parameter.name for parameter in self.parameters), *self.fixed]
        for name in names:
            # Ray Tune reads "/" as nesting, and params become columns and metric names.
            if not re.fullmatch(r"[a-z][a-z0-9_.]*", name):
                raise BadInput(f"space {self.name}: parameter {name!r}; allowed are lower-case letters, digits, '_' and '.'")
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise BadInput(f"space {self.name}: parameter {twice!r} given twice; give each name once")
        if not self.parameters:
            raise BadInput(f"space {self.name}: it has no parameters; give at least one")
        try:
            check_conditions(self.parameters)
        except BadInput as error:
            raise BadInput(f"space {self.name}: {error}") from None

    def __eq__(self, other: object) -> bool:
        return self._content == other._content if isinstance(other, SearchSpace) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._content)

    @cached_property
    def _content(self) -> str:
        return canonical_json(self.to_dict())

    def check(self, params: Mapping[str, object]) -> dict[str, Value]:
        """The params that exist at this point, in the space's order, as plain values; those that don't exist are dropped.

        BadInput names what is missing, unknown, out of range, or other than it is fixed at.
        """
        names = dict.fromkeys(parameter.name for parameter in self.parameters)
        for name, value in params.items():
            if name in self.fixed:
                self._check_fixed(name, value)
            elif name not in names:
                raise BadInput(f"space {self.name}: unknown parameter {name!r}; it has {', '.join(names)}")
        point: dict[str, Value] = {}
        for parameter in self._existing(point):
            if parameter.name not in params:
                raise BadInput(f"space {self.name}: parameter {parameter.name} is missing; give {', '.join(names)}")
            try:
                point[parameter.name] = parameter.checked(params[parameter.name])
            except BadInput as error:
                raise BadInput(f"space {self.name}: {error}") from None
        return point

    def active(self, params: Mapping[str, object]) -> tuple[Parameter, ...]:
        """The parameters that exist at this point. BadInput as `check` says."""
        point = self.check(params)
        return tuple(parameter for parameter in self.parameters if parameter.name in point)

    def decode(self, params: Mapping[str, object]) -> Policy:
        """The policy at a point: the same one for the same params, always."""
        values = {**self.fixed, **self.check(params)}
        return self.decode_with({name: value for name, value in values.items() if not name.startswith(RECIPE)})

    def recipe_overrides(self, params: Mapping[str, object]) -> dict[str, float | str]:
        """How to train and judge at a point, where the space says: fields of a recipe, most often {}. Words (`views`) stay words,
        numbers (`peak_learning_rate`) are floats. Where it says the optimiser and not the rate or decay, they are that one's
        usual.
        """
        values = {**self.fixed, **self.check(params)}
        told = {name.removeprefix(RECIPE): value for name, value in values.items() if name.startswith(RECIPE)}
        usual = USUAL.get(str(told.get("optimiser")), {})
        return {**usual, **{name: value if isinstance(value, str) else float(value) for name, value in told.items()}}

    def draw(self, generator: "np.random.Generator") -> dict[str, Value]:
        """A point by chance: one parameter after the other, independently, and only those that exist."""
        point: dict[str, Value] = {}
        for parameter in self._existing(point):
            point[parameter.name] = parameter.drawn(generator)
        return point

    @property
    def dimensions(self) -> int:
        """The most parameters that exist at one point."""
        return most_active(self.parameters)

    @property
    def conditional(self) -> bool:
        """Whether some parameter does not exist everywhere."""
        return any(parameter.when is not None for parameter in self.parameters)

    def cells(self) -> list[dict[str, Value]] | None:
        """All points, the last parameter varying fastest; None where there are more than 10,000 or a parameter is real."""
        return all_points(self.parameters) if count_points(self.parameters) <= MAX_CELLS else None

    def to_dict(self) -> dict[str, Any]:
        """What makes this space this space, as JSON: its parameters, and the digests of some of its policies.

        The digests stand for the code of `decode`: base, channels and what a level means enter through them. They are of the two
        ends, and of 16 points inside that depend on the parameters' names alone (and, where there are conditions, of as many for
        each value that one asks for); `inside` is the SHA-256 of these.
        """
        parameters = [parameter.to_dict() for parameter in self.parameters]
        ends = [digest(self.decode({p.name: p.ends[end] for p in self.parameters})) for end in (0, 1)]
        inside = [digest(self.decode(self._inside(number) | chosen)) for chosen in self.corners() for number in range(16)]
        told = {"name": self.name, "parameters": parameters, "ends": ends, "inside": sha256("".join(inside).encode()).hexdigest()}
        return told | ({"fixed": dict(self.fixed)} if self.fixed else {})

    def suggest(self, trial: "optuna.trial.BaseTrial") -> Policy:
        """The policy that an Optuna trial suggests; the params are in `trial.params` under our names."""
        from searchspaces.render.optuna import suggest

        return self.decode(suggest(self, trial))

    def define_by_run(self, trial: "optuna.trial.BaseTrial") -> None:
        """Ask an Optuna trial for the parameters that exist, in order: what Ray's `OptunaSearch` takes as its `space`.

        It returns nothing, as Ray wants it: `decode` reads what it has asked for.
        """
        from searchspaces.render.optuna import suggest

        suggest(self, trial)

    def to_optuna(self) -> dict[str, "optuna.distributions.BaseDistribution"]:
        """All parameters as Optuna's distributions, for `study.ask` and samplers, also those that exist at some points only."""
        from searchspaces.render.optuna import distributions

        return distributions(self)

    def to_ray(self, grid: bool = False) -> dict[str, Any]:
        """The space as Ray Tune's `param_space`, flat; `decode` reads the config that comes out of it.

        With `grid` every whole and categorical parameter is a `tune.grid_search` over all its values.
        """
        from searchspaces.render.ray import param_space

        return param_space(self, grid)

    def _existing(self, point: Params) -> Iterator[Parameter]:
        """The parameters that exist, in order, while whoever asks fills the point in."""
        return (parameter for parameter in self.parameters if parameter.when is None or parameter.when.holds(point))

    def _check_fixed(self, name: str, value: object) -> None:
        if isinstance(value, bool) or value != self.fixed[name]:
            raise BadInput(f"space {self.name}: parameter {name}: {shown(value)}; it is fixed at {self.fixed[name]!r}")

    def _inside(self, number: int) -> dict[str, Value]:
        return {p.name: p.at(_fixed_share(p.name, number)) for p in self.parameters}

    def corners(self) -> list[dict[str, Value]]:
        """Values that make parameters exist: none, and each that a condition asks for, with those that this one needs.

        Conditions that ask alike (those of AutoAugment's places, each for its op) are met together.
        """
        alike: dict[str, dict[str, None]] = {}  # names by what they need and what is asked of them
        asked = [p.when for p in self.parameters if p.when is not None]
        needs = {when.name: reaching(self.parameters, when.name) for when in asked}
        for when in asked:
            alike.setdefault(canonical_json([needs[when.name], when.values]), {})[when.name] = None
        met = ((json.loads(key), names) for key, names in alike.items())
        return [{}, *({**needed, **dict.fromkeys(names, value)} for (needed, values), names in met for value in values)]


def _fixed_share(name: str, number: int) -> float:
    """From 0 to below 1, as if drawn, but the same for ever and on every machine."""
    return int.from_bytes(sha256(f"{name} {number}".encode()).digest()[:4]) / 2**32
