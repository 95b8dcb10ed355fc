"""What a family is: a named way to make a search space for images of some kind. It holds no parameters itself."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from searchspaces.errors import BadInput
from searchspaces.families.option import Option
from searchspaces.ops import find_op
from searchspaces.policy import Base
from searchspaces.space import SearchSpace


@dataclass(frozen=True)
class Family:
    """An entry of the family table.

    `build(channels, base)` gives the space for images with that many channels, on top of that plain geometry. `summary` is one
    line for people, `source` where the family comes from. `options` are what may be chosen once, before the search; `build` takes
    each by its name. `searches_base` where it searches the base and, unless it is two families composed, nothing else: such a one
    goes with any other.
    """

    name: str
    summary: str
    source: str
    build: Callable[..., SearchSpace]
    options: tuple[Option, ...] = ()
    searches_base: bool = False

    def having(self, wishes: Mapping[str, Any]) -> "Family":
        """The family with options chosen, by their names; the choices, where they aren't the usual ones, are in the name.

        BadInput names an unknown option, and a value that is not allowed.
        """
        known = {option.name: option for option in self.options}
        for name in wishes:
            if name not in known:
                has = f"it has {', '.join(known)}" if known else "it has none; leave options out"
                raise BadInput(f"space {self.name}: unknown option {name!r}; {has}")
        try:
            chosen = {name: option.checked(wishes[name]) for name, option in known.items() if name in wishes}
        except BadInput as error:
            raise BadInput(f"space {self.name}: {error}") from None
        unusual = {name: value for name, value in chosen.items() if value != known[name].default}
        words = ",".join(f"{name}={known[name].spoken(value)}" for name, value in unusual.items())
        full_name = f"{self.name}:{words}" if words else self.name
        whole = self.build

        def build(channels: int, base: Base) -> SearchSpace:
            return replace(whole(channels, base, **unusual), name=full_name)

        return replace(self, name=full_name, build=build, options=()) if unusual else self


def useful_ops(names: Iterable[str], channels: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Those of the named ops that can change images with this many channels, and a note for the user if any was left out.

    BadInput if none can.
    """
    names = tuple(names)
    useful = tuple(name for name in names if find_op(name).changes(channels))
    left_out = [name for name in names if name not in useful]
    images = "grey images" if channels == 1 else f"images with {channels} channels"
    if not useful:
        raise BadInput(f"ops {', '.join(names)}: none of them can change {images}; choose others")
    return useful, (f"left out, because they can't change {images}: {', '.join(left_out)}",) if left_out else ()
