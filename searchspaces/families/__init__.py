"""The family table: what every module of this package, and of those that other packages name, declares as `FAMILY`.

A new family is one new file here, or one in a package of its own. Refuses a name declared twice.
"""

from searchspaces.families.composing import AND, composed
from searchspaces.families.family import Family
from searchspaces.families.option import NAMED, options_in
from searchspaces.registry import Door, looked_up, table

__all__ = ["Family", "family_table", "find_family"]

DOOR = Door("policysearch.families", "FAMILY", "space", "searchspaces.families", Family)


def find_family(wish: str) -> Family:
    """The family of that name, with its options where the wish goes on with them, or two families together.

    "randaugment", "randaugment:scale=paper", "randaugment:scale=paper+geometry". Raises BadInput with the known names where there
    is none, for an option that can't be, and for two that don't go together.
    """
    first, plus, second = wish.rpartition(AND)
    if plus:
        return composed(find_family(first), find_family(second))
    name, colon, options = wish.partition(NAMED)
    family = looked_up(DOOR, name, table(DOOR)).item
    return family.having(options_in(options)) if colon else family


def family_table() -> tuple[Family, ...]:
    """All families, sorted by name."""
    return tuple(found.item for found in table(DOOR).values())
