"""The op table: what every module of this package, and of those that other packages name, declares as `OPS`.

A new op is one new file here, or one in a package of its own. Refuses a name declared twice. It knows no policy and no engine.
"""

from functools import cache

from searchspaces.ops.op import Op
from searchspaces.registry import Door, Found, looked_up, table

DOOR = Door("policysearch.ops", "OPS", "op", "searchspaces.ops", Op)


def find_op(name: str) -> Op:
    """The op called `name`. Raises BadInput with the closest match and the known names where there is none."""
    return looked_up(DOOR, name, _table()).item


def op_table() -> tuple[Op, ...]:
    """All ops, sorted by name."""
    return tuple(found.item for found in _table().values())


def built_in_ops() -> tuple[Op, ...]:
    """The ops that ship here, sorted by name: those of other installed packages left out."""
    return tuple(found.item for found in _table().values() if found.module.startswith(f"{__name__}."))


def declaring_module(name: str) -> str:
    """The dotted name of the module that declares an op: of ours it begins with "searchspaces."."""
    return looked_up(DOOR, name, _table()).module


@cache
def _table() -> dict[str, Found[Op]]:
    return table(DOOR)
