"""Collects source code: the functions, classes and constants that some roots need, out of several modules into one text.

What is named is followed from module to module; of what is not followed, an import is written. Annotations are left out, so that
nothing has to be brought for their sake, and so are comments; docstrings stay. Two things of one name get two names. Runs nothing
of what it reads. Refuses code that needs a library outside those that were allowed.
"""

import ast
import builtins
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

from searchspaces.errors import BadInput
from searchspaces.export.scopes import global_names, renamed


@dataclass(frozen=True)
class Home:
    """Where something is defined: the module's dotted name, and its name there."""

    module: str
    name: str


class Collection:
    """A text that grows by what is collected.

    `libraries` are the packages it may import beside Python's own, `reserved` names that the caller will use in the text.
    """

    def __init__(self, libraries: frozenset[str], reserved: frozenset[str] = frozenset()) -> None:
        self._libraries = libraries
        self._reserved = reserved
        self._names: dict[Home, str] = {}
        self._imports: dict[str, str] = {}
        self._texts: list[str] = []

    @property
    def text(self) -> str:
        """The definitions, each after what it needs while it is read."""
        return "\n\n\n".join(self._texts)

    @property
    def imports(self) -> str:
        """The import statements, sorted."""
        return "\n".join(sorted(set(self._imports.values()), key=lambda line: (line.startswith("from"), line)))

    def add(self, module: str, name: str) -> str:
        """Collect what is called `name` in a module, and all that it needs; its name in the text."""
        home = _home(module, name)
        if home in self._names:
            return self._names[home]
        statement = _definitions(home.module)[home.name]
        for defined in _defined(statement):
            one = Home(home.module, defined)
            self._names[one] = self._free(one)
        if isinstance(statement, ast.Import | ast.ImportFrom):
            raise BadInput(f"source of {home.module}: {home.name} is of {ast.unparse(statement)}, which can't be collected")
        plain = _plain(statement)
        self._check_inner_imports(home, plain)
        new_names = {used: self._name_of(home, used) for used in global_names(plain)} | {home.name: self._names[home]}
        self._texts.append(ast.unparse(renamed(plain, new_names)))
        return self._names[home]

    def stand_in(self, module: str, name: str, written: str) -> None:
        """Have what is defined there called `written`, which the caller brings, wherever it is named from now on."""
        self._names[_home(module, name)] = written

    def _name_of(self, home: Home, used: str) -> str:
        statement = _definitions(home.module).get(used)
        if statement is None:
            if hasattr(builtins, used):
                return used
            raise BadInput(f"source of {home.module}: {home.name} needs {used}, which is not defined at its top")
        if isinstance(statement, ast.Import | ast.ImportFrom) and not _is_followed(home, statement, self._libraries):
            return self._imported(home, used, statement)
        return self.add(home.module, used)

    def _imported(self, home: Home, used: str, statement: ast.Import | ast.ImportFrom) -> str:
        """A name that a library gives: its import is written as it stands there, alone."""
        (alias,) = [alias for alias in statement.names if (alias.asname or alias.name.partition(".")[0]) == used]
        package = alias.name if isinstance(statement, ast.Import) else str(statement.module)
        self._check(home, package)
        clause = alias.name + (f" as {alias.asname}" if alias.asname else "")
        line = f"import {clause}" if isinstance(statement, ast.Import) else f"from {statement.module} import {clause}"
        if self._imports.setdefault(used, line) != line or used in self._names.values():
            raise BadInput(f"source of {home.module}: {used} stands for two things; rename one")
        return used

    def _check_inner_imports(self, home: Home, statement: ast.AST) -> None:
        for node in ast.walk(statement):
            if isinstance(node, ast.Import | ast.ImportFrom):
                for package in [alias.name for alias in node.names] if isinstance(node, ast.Import) else [str(node.module)]:
                    self._check(home, package)

    def _check(self, home: Home, package: str) -> None:
        first = package.partition(".")[0]
        if first not in self._libraries and first not in sys.stdlib_module_names:
            allowed = ", ".join(sorted(self._libraries))
            raise BadInput(f"source of {home.module}: {home.name} imports {package}; a standalone file may import {allowed}")

    def _free(self, home: Home) -> str:
        taken = {*self._names.values(), *self._imports, *self._reserved, *dir(builtins)}
        if home.name not in taken:
            return home.name
        last = home.module.rpartition(".")[2]
        candidates = [f"{home.name}_{last}", *(f"{home.name}_{last}_{number}" for number in range(2, 100))]
        return next(name for name in candidates if name not in taken)


def _home(module: str, name: str) -> Home:
    """Where a name is really defined, through imports from one followed module to the next."""
    statement = _definitions(module).get(name)
    if isinstance(statement, ast.ImportFrom):
        (alias,) = [alias for alias in statement.names if (alias.asname or alias.name) == name]
        return _home(str(statement.module), alias.name)
    if statement is None:
        raise BadInput(f"source of {module}: {name} is not defined at its top")
    return Home(module, name)


def _is_followed(home: Home, statement: ast.Import | ast.ImportFrom, libraries: frozenset[str]) -> bool:
    """Whether an import is of our own code, or of the package that the importing code belongs to."""
    if isinstance(statement, ast.Import):
        return False
    first = str(statement.module).partition(".")[0]
    return first not in libraries and first in ("searchspaces", home.module.partition(".")[0])


@cache
def _definitions(module: str) -> dict[str, ast.stmt]:
    """What each name at the top of a module is defined by; the last one counts."""
    file = import_module(module).__file__
    try:
        tree = ast.parse(Path(str(file)).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        raise BadInput(f"source of {module}: can't be read ({error}); a standalone file needs it") from None
    return {name: statement for statement in tree.body for name in _defined(statement)}


def _defined(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Assign):
        yield from (node.id for target in statement.targets for node in ast.walk(target) if isinstance(node, ast.Name))
    elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value is not None:
        yield statement.target.id
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in statement.names)


def _plain(statement: ast.stmt) -> ast.stmt:
    """A copy without annotations, and without the checks that a value makes of itself: it was checked before it was written."""
    return _Plain().visit(ast.parse(ast.unparse(statement)).body[0])  # type: ignore[no-any-return]


class _Plain(ast.NodeTransformer):
    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef | None:
        """A function without its types; `__post_init__` goes."""
        if node.name == "__post_init__":
            return None
        node.returns = None
        self.generic_visit(node)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        """A class whose fields are `object`s: dataclasses need some annotation."""
        fields = [item for item in node.body if isinstance(item, ast.AnnAssign)]
        for field in fields:
            field.annotation = ast.Name("object", ast.Load())
        node.body = [item if item in fields else self.visit(item) for item in node.body]
        node.body = [item for item in node.body if item is not None]
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        """An argument without its type."""
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.Assign | None:
        """An assignment without its type."""
        return None if node.value is None else ast.copy_location(ast.Assign([node.target], self.visit(node.value)), node)
