"""The op table: every module of this package that declares `OPS`, found by looking, so a new op is one new file.

Refuses a name declared twice. It knows no policy and no engine.
"""

import pkgutil
from difflib import get_close_matches
from functools import cache
from importlib import import_module

from searchspaces.errors import BadInput
from searchspaces.ops.op import Op


def find_op(name: str) -> Op:
    """The op called `name`. Raises BadInput with the closest match and the known names where there is none."""
    try:
        return _table()[name]
    except KeyError:
        raise BadInput(_unknown(name)) from None


def op_table() -> tuple[Op, ...]:
    """All ops, sorted by name."""
    return tuple(op for _, op in sorted(_table().items()))


def built_in_ops() -> tuple[Op, ...]:
    """The ops that ship here, sorted by name: those of other installed packages left out."""
    return tuple(op for op in op_table() if op.kernel.__module__.startswith(f"{__name__}."))


def _unknown(name: str) -> str:
    closest = get_close_matches(name, _table(), n=1)
    hint = f"did you mean {closest[0]!r}? " if closest else ""
    return f"op {name!r}: there is none of this name; {hint}known are {', '.join(sorted(_table()))}"


@cache
def _table() -> dict[str, Op]:
    found: dict[str, tuple[Op, str]] = {}
    for module_info in pkgutil.iter_modules(__path__, prefix=f"{__name__}."):
        module = import_module(module_info.name)
        for op in getattr(module, "OPS", ()):
            if op.name in found:
                raise BadInput(f"op {op.name!r}: declared twice, in {found[op.name][1]} and in {module.__file__}; rename one")
            found[op.name] = (op, str(module.__file__))
    return {name: op for name, (op, _) in found.items()}
