"""What a family is: a named way to make a search space for images of some kind. It holds no parameters itself."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from searchspaces.errors import BadInput
from searchspaces.families.option import Option
from searchspaces.ops import find_op
from searchspaces.policy import Base
from searchspaces.space import SearchSpace

MOVES = ("hflip", "vflip", "quarter_turns")
"""What of the base can be forbidden in a space file."""
CROP = "crop"
"""What can be forbidden besides, for a whole study."""


@dataclass(frozen=True)
class Family:
    """An entry of the family table.

    `build(channels, base)` gives the space for images with that many channels, on top of that plain geometry. `summary` is one
    line for people, `source` where the family comes from. `options` are what may be chosen once, before the search; `build` takes
    each by its name. `searches_base` where it searches the base and, unless it is several families together, nothing else: such a
    one goes with any other, and so does one that `searches_batch`, the policy's batch part, alone. `leaves_out` where `build`
    takes `forbid`, names of ops that no policy may then have.
    """

    name: str
    summary: str
    source: str
    build: Callable[..., SearchSpace]
    options: tuple[Option, ...] = ()
    searches_base: bool = False
    leaves_out: bool = False
    searches_batch: bool = False

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

        def build(channels: int, base: Base, **more: Any) -> SearchSpace:
            return replace(whole(channels, base, **unusual, **more), name=full_name)

        return replace(self, name=full_name, build=build, options=()) if unusual else self

    def forbidding(self, ops: tuple[str, ...]) -> "Family":
        """The family without these ops; without a flip or the quarter turns of the base too, where they are among them.

        BadInput where it can't leave ops out.
        """
        if not ops:
            return self
        if not self.leaves_out:
            raise BadInput(f"space {self.name}: it has no way to leave ops out; search another one, or forbid nothing")
        whole = self.build

        def build(channels: int, base: Base) -> SearchSpace:
            return whole(channels, base if self.searches_base else without_moves(base, ops), forbid=ops)

        return replace(self, build=build)


def without_moves(base: Base, forbid: tuple[str, ...]) -> Base:
    """The base without those of its flips and turns that are named, and without its crop where "crop" is."""
    hflip, vflip, quarter_turns = (0.0 if name in forbid else getattr(base, name) for name in MOVES)
    crop = None if CROP in forbid else base.crop
    return replace(base, crop=crop, hflip=hflip, vflip=vflip, quarter_turns=quarter_turns)


def useful_ops(names: Iterable[str], channels: int, forbid: tuple[str, ...] = ()) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Those of the named ops that can change images with this many channels and aren't forbidden, and notes for the user if any
    was left out.

    BadInput if none is left.
    """
    names = tuple(names)
    allowed = tuple(name for name in names if name not in forbid)
    useful = tuple(name for name in allowed if find_op(name).changes(channels))
    images = "grey images" if channels == 1 else f"images with {channels} channels"
    if not allowed:
        raise BadInput(f"ops {', '.join(names)}: all of them are forbidden; allow one of them, or choose others")
    if not useful:
        raise BadInput(f"ops {', '.join(allowed)}: none of them can change {images}; choose others")
    left_out = {
        "they are forbidden": [name for name in names if name not in allowed],
        f"they can't change {images}": [name for name in allowed if name not in useful],
    }
    return useful, tuple(f"left out, because {reason}: {', '.join(ops)}" for reason, ops in left_out.items() if ops)
