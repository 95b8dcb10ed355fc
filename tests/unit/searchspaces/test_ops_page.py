"""docs/ops.md is what the op table says, wholly and with nothing that breaks its tables."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from searchspaces.errors import BadInput
from searchspaces.ops import built_in_ops, find_op
from searchspaces.ops.op import Op, Parameter, Tolerance
from searchspaces.ops_page import ops_page

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "ops.md").read_text(encoding="utf-8")


def section(page: str, name: str) -> str:
    """What the page says under the op's heading."""
    return page.partition(f"\n### `{name}`\n")[2].partition("\n#")[0]


def test_the_page_is_what_the_op_table_gives() -> None:
    assert ops_page(built_in_ops()) == PAGE, "write it again: make docs"


def test_the_picture_shows_the_ops_that_there_are() -> None:
    with Image.open(DOCS / "images/ops.png") as picture:
        assert picture.info["ops"] == ", ".join(op.name for op in built_in_ops()), "draw it again: make docs"


@pytest.mark.parametrize("op", built_in_ops(), ids=lambda op: op.name)
def test_every_field_is_told(op: Op) -> None:
    text = section(PAGE, op.name)
    assert op.meaning[1:] in text
    assert op.source in text
    assert all(f"| `{parameter.name}` | {parameter.unit} | {parameter.low:.4g} to " in text for parameter in op.parameters)
    assert all(f"- Range `{name}`: " in text and span.source in text for name, span in op.spans.items())
    assert all(f"- In {library}: {words}\n" in f"{text}\n" for library, words in op.elsewhere.items())
    assert ("| yes |" in text) == op.signed
    assert f"[`{op.name}`](#{op.name.replace(':', '').lower()}) | {op.kind} | " in PAGE


def test_each_op_has_one_heading_and_one_row() -> None:
    names = [op.name for op in sorted(built_in_ops(), key=lambda op: (":" in op.name, op.name))]
    assert sorted(re.findall(r"^### `(.+)`$", PAGE, re.MULTILINE)) == sorted(names)
    assert re.findall(r"^\| \[`(.+?)`\]", PAGE, re.MULTILINE) == names


def test_the_tables_keep_their_columns() -> None:
    columns = 0
    for line in PAGE.splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert cells == columns or 0 in (cells, columns), line
        columns = cells


def odd_op(**changes: Any) -> Op:
    whole = Parameter("size", "of |side|", identity=0.0, low=0.0, high=4.0, whole=True)
    other = Parameter("other", "odd", identity=1.0, low=0.5, high=4.0)
    return dataclasses.replace(find_op("rotate"), name="odd", parameters=(whole, other), **changes)


def test_what_no_built_in_op_may_have_is_told_too() -> None:
    page = ops_page((odd_op(seeded=True, resamples=True, per_image=True, channels=frozenset({1}), tolerance=Tolerance(2, 0.01)),))
    assert "| `size` | of \\|side\\| | 0 to 4, whole | 0 | yes |\n| `other` | odd | 0.5 to 4 | 1 | no |\n" in page
    assert "- Images: 1 channels; the base's interpolation counts; it is noise: each image has a seed of its own\n" in page
    assert "image by image on the CPU" in section(page, "odd")
    assert "(at most 2 levels off, on at most 1.000% of the pixels)" in page
    assert "## Tone" not in page


def test_an_op_without_a_meaning_is_refused() -> None:
    with pytest.raises(BadInput, match=r"^op odd: its meaning is empty; say in one sentence or formula what it does to a pixel$"):
        ops_page((odd_op(meaning=""),))
