"""Spaces in files: a family with ranges narrowed, values fixed, ops forbidden, and parameters of the recipe beside its own.

A space file is YAML and holds `space` (what else could be wished for), `parameters`, `forbid` and `recipe`. What counts is its
content: that, not the file's name, is in the space's name and identity. Refuses unknown keys, and ranges wider than the family's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial
from hashlib import sha256
from os import PathLike, fspath
from typing import Any

from searchspaces.errors import BadInput
from searchspaces.families.family import MOVES, Family
from searchspaces.families.narrowed import narrowed
from searchspaces.json_text import canonical_json, shown
from searchspaces.ops import find_op
from searchspaces.parameters import Categorical, Parameter, Value
from searchspaces.policy import Base
from searchspaces.recipe_fields import FIELDS, find_field
from searchspaces.recipe_wishes import conditioned, searched_part
from searchspaces.space import RECIPE, SearchSpace
from searchspaces.views import SEARCHED, named_views
from searchspaces.yaml_text import read_yaml_mapping

VIEWS = SEARCHED.removeprefix(RECIPE)
KEYS = ("space", "parameters", "forbid", "recipe")
RECIPE_FIELDS = tuple(field.name for field in FIELDS if field.searched)
"""What of a recipe may be searched along."""


@dataclass(frozen=True)
class Wishes:
    """A space file's content, checked as far as it can be before it is known what images it is for.

    `parameters` are as written; `recipe` are the recipe's parameters to search along, `recipe_values` those that are fixed.
    """

    family: Family
    parameters: Mapping[str, Any]
    forbid: tuple[str, ...]
    recipe: tuple[Parameter, ...]
    recipe_values: Mapping[str, Value]


def read_space_file(path: str | PathLike[str]) -> dict[str, Any]:
    """A space file's content as plain values, checked; `find_family` takes them as it takes the path."""
    thing = f"space file {fspath(path)}"
    content = read_yaml_mapping(path, thing, f"with the keys {', '.join(KEYS)}")
    narrowed_family(content, thing)
    return content


def family_from_file(path: str | PathLike[str]) -> Family:
    """The family that a space file makes. BadInput names what is wrong with the file."""
    return narrowed_family(read_space_file(path), f"space file {fspath(path)}")


def narrowed_family(content: Mapping[str, Any], thing: str) -> Family:
    """The family that the content of a space file makes; `thing` names it in errors."""
    try:
        wishes = _wishes(content)
    except BadInput as error:
        raise BadInput(f"{thing}: {error}") from None
    family = wishes.family
    if not any(content.get(key) for key in KEYS[1:]):
        return family
    name = f"{family.name}@{_fingerprint(content, family.name)}"
    build = partial(_build, wishes, name, thing)
    made = Family(name, family.summary, family.source, build)
    return replace(made, searches_base=family.searches_base, searches_batch=family.searches_batch)


def _build(wishes: Wishes, name: str, thing: str, channels: int, base: Base) -> SearchSpace:
    try:
        space = wishes.family.forbidding(wishes.forbid).build(channels, base)
        parameters, fixed = (*space.parameters, *wishes.recipe), {**space.fixed, **wishes.recipe_values}
        return replace(narrowed(replace(space, parameters=parameters, fixed=fixed), wishes.parameters), name=name)
    except BadInput as error:
        raise BadInput(f"{thing}: {error}") from None


def _wishes(content: Mapping[str, Any]) -> Wishes:
    from searchspaces.families import FILES, named_family

    for key in content:
        if key not in KEYS:
            raise BadInput(f"unknown key {shown(key)}; allowed are {', '.join(KEYS)}")
    wish = content.get("space")
    if not isinstance(wish, str) or wish.endswith(FILES):
        raise BadInput(f"space: {shown(wish)}; allowed is text such as randaugment or randaugment,photometric+geometry")
    family, forbid = named_family(wish), _forbidden(content.get("forbid", []))
    family.forbidding(forbid)
    parameters = _mapping(content, "parameters")
    for name in parameters:
        if name.startswith(RECIPE):
            raise BadInput(f"parameter {name}: it is no part of a policy; write it under the key recipe, without {RECIPE!r}")
    recipe = [_recipe(name, wished) for name, wished in _mapping(content, "recipe").items()]
    return Wishes(
        family,
        parameters,
        forbid,
        conditioned([part for part in recipe if not isinstance(part, tuple)]),
        dict(part for part in recipe if isinstance(part, tuple)),
    )


def _mapping(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = content.get(key, {})
    if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in found):
        raise BadInput(f"{key}: {shown(found)}; allowed is a mapping from names to values or ranges")
    return found


def _forbidden(names: object) -> tuple[str, ...]:
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise BadInput(f"forbid: {shown(names)}; allowed is a list of ops, such as [rotate, hflip]")
    for name in names:
        op = find_op(name)
        if op.name in ("crop", "resized_crop"):
            raise BadInput(f"forbid: {name}; allowed are ops of branches and {', '.join(MOVES)}; fix geometry.crop instead")
    return tuple(sorted(set(names)))


def _recipe(name: str, wished: object) -> "Parameter | tuple[str, Value]":
    """A parameter of the recipe to be searched along, or a name and the value it is fixed at."""
    if name not in RECIPE_FIELDS:
        closest = get_close_matches(name, RECIPE_FIELDS, n=1)
        hint = f"did you mean {closest[0]!r}? " if closest else ""
        raise BadInput(f"recipe: unknown field {shown(name)}; {hint}allowed are {', '.join(RECIPE_FIELDS)}")
    if name == VIEWS:
        return _views(wished)
    try:
        part = searched_part(find_field(name), wished)
    except BadInput as error:
        raise BadInput(f"{RECIPE}{error}") from None
    return (RECIPE + part[0], part[1]) if isinstance(part, tuple) else part


def _views(wished: object) -> "Parameter | tuple[str, Value]":
    """One name, which is fixed, or a list of names, also as `{"choices": [...]}`, to choose from."""
    choices = wished["choices"] if isinstance(wished, Mapping) and list(wished) == ["choices"] else wished
    if isinstance(choices, str):
        choices = [choices]
    if not isinstance(choices, list | tuple) or not choices or not all(isinstance(choice, str) for choice in choices):
        raise BadInput(f"recipe: views {shown(wished)}; allowed is a name of views or a list of them, such as [identity, hflip]")
    names = named_views(",".join(choices))
    return (SEARCHED, names[0]) if len(names) == 1 else Categorical(SEARCHED, names)


def _fingerprint(content: Mapping[str, Any], name: str) -> str:
    """The same for the same wishes, however they are written."""
    parts = {key: content[key] for key in KEYS if content.get(key)}
    parts |= {"space": name} | ({"forbid": list(_forbidden(content["forbid"]))} if content.get("forbid") else {})
    return sha256(canonical_json(parts).encode()).hexdigest()[:8]
