"""The one door for what a package may add: ops, families, exporters and nets, its own ones as those of any other package.

A package says in its metadata, as an entry point of one of four groups, which module to look at, or which package all of whose
modules (its subpackages are left alone). A module declares by an attribute: `OPS`, `FAMILY`, `EXPORTER` or `MODEL`, one or a tuple.
Refuses a name declared twice, a name that can't be typed, and what is not of the door's kind. It knows none of the kinds.
"""

import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Generic, TypeVar

from searchspaces.errors import BadInput
from searchspaces.json_text import one_line, shown

T = TypeVar("T")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,63}")


@dataclass(frozen=True)
class Door(Generic[T]):
    """One kind of thing that packages add: the entry points' group, the attribute that declares, and our own place.

    `thing` is what a message calls it. Our own place is looked at even where the installation's metadata is older than the code,
    as in a checkout that was installed before it had these groups.
    """

    group: str
    attribute: str
    thing: str
    ours: str
    kind: type[T]


@dataclass(frozen=True)
class Found(Generic[T]):
    """Something declared, with the module that declares it (dotted name) and its file."""

    item: T
    module: str
    file: str


def table(door: Door[T]) -> dict[str, Found[T]]:
    """All that has come through the door by name, sorted. BadInput names both files of a name that is declared twice."""
    found: dict[str, Found[T]] = {}
    for module in _modules(door):
        for item in _declared(door, module):
            name = _name(door, item, module)
            if name in found and found[name].item is not item:
                raise BadInput(
                    f"{door.thing} {name!r}: declared twice, in {found[name].file} and in {module.__file__}; rename one"
                )
            found.setdefault(name, Found(item, module.__name__, str(module.__file__)))
    return dict(sorted(found.items()))


def looked_up(door: Door[T], name: str, found: dict[str, Found[T]]) -> Found[T]:
    """What is called `name`. BadInput gives the closest name and all that are known where there is none."""
    if name in found:
        return found[name]
    closest = get_close_matches(name, found, n=1)
    hint = f"did you mean {closest[0]!r}? " if closest else ""
    raise BadInput(f"{door.thing} {shown(name)}: there is none of this name; {hint}known are {', '.join(found)}")


def _modules(door: Door[T]) -> Iterator[ModuleType]:
    yield from _looked_at(import_module(door.ours))
    for point in _from_others(door.group, door.ours):
        try:
            if point.attr:
                raise ValueError("give the module alone, without a colon")
            yield from list(_looked_at(import_module(point.module)))
        except Exception as error:  # whatever a stranger's module does while it is imported
            reason = one_line(f"{type(error).__name__}: {error}")
            package = f"{point.dist.name} {point.dist.version}" if point.dist else "an installed package"
            raise BadInput(
                f"{door.group}: {package} names {point.value!r}, which can't be loaded ({reason}); mend or uninstall it"
            ) from error


@cache
def _from_others(group: str, ours: str) -> tuple[EntryPoint, ...]:
    """The entry points of all packages but ours, each place once, in an order that does not depend on the path."""
    places = {point.value: point for point in entry_points(group=group) if point.value != ours}
    return tuple(places[value] for value in sorted(places))


def _looked_at(place: ModuleType) -> Iterator[ModuleType]:
    """The module itself and, where it is a package, its modules."""
    yield place
    for info in pkgutil.iter_modules(getattr(place, "__path__", ()), prefix=f"{place.__name__}."):
        if not info.ispkg:
            yield import_module(info.name)


def _declared(door: Door[T], module: ModuleType) -> Iterator[T]:
    declared = getattr(module, door.attribute, ())
    for item in declared if isinstance(declared, tuple | list) else (declared,):
        if not isinstance(item, door.kind):
            raise BadInput(
                f"{door.attribute} in {module.__file__}: {type(item).__name__} given; allowed is {door.kind.__module__}."
                f"{door.kind.__name__}"
            )
        yield item


def _name(door: Door[T], item: T, module: ModuleType) -> str:
    name = str(getattr(item, "name", ""))
    if not _NAME.fullmatch(name):
        raise BadInput(
            f"{door.thing} {shown(name)} in {module.__file__}: can't be its name; allowed are a letter, then up to 63 letters, "
            "digits and . : _ -"
        )
    return name
