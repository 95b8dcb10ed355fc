"""How the op table is found, and what it says to a wrong name."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from searchspaces import ops
from searchspaces.errors import BadInput
from searchspaces.policy import Choice, Constant

ENTRY = """
from searchspaces.ops.op import Op, Parameter

def blacken(images, values, setting):
    return images * 0

OPS = (Op("{name}", (Parameter("amount", "0 or 1", 0, 0, 1, whole=True),), "tone", blacken, "this test"),)
"""


@pytest.fixture
def extra_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory whose modules count as modules of the ops package."""
    monkeypatch.setattr(ops, "__path__", [*ops.__path__, str(tmp_path)])
    ops._table.cache_clear()
    yield tmp_path
    ops._table.cache_clear()


def test_a_new_op_is_one_new_file(extra_modules: Path) -> None:
    before = len(list(ops.op_table()))
    ops._table.cache_clear()
    (extra_modules / "blackening.py").write_text(ENTRY.format(name="blacken"))
    assert ops.find_op("blacken").source == "this test"
    assert len(ops.op_table()) == before + 1
    assert Choice("blacken", (Constant(1.0),)).op == "blacken"


def test_a_name_declared_twice_names_both_files(extra_modules: Path) -> None:
    (extra_modules / "another_turn.py").write_text(ENTRY.format(name="rotate"))
    with pytest.raises(BadInput, match=r"^op 'rotate': declared twice, in \S*affine.py and in \S*another_turn.py; rename one$"):
        ops.find_op("rotate")


def test_an_unknown_name_names_the_closest_and_all() -> None:
    with pytest.raises(
        BadInput, match=r"^op 'solarise': there is none of this name; did you mean 'solarize'\? known are [^\n]*$"
    ) as error:
        ops.find_op("solarise")
    assert all(op.name in str(error.value) for op in ops.op_table())
    with pytest.raises(BadInput, match=r"^op 'zzz': there is none of this name; known are "):
        ops.find_op("zzz")


def test_the_table_holds_what_was_promised_in_order() -> None:
    names = [op.name for op in ops.op_table()]
    assert names == sorted(names)
    assert set(names) >= {
        *("identity", "shear_x", "shear_y", "translate_x", "translate_y", "translate_x_px", "translate_y_px", "rotate"),
        *("brightness", "saturation", "contrast", "sharpness", "posterize", "solarize", "autocontrast", "equalize"),
        *("hflip", "crop", "gamma", "hue", "brightness_shift", "contrast_about_128"),
    }
