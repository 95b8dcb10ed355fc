"""What a user wishes of a recipe: fields with a value, and fields that a space searches, as text, a file or a mapping.

    peak_learning_rate=0.05..0.5:log,optimiser=sgd/adamw,dropout=0.1

A value is fixed for the whole study. A range (`LOW..HIGH`, with `:log` on a logarithmic scale) or choices (`A/B/C`) become
parameters `recipe.*` of the space. Refuses unknown fields, values out of range, and wishes that would change nothing.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, TypeAlias

from searchspaces.errors import BadInput
from searchspaces.json_text import one_line, shown
from searchspaces.parameters import Categorical, Parameter, Real, Value, When
from searchspaces.recipe_fields import FIELDS, SEPARATOR, USUAL, RecipeField, Setting, find_field, milestones
from searchspaces.yaml_text import read_yaml_mapping

if TYPE_CHECKING:
    from searchspaces.space import SearchSpace

RECIPE = "recipe."
FILES = (".yaml", ".yml")
RANGE = ".."
LOG = ":log"
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?", re.ASCII)

Wish: TypeAlias = str | PathLike[str] | Mapping[str, Any]
"""`KEY=VALUE,...`, the path of a YAML file, or what such a file holds: a value, a range or choices for each field."""


@dataclass(frozen=True)
class RecipeWish:
    """What a wish comes to: `fixed` fields with the values that a recipe takes, and the `searched` parameters."""

    fixed: Mapping[str, Setting]
    searched: tuple[Parameter, ...] = ()

    def completed(self) -> dict[str, Setting]:
        """The fixed fields, with what the wished optimiser usually has where nothing was said of it."""
        usual = USUAL.get(str(self.fixed.get("optimiser")), {})
        named = {parameter.name for parameter in self.searched}
        return {name: value for name, value in usual.items() if RECIPE + name not in named} | dict(self.fixed)


def read_recipe(wish: Wish) -> RecipeWish:
    """The wish, checked field by field and for what does not go together. BadInput says which field, and what is allowed."""
    try:
        content = lasting_recipe(wish)
        parts = [_part(field, content[field.name]) for field in FIELDS if field.name in content]
    except BadInput as error:
        raise BadInput(f"recipe: {error}") from None
    fixed = dict(part for part in parts if isinstance(part, tuple))
    found = RecipeWish(fixed, conditioned([part for part in parts if not isinstance(part, tuple)]))
    _check_needs(found)
    check_rates(fixed, found.searched)
    return found


def lasting_recipe(wish: Wish) -> dict[str, Any]:
    """The wish as it can be kept, as JSON: a value, a range or choices for each field; what is in a file instead of its path."""
    if isinstance(wish, Mapping):
        content = dict(wish)
    else:
        text = fspath(wish)
        content = _read_file(text) if text.endswith(FILES) else _read_text(text)
    for name in content:
        if find_field(name).name == "views":
            raise BadInput("views: they are wished for by themselves; give --views, or Study(views=...)")
        if name in ("weights", "weights_sha256"):
            raise BadInput(f"{name}: weights are wished for by themselves; give --weights, or Study(weights=...)")
    return content


def with_recipe(space: "SearchSpace", wish: RecipeWish) -> "SearchSpace":
    """The space with the searched parameters; the very space where none is. BadInput where the space says a field itself."""
    own = {name.removeprefix(RECIPE) for name in (*(p.name for p in space.parameters), *space.fixed) if name.startswith(RECIPE)}
    for name in (*wish.fixed, *(parameter.name.removeprefix(RECIPE) for parameter in wish.searched)):
        if name in own:
            raise BadInput(f"recipe: {name}, but space {space.name} says it itself; leave one of the two out")
    fixed = {**wish.fixed, **{name.removeprefix(RECIPE): value for name, value in space.fixed.items() if name.startswith(RECIPE)}}
    check_rates(fixed, (*space.parameters, *wish.searched))
    return replace(space, parameters=(*space.parameters, *wish.searched)) if wish.searched else space


def searched_part(field: RecipeField, wished: object) -> Parameter | tuple[str, Setting]:
    """What a value, a range or choices make of a field: a parameter `recipe.NAME`, or its name and the value it is fixed at."""
    if isinstance(wished, list | tuple):
        wished = {"choices": list(wished)}
    if not isinstance(wished, Mapping):
        return field.name, field.checked(wished)
    if not field.searched:
        raise BadInput(f"{field.name}: {_said(wished)}; it is one for a whole study: give a value")
    if list(wished) == ["choices"]:
        return _chosen(field, wished["choices"])
    if field.kind != "real" or not {"low", "high"} <= set(wished) <= {"low", "high", "log"}:
        ways = "choices" if field.kind == "word" else "low and high (and log: true), choices"
        raise BadInput(f"{field.name}: {_said(wished)}; allowed are {ways}, or a value")
    low, high, log = field.checked(wished["low"]), field.checked(wished["high"]), wished.get("log", False)
    assert isinstance(low, float) and isinstance(high, float)
    if not isinstance(log, bool) or not low < high:
        raise BadInput(f"{field.name}: {_said(wished)}; give low below high, and log true or false")
    return Real(RECIPE + field.name, low, high, log)


def conditioned(parameters: Sequence[Parameter]) -> tuple[Parameter, ...]:
    """The parameters, each that needs a value of another one only where that has it, and those last."""
    by_name = {parameter.name.removeprefix(RECIPE): parameter for parameter in parameters}
    found = [replace(parameter, when=_condition(find_field(name), by_name)) for name, parameter in by_name.items()]
    return tuple(sorted(found, key=lambda parameter: parameter.when is not None))


def _condition(field: RecipeField, by_name: Mapping[str, Parameter]) -> When | None:
    if field.needs is None or field.needs[0] not in by_name:
        return None
    points = by_name[field.needs[0]].points or ()
    return When(RECIPE + field.needs[0], (field.needs[1],)) if field.needs[1] in points else None


def check_rates(fixed: Mapping[str, object], parameters: Sequence[Parameter]) -> None:
    """Raise BadInput where the optimiser is searched and one fixed rate or decay would have to do for all of them."""
    if RECIPE + "optimiser" not in {parameter.name for parameter in parameters}:
        return
    for name in next(iter(USUAL.values())):
        if name in fixed:
            usual = ", ".join(f"{optimiser} {values[name]:g}" for optimiser, values in USUAL.items())
            raise BadInput(
                f"recipe: {name} {fixed[name]} can't suit every optimiser, and that is searched; search it too, or leave it out"
                f" (then each has its usual one: {usual})"
            )


def _part(field: RecipeField, wished: object) -> Parameter | tuple[str, Setting]:
    if field.name == "step_milestones":
        wished = SEPARATOR.join(map(str, wished)) if isinstance(wished, list | tuple) else str(wished)
        milestones(wished)
    return searched_part(field, wished)


def _chosen(field: RecipeField, choices: object) -> Parameter | tuple[str, Setting]:
    if not isinstance(choices, list | tuple) or not choices:
        raise BadInput(f"{field.name}: choices {_said(choices)}; allowed is a list of its values")
    values = [field.checked(choice) for choice in choices]
    if len(set(values)) < len(values):
        raise BadInput(f"{field.name}: choices {_said(choices)}; give each once")
    if len(values) == 1:
        return field.name, values[0]
    ordered: list[Value] = sorted(values, key=lambda value: value if field.kind == "real" else field.choices.index(str(value)))
    return Categorical(RECIPE + field.name, tuple(ordered))


def _check_needs(wish: RecipeWish) -> None:
    """Refuse what would change nothing: a field of an optimiser or schedule that the study does not have."""
    usual = {"optimiser": "sgd", "schedule": "one-cycle"}
    searched = {parameter.name.removeprefix(RECIPE): parameter for parameter in wish.searched}
    for field in FIELDS:
        if field.needs is None or (field.name not in wish.fixed and field.name not in searched):
            continue
        name, asked = field.needs
        met = (searched[name].points or ()) if name in searched else (wish.fixed.get(name, usual[name]),)
        if asked not in met:
            has = " or ".join(map(str, met))
            raise BadInput(f"recipe: {field.name} is of {name} {asked} alone, and that is {has}; wish for {name}={asked} too")


def _said(wished: object) -> str:
    """A range or choices as they were given, short."""
    return one_line(repr(dict(wished) if isinstance(wished, Mapping) else wished), 60)


def _read_file(path: str) -> dict[str, Any]:
    return read_yaml_mapping(path, f"file {path}", "from fields to values, ranges or choices")


def _read_text(text: str) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for pair in text.split(","):
        name, equals, wished = (part.strip() for part in pair.partition("="))
        if not (equals and name and wished):
            raise BadInput(f"{shown(pair.strip())}; allowed is FIELD=VALUE, several with commas, or the path of a .yaml file")
        if find_field(name).name in content:
            raise BadInput(f"{name} is given twice; give it once")
        content[name] = _value(find_field(name), wished)
    return content


def _value(field: RecipeField, text: str) -> Any:
    """A value, a range or choices, as a file would say them."""
    if field.kind == "word" and not field.choices:
        return text
    if RANGE in text:
        low, _, high = text.removesuffix(LOG).partition(RANGE)
        return {"low": _plain(low), "high": _plain(high), "log": text.endswith(LOG)}
    return {"choices": [_plain(part) for part in text.split(SEPARATOR)]} if SEPARATOR in text else _plain(text)


def _plain(text: str) -> Setting:
    text = text.strip()
    if text in ("true", "false"):
        return text == "true"
    if not _NUMBER.fullmatch(text):
        return text
    number = float(text)
    return int(text) if re.fullmatch(r"[-+]?[0-9]{1,15}", text, re.ASCII) else number if math.isfinite(number) else text
