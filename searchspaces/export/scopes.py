"""Which names a piece of Python takes from its module, and the same piece with other names for those. Knows source trees only."""

import ast
from collections.abc import Mapping
from copy import deepcopy

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def global_names(statement: ast.stmt) -> list[str]:
    """The names that a statement at the top of a module, or anything in it, takes from the module, in order of first mention."""
    walk = _Walk({})
    walk.visit(deepcopy(statement))
    return list(dict.fromkeys(walk.found))


def renamed(statement: ast.stmt, names: Mapping[str, str]) -> ast.stmt:
    """A copy of the statement that calls its module's things by other names, itself among them."""
    copy = deepcopy(statement)
    _Walk(names).visit(copy)
    if isinstance(copy, ast.FunctionDef | ast.ClassDef):  # its own name is no Name in the tree
        copy.name = names.get(copy.name, copy.name)
    return ast.fix_missing_locations(copy)


class _Walk(ast.NodeVisitor):
    """Visits every name that no function around it has made its own; notes it, and renames it where it has a new name."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.found: list[str] = []
        self._names = names
        self._own: list[set[str]] = []

    def visit_Name(self, node: ast.Name) -> None:
        """A name, used or made."""
        if not any(node.id in own for own in self._own):
            self.found.append(node.id)
            node.id = self._names.get(node.id, node.id)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Decorators and defaults belong to what is around the function."""
        for outside in (*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)):
            self.visit(outside)
        self._within(_own_names(node), node.body)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """As a function."""
        for outside in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
            self.visit(outside)
        self._within(_own_names(node), [node.body])

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """A class's fields are no names for its methods; in its own body they are few and read as the module's."""
        for outside in (*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)):
            self.visit(outside)
        for item in node.body:
            if isinstance(item, ast.AnnAssign):
                self.visit(item.annotation)
                if item.value is not None:
                    self.visit(item.value)
            elif isinstance(item, ast.Assign):
                self.visit(item.value)
            else:
                self.visit(item)

    def _comprehension(self, node: _Comprehension) -> None:
        own = {name.id for part in node.generators for name in ast.walk(part.target) if isinstance(name, ast.Name)}
        self._within(own, list(ast.iter_child_nodes(node)))

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def _within(self, own: set[str], nodes: list[ast.AST] | list[ast.stmt] | list[ast.expr]) -> None:
        self._own.append(own)
        for node in nodes:
            self.visit(node)
        self._own.pop()


def _own_names(function: _Function) -> set[str]:
    """A function's arguments and all that it assigns, defines, imports or catches, not counting functions within it."""
    given = function.args
    own = {argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs)}
    own |= {argument.arg for argument in (given.vararg, given.kwarg) if argument is not None}
    nodes: list[ast.AST] = list(function.body) if isinstance(function.body, list) else [function.body]
    while nodes:
        node = nodes.pop()
        own |= _made_by(node)
        if not isinstance(node, _Function | _Comprehension | ast.ClassDef):
            nodes += ast.iter_child_nodes(node)
    return own


def _made_by(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return {node.id}
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    if isinstance(node, ast.ExceptHandler) and node.name:
        return {node.name}
    return set()
