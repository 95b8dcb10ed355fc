"""The one door: what installed packages name is found, and what is wrong with it is told in one line that names the package."""

import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from searchspaces import domains, export, families, ops, registry
from searchspaces.errors import BadInput
from searchspaces.export import exporter_table, find_exporter
from searchspaces.registry import Door
from trials.models import building

ROOT = Path(__file__).parents[3]
DOORS: tuple[Door[Any], ...] = (ops.DOOR, families.DOOR, export.DOOR, domains.DOOR)
OP = """
from searchspaces.ops.op import Op, Parameter
OPS = (Op({name!r}, (Parameter("amount", "0 or 1", 0, 0, 1, whole=True),), "tone", lambda images, *given: images, "here"),)
"""
EXPORTER = """
from searchspaces.export.exporter import Exporter
EXPORTER = Exporter({name!r}, "for a test", lambda file: "text", "open({{path}})")
"""

Install = Callable[[str, str, dict[str, str]], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a package with its metadata where Python looks: its name, the entry points' text, files by path and content."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def put(name: str, points: str, files: dict[str, str]) -> None:
        metadata = tmp_path / f"{name}-1.2.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (metadata / "entry_points.txt").write_text(points)
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        forget()

    def forget() -> None:
        registry._from_others.cache_clear()
        ops._table.cache_clear()

    yield put
    forget()
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def test_the_metadata_names_our_own_places() -> None:
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    doors = {door.group: {"searchspaces": door.ours} for door in DOORS}
    assert named == doors | {building.DOOR.group: {"trials": building.DOOR.ours}}


def test_a_module_and_a_package_whose_modules_are_all_looked_at(install: Install) -> None:
    points = "[policysearch.ops]\nany = one_module\nother = a_package\n[policysearch.exporters]\nx = a_package.forms\n"
    files = {
        "one_module.py": OP.format(name="first"),
        "a_package/__init__.py": OP.format(name="second"),
        "a_package/deeper.py": OP.format(name="third"),
        "a_package/apart/__init__.py": "raise RuntimeError('subpackages are left alone')",
        "a_package/forms.py": EXPORTER.format(name="mine"),
    }
    install("tiny", points, files)
    assert {name: ops.declaring_module(name) for name in ("first", "second", "third")} == {
        "first": "one_module",
        "second": "a_package",
        "third": "a_package.deeper",
    }
    assert ops.declaring_module("rotate") == "searchspaces.ops.affine"
    assert find_exporter("mine").summary == "for a test"
    names = [op.name for op in ops.op_table()]
    assert names == sorted(names)


def test_two_packages_come_through_the_same_door_and_the_same_thing_seen_twice_counts_once(install: Install) -> None:
    install(
        "one",
        "[policysearch.ops]\nx = one\ny = one_again\n",
        {"one.py": OP.format(name="first"), "one_again.py": "from one import OPS"},
    )
    install("two", "[policysearch.ops]\nx = two\n", {"two.py": OP.format(name="second")})
    assert {"first", "second", "rotate"} <= {op.name for op in ops.op_table()}


@pytest.mark.parametrize(("name", "homes"), [("rotate", "affine.py and in .*tiny.py"), ("fresh", "another.py and in .*tiny.py")])
def test_a_name_declared_twice_names_both(install: Install, name: str, homes: str) -> None:
    install("another", "[policysearch.ops]\nx = another\n", {"another.py": OP.format(name="fresh")})
    install("tiny", "[policysearch.ops]\nx = tiny\n", {"tiny.py": OP.format(name=name)})
    with pytest.raises(BadInput, match=rf"^op '{name}': declared twice, in .*{homes}; rename one$"):
        ops.op_table()


@pytest.mark.parametrize(
    ("points", "text", "message"),
    [
        (
            "x = gone",
            "",
            "policysearch.ops: broken 1.2 names 'gone', which can't be loaded (ModuleNotFoundError: No module named",
        ),
        ("x = broken", "1 / 0", "names 'broken', which can't be loaded (ZeroDivisionError: division by zero); mend or uninstall"),
        ("x = broken:OPS", "OPS = ()", "names 'broken:OPS', which can't be loaded (ValueError: give the module alone"),
        ("x = broken", "OPS = 3", "broken.py: int given; allowed is searchspaces.ops.op.Op"),
        ("x = broken", OP.format(name="two words"), "op 'two words' in "),
        ("x = broken", OP.format(name="a\nb"), "op 'a\\nb' in "),
    ],
)
def test_what_is_wrong_with_a_package_is_told_in_one_line(install: Install, points: str, text: str, message: str) -> None:
    install("broken", f"[policysearch.ops]\n{points}\n", {"broken.py": text})
    with pytest.raises(BadInput) as refused:
        ops.op_table()
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_unknown_form_names_the_known_ones() -> None:
    with pytest.raises(
        BadInput, match=r"^form 'torchvison': there is none of this name; did you mean 'torchvision'\? known are alb"
    ):
        find_exporter("torchvison")
    names = [exporter.name for exporter in exporter_table()]
    assert names == sorted(names)
    assert {"albumentations", "json", "torchvision"} <= set(names)


def test_our_own_are_there_without_any_metadata(tmp_path: Path) -> None:
    """As in a copy of the packages, or a checkout whose metadata is older than its code."""
    code = f"""
import importlib.metadata, sys
importlib.metadata.entry_points = lambda **given: ()
sys.path.insert(0, {str(ROOT)!r})
from searchspaces import export, families, ops
print(len(ops.op_table()) > 20, len(families.family_table()) > 4, len(export.exporter_table()) > 2)"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ran.stdout == "True True True\n", ran.stderr
