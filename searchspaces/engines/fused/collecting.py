"""Reads the source of functions and of everything of ours that they name. Runs nothing, and refuses what can't be compiled.

The rules are in the docstring of the package.
"""

import ast
import base64
import builtins
import inspect
import math
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from searchspaces.errors import BadInput
from searchspaces.ops.compiled import contracts

LIBRARIES = {"math": "math", "numpy": "np"}
"""Modules whose names a kernel may use, and what they are called in the generated one."""
DECORATIONS = {
    True: '@njit(nogil=True, error_model="numpy", fastmath={"contract"})',
    False: '@njit(nogil=True, error_model="numpy")',
}
_BUILT_IN = {
    "abs",
    "bool",
    "divmod",
    "enumerate",
    "float",
    "int",
    "len",
    "max",
    "min",
    "pow",
    "range",
    "round",
    "sum",
    "tuple",
    "zip",
}
MAX_ARRAY_BYTES = 10**6  # numba compiles larger arrays in by their address, which no other process could use

_Function = Callable[..., Any]


class Collection:
    """The functions and constants that were asked for and what they name, as text, each once and after what it names."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self._texts: list[str] = []

    def add(self, function: _Function, stands_in: dict[_Function, str] | None = None) -> str:
        """Collect a function; the name it has in the text. `stands_in` names what is written by other hands.

        Raises BadInput for a function that breaks the rules of collecting.
        """
        home = (function.__module__, function.__qualname__)
        if home not in self._names:
            self._names[home] = name = self._name_for(*home)
            tree = _definition(function)
            renamed = {used: self._resolved(function, used, stands_in or {}) for used in _global_names(function, tree)}
            self._texts.append(f"{DECORATIONS[contracts(function)]}\n{_rewritten(tree, name, renamed)}")
        return self._names[home]

    @property
    def text(self) -> str:
        """All of it, in an order in which Python can read it."""
        return "\n\n".join(self._texts)

    def _name_for(self, module: str, name: str) -> str:
        """A name of its own: `a.b_c` and `a_b.c` would have the same."""
        free = f"{module.replace('.', '_')}__{name}"
        while free in self._names.values():
            free += "_"
        return free

    def _resolved(self, function: _Function, used: str, stands_in: dict[_Function, str]) -> str:
        """What a global name of a function is called in the text, once what it stands for is collected."""
        try:
            found = inspect.getattr_static(_module(function), used)
        except AttributeError:
            if used in _BUILT_IN and hasattr(builtins, used):
                return used
            raise _refused(function, f"names {used!r}, which there is not") from None
        if isinstance(found, ModuleType) and found.__name__ in LIBRARIES:
            return LIBRARIES[found.__name__]
        if isinstance(found, FunctionType):
            return stands_in[found] if found in stands_in else self.add(found, stands_in)
        return self._constant(function, used, found)

    def _constant(self, function: _Function, used: str, value: Any) -> str:
        home = (function.__module__, used)
        if home not in self._names:
            try:
                literal = _literal(value)
            except TypeError as error:
                raise _refused(function, f"names {used!r}, {error}") from None
            self._names[home] = self._name_for(*home)
            self._texts.append(f"{self._names[home]} = {literal}")
        return self._names[home]


def _module(function: _Function) -> ModuleType:
    module = inspect.getmodule(function)
    if module is None:
        raise _refused(function, "belongs to no module")
    return module


@cache
def _top_level(module: ModuleType) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.FunctionDef)}


def _definition(function: _Function) -> ast.FunctionDef:
    """A copy of the definition without decorators, annotations and docstring."""
    try:
        tree = deepcopy(_top_level(_module(function))[function.__qualname__])
    except (KeyError, OSError):
        raise _refused(function, "is not a `def` at the top level of a file") from None
    tree.decorator_list, tree.returns = [], None
    for argument in ast.walk(tree.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    if ast.get_docstring(tree) is not None:
        tree.body = tree.body[1:] or [ast.Pass()]
    return tree


def _global_names(function: _Function, tree: ast.FunctionDef) -> list[str]:
    """The names a definition takes from outside, in the order they are met."""
    nodes = [node for node in ast.walk(tree) if node is not tree]
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.Lambda | ast.Global | ast.Import | ast.ImportFrom | ast.AnnAssign):
            raise _refused(function, f"has {type(node).__name__} in its body")
    names = [node for node in nodes if isinstance(node, ast.Name)]
    own = {node.arg for node in nodes if isinstance(node, ast.arg)} | {
        node.id for node in names if isinstance(node.ctx, ast.Store)
    }
    return list(dict.fromkeys(node.id for node in names if node.id not in own))


def _rewritten(tree: ast.FunctionDef, name: str, renamed: dict[str, str]) -> str:
    """The definition as text under another name, its global names renamed."""
    tree.name = name
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = renamed.get(node.id, node.id)
    return ast.unparse(tree)


def _literal(value: Any) -> str:
    """A constant as Python source that gives the very same value."""
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        return f"np.{value.dtype.name}({_literal(value.item())})"
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and value.nbytes <= MAX_ARRAY_BYTES:
        packed = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode("ascii")
        return f'np.frombuffer(base64.b64decode("{packed}"), np.{value.dtype.name}).reshape({value.shape}).copy()'
    if isinstance(value, tuple):
        return f"({''.join(f'{_literal(part)}, ' for part in value)})"
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, bool | int | float):
        return repr(value)
    raise TypeError(
        f"a {type(value).__name__}; allowed are functions, numpy, math, numbers, tuples of numbers and arrays to 1 MB"
    )


def _refused(function: _Function, why: str) -> BadInput:
    place = f"{function.__module__}.{function.__qualname__}"
    return BadInput(f"fused kernel {place}: it {why}; write it by the rules in searchspaces/engines/fused/__init__.py")
