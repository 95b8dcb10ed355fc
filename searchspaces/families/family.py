"""What a family is: a named way to make a search space for images of some kind. It holds no parameters itself."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from searchspaces.ops import find_op
from searchspaces.policy import Base
from searchspaces.space import SearchSpace


@dataclass(frozen=True)
class Family:
    """An entry of the family table.

    `build(channels, base)` gives the space for images with that many channels, on top of that plain geometry. `summary` is one
    line for people, `source` where the family comes from. `searches_base` where it searches the base and, unless it is two
    families composed, nothing else: such a one goes with any other.
    """

    name: str
    summary: str
    source: str
    build: Callable[[int, Base], SearchSpace]
    searches_base: bool = False


def useful_ops(names: Iterable[str], channels: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Those of the named ops that can change images with this many channels, and a note for the user if any was left out."""
    names = tuple(names)
    useful = tuple(name for name in names if find_op(name).changes(channels))
    left_out = [name for name in names if name not in useful]
    images = "grey images" if channels == 1 else f"images with {channels} channels"
    return useful, (f"left out, because they can't change {images}: {', '.join(left_out)}",) if left_out else ()
