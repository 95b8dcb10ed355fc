"""The family table: every module of this package that declares `FAMILY`, found by looking, so a new family is one new file.

Refuses a name declared twice.
"""

import pkgutil
from difflib import get_close_matches
from importlib import import_module

from searchspaces.errors import BadInput
from searchspaces.families.family import Family

__all__ = ["Family", "family_table", "find_family"]


def find_family(name: str) -> Family:
    """The family called `name`. Raises BadInput with the known names where there is none."""
    table = {family.name: family for family in family_table()}
    if name not in table:
        closest = get_close_matches(name, table, n=1)
        hint = f"did you mean {closest[0]!r}? " if closest else ""
        raise BadInput(f"space {name!r}: there is none of this name; {hint}known are {', '.join(table)}")
    return table[name]


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
