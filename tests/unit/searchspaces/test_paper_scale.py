"""The scale "paper" is the published TPU code's, value by value, and stops at the ops' hard limits."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchspaces import paper_scale
from searchspaces.errors import BadInput
from searchspaces.levels import all_levels, having_levels, level_value, levelled_ops, scale_ops, top_level
from searchspaces.levels_page import levels_page
from searchspaces.ops import find_op
from searchspaces.policy import Choice, Constant, Levels

LEVELS = st.integers(0, paper_scale.LAST)

# Worked out by hand from level_to_arg of the published code: op, level, value (before a sign).
BY_HAND = [
    ("rotate", 9, 27.0),
    ("rotate", 28, 84.0),
    ("shear_x", 9, 0.27),
    ("shear_y", 28, 0.84),
    ("translate_x", 9, 0.401786),  # 90 pixels of 224
    ("brightness", 0, 0.1),
    ("brightness", 5, 1.0),
    ("contrast", 9, 1.72),
    ("saturation", 10, 1.9),
    ("sharpness", 28, 5.14),
    ("posterize", 4, 1.0),
    ("posterize", 9, 3.0),
    ("posterize", 10, 4.0),
    ("posterize", 14, 5.0),
    ("solarize", 0, 0.0),
    ("solarize", 5, 128.0),
    ("solarize", 9, 230.0),
    ("solarize_add", 3, 33.0),
    ("invert", 9, 1.0),
    ("equalize", 0, 1.0),
]
# Where the published numbers leave what an op can do: 0 bits, thresholds above 256, more than the whole side, than half a turn.
STOPPED = [
    ("posterize", 0, 1.0),
    ("posterize", 2, 1.0),
    ("posterize", 28, 8.0),
    ("solarize", 10, 256.0),
    ("solarize", 28, 256.0),
    ("solarize_add", 28, 110.0),
    ("translate_y", 28, 1.0),
    ("rotate", 67, 180.0),
    ("shear_x", 67, 2.0),
    ("brightness", 67, 10.0),
]


@pytest.mark.parametrize(("name", "level", "value"), BY_HAND + STOPPED)
def test_values_by_hand(name: str, level: int, value: float) -> None:
    signed = name.startswith(("rotate", "shear", "translate"))
    assert level_value(name, level, "paper") == Constant(value, signed), "only what moves has a sign; factors go one way"


def test_it_has_the_papers_14_ops_and_knows_those_of_its_code() -> None:
    assert set(scale_ops("paper")) == set(paper_scale.OPS) and len(paper_scale.OPS) == 14
    assert "identity" in scale_ops("paper") and "invert" not in scale_ops("paper")
    assert set(levelled_ops("paper")) - set(scale_ops("paper")) == {"invert", "solarize_add"}
    assert top_level("paper") == 10


@given(level=LEVELS, name=st.sampled_from(sorted(paper_scale.LINES)))
def test_every_level_is_a_value_that_the_op_takes(level: int, name: str) -> None:
    value = level_value(name, level, "paper")
    Choice(name, (value,))  # refuses what is outside the op's limits, mirrored or not
    assert value.value >= {"posterize": 1, "solarize": 0}.get(name, 0)


@given(level=st.integers(0, paper_scale.LAST - 1), name=st.sampled_from(sorted(paper_scale.LINES)))
def test_levels_never_fall_back(level: int, name: str) -> None:
    assert level_value(name, level, "paper").value <= level_value(name, level + 1, "paper").value


@pytest.mark.parametrize("name", sorted(paper_scale.LINES))
def test_an_op_stops_where_it_is_said_to(name: str) -> None:
    op, level = find_op(name), paper_scale.stops(find_op(name))
    if level is None:
        assert isinstance(all_levels(name, "paper", paper_scale.LAST), Constant)
        return
    assert [level_value(name, later, "paper").value for later in (level, paper_scale.LAST)] == [op.strength.high] * 2
    assert level == 10 or level_value(name, level - 1, "paper").value < op.strength.high
    assert isinstance(all_levels(name, "paper"), Levels)


@pytest.mark.parametrize("level", [-1, 68, 9.0, True])
def test_other_levels_are_refused(level: int) -> None:
    with pytest.raises(BadInput, match=r"level: .* from 0 to 67 \(scale 'paper'\)"):
        level_value("rotate", level, "paper")


def test_the_page_about_levels_is_what_the_scales_give() -> None:
    page = levels_page()
    assert (Path(__file__).parents[3] / "docs/levels.md").read_text(encoding="utf-8") == page, "write it again: make docs"
    rows = [line for line in page.splitlines() if line.startswith("| `rotate`")]
    assert rows[0].startswith("| `rotate` (degrees) | ±9 | ±40.5 | ±30 | ±27 |"), "M = 9 on four scales"
    assert rows[1].endswith("| ±84 | from 60 on: ±180 |")
    assert "| `posterize` (bits kept) | 1 | 1 | 2 | 3 | 4 | 5 | 6 | 8 | from 20 on: 8, which is nothing |" in page
    assert all(f"| `{name}`" in page for name, line in paper_scale.LINES.items() if line.at_0 != line.at_10)


def test_ops_without_levels_are_refused() -> None:
    with pytest.raises(BadInput, match="op 'hflip': it has no levels on scale 'paper'; that knows autocontrast, "):
        having_levels(("rotate", "hflip"), "paper")
    assert having_levels(("rotate", "hflip"), "torchvision") == ("rotate", "hflip")
    assert having_levels(None, "paper") is None
