"""What the fused engine is generated from: the sources that are collected, and what can't be."""

import importlib.util
import math
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from searchspaces.engines.fused.collecting import Collection
from searchspaces.engines.fused.generating import generate, generated
from searchspaces.errors import BadInput
from searchspaces.ops import find_op, op_table

Load = Callable[..., ModuleType]


@pytest.fixture
def module(tmp_path: Path) -> Any:
    """Makes modules of text, and forgets them."""
    made: list[str] = []

    def make(text: str, name: str = "kernels_of_a_test") -> ModuleType:
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        sys.modules[name] = found = importlib.util.module_from_spec(spec)
        made.append(name)
        spec.loader.exec_module(found)
        return found

    yield make
    for name in made:
        del sys.modules[name]


def as_python(text: str, name: str) -> Any:
    """What the collected text makes of a name, with numba's decorator doing nothing."""
    import base64

    space: dict[str, Any] = {"np": np, "math": math, "base64": base64, "njit": lambda **wishes: lambda function: function}
    exec(compile(text, "collected", "exec"), space)
    return space[name]


def test_a_function_comes_with_all_that_it_names_and_gives_what_it_gave(module: Load) -> None:
    found = module(
        "import math as m\nimport numpy\n"
        "TABLE = numpy.arange(5, dtype=numpy.float32) / 3\nPAIRS = ((1, 2.5), (3, -1e-300))\nEDGE = numpy.float32(0.1)\n"
        "NEVER = float('inf')\nON = True\n"
        "def third(x):\n    return TABLE[2] + x\n"
        "def kernel(a: int, b=PAIRS) -> float:\n"
        '    """Says what it does."""\n'
        "    total = 0.0\n"
        "    for pair in b:\n        total += pair[0] * pair[1]\n"
        "    return total + third(a) + EDGE + m.pi if ON and a < NEVER else numpy.nan\n"
    )
    collection = Collection()
    name = collection.add(found.kernel)
    assert as_python(collection.text, name)(7) == found.kernel(7)
    assert "Says what" not in collection.text and ": int" not in collection.text


def test_two_files_may_use_the_same_names(module: Load) -> None:
    text = "SIZE = {}\ndef part():\n    return SIZE\ndef kernel():\n    return part()\n"
    first, second = module(text.format(1), "kernels_one"), module(text.format(2), "kernels_two")
    collection = Collection()
    names = [collection.add(found.kernel) for found in (first, second, first)]
    assert [as_python(collection.text, name)() for name in names] == [1, 2, 1]
    assert collection.text.count("def ") == 4


def test_two_modules_whose_names_run_together_do_not(module: Load) -> None:
    text = "SIZE = {}\ndef part():\n    return SIZE\ndef kernel():\n    return part()\n"
    names = ("kernels.of_one", "kernels_of.one", "kernels_of_one")
    collection = Collection()
    kernels = [collection.add(module(text.format(number), name).kernel) for number, name in enumerate(names)]
    assert [as_python(collection.text, kernel)() for kernel in kernels] == [0, 1, 2]


def test_a_variable_is_not_taken_for_a_constant_of_the_same_name(module: Load) -> None:
    found = module("size = 3\ndef kernel(image):\n    size = image\n    return size\n")
    collection = Collection()
    assert as_python(collection.text or "kernel = None", "kernel") is None
    name = collection.add(found.kernel)
    assert as_python(collection.text, name)(8) == 8
    assert "= 3" not in collection.text


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("def kernel(x):\n    def inner():\n        return x\n    return inner()\n", "has FunctionDef in its body"),
        ("def kernel(x):\n    return (lambda: x)()\n", "has Lambda in its body"),
        ("COUNT = 0\ndef kernel(x):\n    global COUNT\n    COUNT = x\n", "has Global in its body"),
        ("def kernel(x):\n    import math\n    return math.pi\n", "has Import in its body"),
        ("def kernel(x):\n    return nowhere(x)\n", "names 'nowhere', which there is not"),
        ("def kernel(x):\n    print(x)\n", "names 'print', which there is not"),
        ("from searchspaces.ops import tables\ndef kernel(x):\n    return tables.LEVELS\n", "names 'tables', a module;"),
        ("class Thing:\n    size = 1\ndef kernel(x):\n    return Thing.size\n", "names 'Thing', a type;"),
        ("NAMES = {'a': 1}\ndef kernel(x):\n    return NAMES['a']\n", "names 'NAMES', a dict;"),
        ("NAME = 'a'\ndef kernel(x):\n    return NAME\n", "names 'NAME', a str;"),
        ("import numpy\nBIG = numpy.zeros(10**6)\ndef kernel(x):\n    return BIG[0]\n", "names 'BIG', a ndarray;"),
        ("kernel = lambda x: x\n", "is not a `def` at the top level of a file"),
    ],
)
def test_what_breaks_the_rules_is_named_with_the_reason(module: Load, body: str, why: str) -> None:
    with pytest.raises(BadInput) as refused:
        Collection().add(module(body).kernel)
    said = str(refused.value)
    assert said.startswith("fused kernel kernels_of_a_test.") and why in said and said.count("\n") == 0
    assert said.endswith("write it by the rules in searchspaces/engines/fused/__init__.py")


def test_a_mark_for_fused_multiply_adds_reaches_the_compiler_and_is_not_catching(module: Load) -> None:
    found = module(
        "from searchspaces.ops.compiled import compiled\n"
        "def plain(a, b):\n    return a * b\n"
        "@compiled(contract=True)\ndef kernel(a, b, c):\n    return plain(a, b) + a * c\n"
    )
    collection = Collection()
    collection.add(found.kernel)
    plain, marked = collection.text.split("@njit")[1:]
    assert "contract" not in plain and 'fastmath={"contract"}' in marked


def test_the_text_is_the_same_whoever_writes_it_and_changes_with_the_ops() -> None:
    ops = op_table()
    assert generate(ops) == generate(ops) == generated()
    assert generate([op for op in ops if op.name != "invert"]).text != generated().text
    assert sorted(generated().numbers.values()) == list(range(1, len(generated().numbers) + 1))


def test_every_op_that_is_not_one_image_at_a_time_by_nature_is_fused() -> None:
    """Or trials that use it would be several times slower, with nobody told."""
    assert [op.name for op in op_table() if op.fused is None and not op.per_image] == []
    assert set(generated().numbers) == {op.name for op in op_table() if op.fused is not None}
    assert find_op("jpeg").fused is None
