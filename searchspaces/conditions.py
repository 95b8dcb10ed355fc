"""What conditions make of a list of parameters: a forest, in which a parameter hangs on the value of one listed before it.

Counts and lists the points of such a forest. Refuses a condition on what is not listed before, on a real number, and on values
that can't be.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from searchspaces.errors import BadInput
from searchspaces.parameters import Parameter, Value


def check_conditions(parameters: Sequence[Parameter]) -> None:
    """BadInput names the first parameter whose condition can't be."""
    before: dict[str, Parameter] = {}
    for parameter in parameters:
        if parameter.when is not None:
            _check(parameter, before)
        before[parameter.name] = parameter


def reaching(parameters: Sequence[Parameter], name: str) -> dict[str, Value]:
    """Values of the others by which the parameter called `name` exists."""
    known = {parameter.name: parameter for parameter in parameters}
    chosen: dict[str, Value] = {}
    while (when := known[name].when) is not None:
        name = when.name
        chosen[name] = when.values[0]
    return chosen


def most_active(parameters: Sequence[Parameter]) -> int:
    """The most parameters that exist at one point."""
    deep: dict[str, int] = {}
    for parameter, hanging in _leaves_first(parameters):
        below = (sum(deep[child.name] for child in children) for children in _by_value(hanging).values())
        deep[parameter.name] = 1 + max(below, default=0)
    return sum(deep[parameter.name] for parameter in parameters if parameter.when is None)


def count_points(parameters: Sequence[Parameter]) -> float:
    """How many points there are; infinity where a parameter is real."""
    ways: dict[str, float] = {}
    for parameter, hanging in _leaves_first(parameters):
        if parameter.points is None:
            return math.inf
        told = [math.prod(ways[child.name] for child in children) for children in _by_value(hanging).values()]
        ways[parameter.name] = sum(told) + len(parameter.points) - len(told)
    return math.prod(ways[parameter.name] for parameter in parameters if parameter.when is None)


def all_points(parameters: Sequence[Parameter]) -> list[dict[str, Value]]:
    """Every point, each with the parameters that exist there; the last one varies fastest. For finite parameters only."""
    points: list[dict[str, Value]] = [{}]
    for parameter in parameters:
        points = [longer for point in points for longer in _extended(point, parameter)]
    return points


def _extended(point: dict[str, Value], parameter: Parameter) -> Iterable[dict[str, Value]]:
    assert parameter.points is not None
    if parameter.when is not None and not parameter.when.holds(point):
        return (point,)
    return ({**point, parameter.name: value} for value in parameter.points)


def _check(parameter: Parameter, before: Mapping[str, Parameter]) -> None:
    assert parameter.when is not None
    on = before.get(parameter.when.name)
    if on is None:
        listed = f"those are {', '.join(before)}" if before else "there are none"
        raise BadInput(
            f"parameter {parameter.name}: depends on {parameter.when.name!r}; allowed is a parameter listed before it, {listed}"
        )
    if on.points is None:
        raise BadInput(f"parameter {parameter.name}: depends on {on.name}, which is real; allowed are whole and categorical ones")
    for value in parameter.when.values:
        try:
            on.checked(value)
        except BadInput as error:
            raise BadInput(f"parameter {parameter.name}: depends on a value that can't be: {error}") from None


def _leaves_first(parameters: Sequence[Parameter]) -> Iterable[tuple[Parameter, list[Parameter]]]:
    """Each parameter with those that hang on it, after all of them."""
    hanging: dict[str, list[Parameter]] = {parameter.name: [] for parameter in parameters}
    for parameter in parameters:
        if parameter.when is not None:
            hanging[parameter.when.name].append(parameter)
    return ((parameter, hanging[parameter.name]) for parameter in reversed(parameters))


def _by_value(hanging: Iterable[Parameter]) -> dict[Value, list[Parameter]]:
    """The parameters that exist for each value which any of them names."""
    found: dict[Value, list[Parameter]] = {}
    for child in hanging:
        for value in child.when.values if child.when is not None else ():
            found.setdefault(value, []).append(child)
    return found
