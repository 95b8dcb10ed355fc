"""The family table: what every module of this package, and of those that other packages name, declares as `FAMILY`.

A new family is one new file here, or one in a package of its own. Refuses a name declared twice.
"""

from searchspaces.families.composing import AND, composed
from searchspaces.families.family import Family
from searchspaces.registry import Door, looked_up, table

__all__ = ["Family", "family_table", "find_family"]

DOOR = Door("policysearch.families", "FAMILY", "space", "searchspaces.families", Family)


def find_family(name: str) -> Family:
    """The family called `name`, or two of them together ("randaugment+geometry").

    Raises BadInput with the known names where there is none, and for two that don't go together.
    """
    first, plus, second = name.rpartition(AND)
    if plus:
        return composed(find_family(first), find_family(second))
    return looked_up(DOOR, name, table(DOOR)).item


def family_table() -> tuple[Family, ...]:
    """All families, sorted by name."""
    return tuple(found.item for found in table(DOOR).values())
