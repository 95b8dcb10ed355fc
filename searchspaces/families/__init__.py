"""The family table: what every module of this package, and of those that other packages name, declares as `FAMILY`.

A new family is one new file here, or one in a package of its own. Refuses a name declared twice.
"""

from collections.abc import Mapping
from functools import reduce
from typing import Any

from searchspaces.errors import BadInput
from searchspaces.families.composing import AND, composed
from searchspaces.families.family import Family
from searchspaces.families.joining import joined, split_families
from searchspaces.families.option import NAMED, options_in
from searchspaces.json_text import shown
from searchspaces.registry import Door, looked_up, table

__all__ = ["Family", "family_table", "find_family"]

DOOR = Door("policysearch.families", "FAMILY", "space", "searchspaces.families", Family)
FILES = (".yaml", ".yml")
"""How a wish ends that is the path of a space file."""


def find_family(wish: str | Mapping[str, Any]) -> Family:
    """What is wished for, as one family: by its name, with its options behind it, several, together with the base's, or from a
    file.

    "randaugment", "randaugment:scale=paper", "randaugment,photometric", "randaugment:scale=paper+geometry", "space.yaml", or what
    such a file holds. Raises BadInput with the known names where there is none, for an option that can't be, and for families
    that don't go together.
    """
    from searchspaces.families.narrowing import family_from_file, narrowed_family

    if isinstance(wish, Mapping):
        return narrowed_family(wish, "content of a space file")
    if not isinstance(wish, str):
        raise BadInput(f"space {shown(wish)}: allowed is text, such as randaugment or space.yaml, or what such a file holds")
    return family_from_file(wish) if wish.endswith(FILES) else named_family(wish)


def named_family(wish: str) -> Family:
    """As `find_family`, by names alone."""
    return reduce(composed, (_one_of(part) for part in wish.split(AND)))  # lazily: the first two that don't go together end it


def _one_of(wish: str) -> Family:
    families = [_single(part) for part in split_families(wish)]
    return joined(families) if len(families) > 1 else families[0]


def _single(wish: str) -> Family:
    name, colon, options = wish.partition(NAMED)
    family = looked_up(DOOR, name, table(DOOR)).item
    return family.having(options_in(options)) if colon else family


def family_table() -> tuple[Family, ...]:
    """All families, sorted by name."""
    return tuple(found.item for found in table(DOOR).values())
