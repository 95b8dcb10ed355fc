"""The family table: every module of this package that declares `FAMILY`, found by looking, so a new family is one new file.

Refuses a name declared twice.
"""

import pkgutil
from difflib import get_close_matches
from importlib import import_module

from searchspaces.errors import BadInput
from searchspaces.families.family import Family
from searchspaces.families.option import NAMED, options_in

__all__ = ["Family", "family_table", "find_family"]


def find_family(wish: str) -> Family:
    """The family of that name, with its options where the wish goes on with them: "randaugment:scale=paper".

    Raises BadInput with the known names where there is none, and for an option that can't be.
    """
    table = {family.name: family for family in family_table()}
    name, colon, options = wish.partition(NAMED)
    if name not in table:
        closest = get_close_matches(name, table, n=1)
        hint = f"did you mean {closest[0]!r}? " if closest else ""
        raise BadInput(f"space {name!r}: there is none of this name; {hint}known are {', '.join(table)}")
    return table[name].having(options_in(options)) if colon else table[name]


def family_table() -> tuple[Family, ...]:
    """All families, sorted by name."""
    found: dict[str, tuple[Family, str]] = {}
    for module_info in pkgutil.iter_modules(__path__, prefix=f"{__name__}."):
        module = import_module(module_info.name)
        family = getattr(module, "FAMILY", None)
        if family is None:
            continue
        if family.name in found:
            raise BadInput(
                f"space {family.name!r}: declared twice, in {found[family.name][1]} and in {module.__file__}; rename one"
            )
        found[family.name] = (family, str(module.__file__))
    return tuple(found[name][0] for name in sorted(found))
