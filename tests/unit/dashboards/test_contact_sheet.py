"""The sheet of pictures: pixels as they are, captions that are whole, nothing on top of anything."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dashboards.contact_sheet import (
    GAP_PX,
    HANG,
    LARGEST_TILE_PX,
    MARGIN_PX,
    TILE_PX,
    Row,
    Tile,
    contact_sheet,
    enlarged,
    tile_side,
)
from dashboards.scene import scene
from dashboards.wrapping import font, wrapped

RED = np.stack([np.full((8, 8), level, dtype=np.uint8) for level in (255, 0, 0)])


def test_pixels_are_enlarged_and_not_smoothed() -> None:
    image = np.array([[[0, 255], [255, 0]]], dtype=np.uint8)
    large = np.asarray(enlarged(image))
    assert large.shape == (TILE_PX, TILE_PX, 3)
    assert set(np.unique(large)) == {0, 255}


@pytest.mark.parametrize("side", [1, 5, 28, 32, 64, 100, 112, 113, 224, 240])
def test_a_picture_is_enlarged_by_a_whole_number(side: int) -> None:
    assert tile_side(side) % side == 0
    assert TILE_PX <= tile_side(side) < TILE_PX + side


def test_a_large_picture_is_reduced_and_an_oblong_one_keeps_its_shape() -> None:
    assert tile_side(1024) == LARGEST_TILE_PX
    assert enlarged(np.zeros((3, 500, 1000), np.uint8), LARGEST_TILE_PX).size == (LARGEST_TILE_PX, LARGEST_TILE_PX // 2)
    assert enlarged(np.zeros((1, 1, 1000), np.uint8), LARGEST_TILE_PX).size == (LARGEST_TILE_PX, 1)


def test_a_caption_is_broken_at_spaces_and_no_word_is_lost() -> None:
    text = "translate y −0.453, and a long tail of words that can't stand on one line"
    lines = wrapped(text, TILE_PX, 12)
    assert " ".join(lines) == text
    assert len(lines) > 1
    assert all(font(12).getlength(line) <= TILE_PX for line in lines)


def test_a_number_stays_with_its_unit() -> None:
    assert "−23\N{NO-BREAK SPACE}px" in wrapped("translate y −23\N{NO-BREAK SPACE}px", 80, 12)


@pytest.mark.parametrize("hang", ["", HANG])
def test_a_word_too_wide_goes_on_in_the_next_line(hang: str) -> None:
    wanted = ["albumentations:", f"{hang}Chromatic", f"{hang}Aberration on"]
    assert wrapped("albumentations:ChromaticAberration on", 120, 12, hang=hang) == wanted
    assert wrapped("albumentations:HueSaturation", 125, 12, hang=hang) == ["albumentations:", f"{hang}HueSaturation"]
    lines = wrapped("x" * 60 + " y", TILE_PX, 12, hang=hang)
    assert "".join(line.removeprefix(hang) for line in lines).replace(" ", "") == "x" * 60 + "y"
    assert all(font(12).getlength(line) <= TILE_PX for line in lines)
    assert wrapped("", TILE_PX, 12, hang=hang) == []
    assert wrapped("abc", 1, 12, hang=hang) == ["a", f"{hang}b", f"{hang}c"]


@given(st.text("aB :_-", max_size=40), st.integers(20, 200), st.sampled_from(["", HANG]))
def test_nothing_is_lost_whatever_the_text(text: str, width: int, hang: str) -> None:
    lines = wrapped(text, width, 12, hang=hang)
    assert "".join(line.removeprefix(hang) if place else line for place, line in enumerate(lines)).replace(
        " ", ""
    ) == text.replace(" ", "")
    assert all(font(12).getlength(line) <= width for line in lines if len(line) > len(hang) + 1)


def inked(sheet: Image.Image) -> np.ndarray:
    found: np.ndarray = (np.asarray(sheet) != 255).any(axis=2)
    return found


def test_pictures_stand_where_they_should_and_nothing_touches_the_edge() -> None:
    long = ("a rather long caption of many words, " * 3,)
    sheet = contact_sheet(
        [Row(("one",), [Tile(RED, long), Tile(RED, ("b",))]), Row(("two", "more"), [Tile(RED, ())])], "Title", "Words."
    )
    pixels = np.asarray(sheet)
    red = (pixels == (255, 0, 0)).all(axis=2)
    assert red.sum() == 3 * TILE_PX**2
    columns, rows = np.flatnonzero(red.any(axis=0)), np.flatnonzero(red.any(axis=1))
    assert (np.diff(columns) == GAP_PX + 1).sum() == 1
    assert columns[-1] == sheet.width - MARGIN_PX - 1
    assert len(rows) == 2 * TILE_PX
    assert np.diff(rows).max() > 4 * 16  # the second row stands below all lines of the first one's longest caption
    edge = inked(sheet)
    assert not edge[:4].any() and not edge[-4:].any() and not edge[:, :4].any() and not edge[:, -4:].any()


def test_all_lines_of_a_label_are_written_the_first_in_ink() -> None:
    sheets = [contact_sheet([Row(label, [Tile(RED, ())])], label_px=90) for label in (("aa",), ("aa", "bb"), ("aa", "bb", "cc"))]
    labels = [np.asarray(sheet)[:, :90] for sheet in sheets]
    lines = [np.diff(np.flatnonzero((label != 255).any(axis=(1, 2)))) for label in labels]
    assert [(gaps > 1).sum() for gaps in lines] == [0, 1, 2]
    assert labels[0].min() < 40
    assert labels[1][MARGIN_PX + 14 :].min() > 90


def test_a_long_label_makes_its_row_taller() -> None:
    low = contact_sheet([Row(("a",), [Tile(RED, ("b",))])])
    high = contact_sheet([Row(("many words " * 20,), [Tile(RED, ("b",))])])
    assert high.height > low.height


def test_the_scene_has_no_symmetry_that_would_hide_an_op() -> None:
    (picture,) = scene()
    assert picture.shape == (3, 56, 56)
    turned = [np.rot90(picture, turns, axes=(1, 2)) for turns in (1, 2, 3)]
    for other in (picture[:, :, ::-1], picture[:, ::-1], *turned, picture[[1, 0, 2]], picture[[0, 2, 1]]):
        assert (other != picture).mean() > 0.3
    assert np.array_equal(scene(), scene())
    assert len(np.unique(picture)) > 150
