"""What a function needs is found in its source, whatever hides it, and two things of one name stay two."""

import ast
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from searchspaces.errors import BadInput
from searchspaces.export.collecting import Collection
from searchspaces.export.scopes import global_names, renamed

Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Makes a package `grove` of these modules."""
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.partition(".")[0] == "grove"]:
        monkeypatch.delitem(sys.modules, name)
    from searchspaces.export import collecting

    collecting._definitions.cache_clear()

    def put(**modules: str) -> None:
        (tmp_path / "grove").mkdir()
        (tmp_path / "grove" / "__init__.py").write_text("")
        for name, text in modules.items():
            (tmp_path / "grove" / f"{name}.py").write_text(text)

    return put


def result(collection: Collection, name: str, *given: Any) -> Any:
    namespace: dict[str, Any] = {}
    exec(f"{collection.imports}\n{collection.text}", namespace)
    return namespace[name](*given)


def test_functions_constants_and_classes_are_followed_from_module_to_module(write: Write) -> None:
    write(
        oak="""
from dataclasses import dataclass
from functools import cache
from grove.elm import FACTOR, Leaf, twice as double
import math as mathematics

UNUSED = 4

@dataclass(frozen=True)
class Tree:
    leaf: "Leaf"
    height: float = mathematics.pi

    def __post_init__(self) -> None:
        raise ValueError("checked before")

    @property
    def size(self) -> "Nowhere":
        return double(self.height) * self.leaf.area

@cache
def grown(side: "Nowhere") -> "Nowhere":
    tree: Nowhere = Tree(Leaf(side), side)
    return tree.size + FACTOR
""",
        elm="""
class Leaf:
    def __init__(self, side): self.area = square(side)

def square(side): return side * side
def twice(value, factor=2): return factor * value
FACTOR = THREE = 3
""",
    )
    collection = Collection(frozenset())
    assert collection.add("grove.oak", "grown") == "grown"
    assert "UNUSED" not in collection.text
    assert "Nowhere" not in collection.text
    assert collection.imports == "import math as mathematics\nfrom dataclasses import dataclass\nfrom functools import cache"
    assert result(collection, "grown", 2) == 2 * 2 * 4 + 3


def test_two_things_of_one_name_stay_two_and_local_names_are_left_alone(write: Write) -> None:
    write(
        oak="""
from grove.elm import top as other
def scale(x): return 10 * x
def top(x, scale_of=scale): return scale_of(x) + other(x)
""",
        elm="""
def scale(x): return 1000 * x
def top(x):
    def inner(scale): return scale + 1
    listed = [scale for scale in (1, 2)]
    return scale(x) + inner(5) + sum(listed) + (lambda scale: scale)(7)
""",
    )
    collection = Collection(frozenset())
    collection.add("grove.oak", "top")
    assert result(collection, "top", 1) == 10 + 1000 + 6 + 3 + 7


def test_reserved_names_are_not_taken_and_stand_ins_are_called(write: Write) -> None:
    write(oak="from grove.elm import look\nOPS = 4\ndef top(): return look() + OPS\n", elm="def look(): return 1 / 0\n")
    collection = Collection(frozenset(), frozenset({"OPS", "top"}))
    collection.stand_in("grove.oak", "look", "written")
    assert collection.add("grove.oak", "top") == "top_oak"
    assert "look" not in collection.text
    namespace: dict[str, Any] = {"written": lambda: 3}
    exec(collection.text, namespace)
    assert namespace["top_oak"]() == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import attr\ndef top(): return attr", "grove.oak: top imports attr; a standalone file may import numpy$"),
        (
            "def top():\n    from attr import ib\n    return ib",
            "grove.oak: top imports attr; a standalone file may import numpy$",
        ),
        ("def top(): return NOWHERE", "grove.oak: top needs NOWHERE, which is not defined at its top$"),
        ("for top in (1, 2): pass", "grove.oak: top is not defined at its top$"),
        (
            "from numpy import pi\nfrom grove.elm import two\ndef top(): return pi + two()",
            "pi stands for two things; rename one$",
        ),
    ],
)
def test_what_can_not_be_collected_is_told(write: Write, text: str, message: str) -> None:
    write(oak=text, elm="from math import pi\ndef two(): return pi\n")
    with pytest.raises(BadInput, match=message):
        Collection(frozenset({"numpy"})).add("grove.oak", "top")


def test_names_of_the_module_are_told_from_a_functions_own() -> None:
    text = """
@decorated
def f(a, *b, c=DEFAULT, **d):
    import m
    with open(a) as e, WITH:
        x = [y + OUT for y in b if y]
    try:
        pass
    except KeyError as g:
        print(g, m, x, e)
    def h(i): return i + x + DEEP
    return {k: v for k, v in h(c).items()}
"""
    statement = ast.parse(text).body[0]
    found = global_names(statement)
    assert found == ["decorated", "DEFAULT", "open", "WITH", "OUT", "KeyError", "print", "DEEP"]
    assert "DEEPER" in ast.unparse(renamed(statement, {"DEEP": "DEEPER", "x": "wrong"}))
    assert "wrong" not in ast.unparse(renamed(statement, {"x": "wrong"}))
