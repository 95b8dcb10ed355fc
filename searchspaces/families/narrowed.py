"""A space made smaller: ranges narrowed, choices struck, values fixed. What can then never exist is gone from it.

Refuses what would make a space wider, and names that it doesn't have.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, TypeAlias

from searchspaces.errors import BadInput
from searchspaces.json_text import shown
from searchspaces.parameters import Categorical, Parameter, Real, Value, When, Whole
from searchspaces.space import SearchSpace

Part: TypeAlias = "Parameter | tuple[str, Value]"
"""What becomes of a parameter: a parameter again, or its name and the value that it is fixed at."""

_RANGE = {Real: ("low", "high", "log"), Whole: ("low", "high", "step"), Categorical: ()}


def narrowed(space: SearchSpace, wishes: Mapping[str, Any]) -> SearchSpace:
    """The space with some of its parameters narrowed or fixed.

    A wish is a value, which fixes the parameter; `{"choices": [...]}`; or a range, `{"low": ..., "high": ...}`, with `log` for a
    real parameter and `step` for a whole one. BadInput names a wish that can't be.
    """
    known = [parameter.name for parameter in space.parameters]
    for name in wishes:
        if name not in known:
            closest = get_close_matches(name, known, n=1)
            hint = f"did you mean {closest[0]!r}? " if closest else ""
            has = "; ".join([f"{hint}it has {', '.join(known)}", *space.notes])
            raise BadInput(f"space {space.name}: unknown parameter {shown(name)}; {has}")
    kept: dict[str, Parameter] = {}
    fixed: dict[str, Value] = dict(space.fixed)
    conditions: dict[str, When | None] = {}  # of what is fixed: when it would exist
    for parameter in space.parameters:
        when = _narrowed_when(parameter.when, kept, fixed, conditions)
        if when is _NEVER:
            if parameter.name in wishes:
                cure = "leave it out, or allow that"
                raise BadInput(f"parameter {parameter.name}: it exists {_in_words(parameter.when)} alone; {cure}")
            continue
        there = replace(parameter, when=when)
        part: Part = _narrowed_parameter(there, wishes[there.name]) if there.name in wishes else there
        if isinstance(part, tuple):
            fixed[part[0]], conditions[part[0]] = part[1], when
        else:
            kept[part.name] = part
    if not kept:
        raise BadInput(f"space {space.name}: all of its parameters are fixed; leave one to be searched, or run it with --enqueue")
    return replace(space, parameters=tuple(kept.values()), fixed=fixed)


_NEVER = When("never", ("never",))


def _in_words(when: When | None) -> str:
    return "" if when is None else f"where {when.name} is {' or '.join(map(repr, when.values))}"


def _narrowed_when(
    when: When | None, kept: Mapping[str, Parameter], fixed: Mapping[str, Value], conditions: Mapping[str, When | None]
) -> When | None:
    """The condition, where what it asks of has been narrowed, fixed or dropped; `_NEVER` where it can't be met any more."""
    if when is None:
        return None
    if when.name in conditions:
        return conditions[when.name] if fixed[when.name] in when.values else _NEVER
    points = kept[when.name].points if when.name in kept else ()
    left = tuple(value for value in when.values if points is not None and value in points)
    return When(when.name, left) if left else _NEVER


def _narrowed_parameter(parameter: Parameter, wish: object) -> Part:
    if not isinstance(wish, Mapping):
        return parameter.name, _value(parameter, wish)
    allowed = ("choices",) if isinstance(parameter, Categorical) else (*_RANGE[type(parameter)], "choices")
    for key in wish:
        if key not in allowed:
            raise BadInput(f"parameter {parameter.name}: unknown key {shown(key)}; allowed are {', '.join(allowed)}")
    if "choices" in wish:
        if len(wish) > 1:
            raise BadInput(f"parameter {parameter.name}: choices and a range; give one of them")
        return _chosen(parameter, wish["choices"])
    if isinstance(parameter, Categorical) or not ("low" in wish and "high" in wish):
        needs = "choices, or a plain value" if isinstance(parameter, Categorical) else "low and high, choices, or a plain value"
        raise BadInput(f"parameter {parameter.name}: {shown(dict(wish))}; give {needs}")
    return _ranged(parameter, wish)


def _ranged(parameter: Real | Whole, wish: Mapping[str, Any]) -> Parameter:
    low, high = _value(parameter, wish["low"]), _value(parameter, wish["high"])
    if low == high:
        raise BadInput(f"parameter {parameter.name}: from {low} to {high}; write the value alone to fix it")
    if isinstance(parameter, Real):
        log = wish.get("log", parameter.log)
        if not isinstance(log, bool):
            raise BadInput(f"parameter {parameter.name}: log {shown(log)}; allowed are true, false")
        return replace(parameter, low=float(low), high=float(high), log=log)
    step = wish.get("step", parameter.step)
    if isinstance(step, bool) or not isinstance(step, int) or step < 1 or step % parameter.step:
        raise BadInput(f"parameter {parameter.name}: step {shown(step)}; allowed is {parameter.step} or a multiple of it")
    return replace(parameter, low=int(low), high=int(high), step=step)


def _chosen(parameter: Parameter, choices: object) -> Part:
    """Some of the parameter's values, in its own order."""
    if not isinstance(choices, list | tuple) or not choices:
        raise BadInput(f"parameter {parameter.name}: choices {shown(choices)}; allowed is a list of its values")
    values = [_value(parameter, choice) for choice in choices]
    if len(set(values)) < len(values):
        raise BadInput(f"parameter {parameter.name}: a choice is given twice; give each once")
    if len(values) == 1:
        return parameter.name, values[0]
    points = None if parameter.points is None else tuple(parameter.points)
    order: Callable[[Any], Any] = float if points is None else points.index
    return Categorical(parameter.name, tuple(sorted(values, key=order)), parameter.when)


def _value(parameter: Parameter, value: object) -> Value:
    """The value as the parameter has it. BadInput also says what to do about a number written as text."""
    try:
        return parameter.checked(value)
    except BadInput as error:
        is_number = isinstance(value, str) and not isinstance(parameter, Categorical)
        raise BadInput(f"{error}{'; write a number without quotes' if is_number else ''}") from None
