"""The window from 16 bits to 8: what is written is what is done."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trials.data import Source
from trials.data.levels import MOST_LEVEL, Levels

Refused = Callable[..., AbstractContextManager[None]]


@given(low=st.integers(0, MOST_LEVEL - 1), span=st.integers(1, MOST_LEVEL), level=st.integers(0, MOST_LEVEL))
@settings(max_examples=100, deadline=None)
def test_levels_are_in_proportion_and_rounded_to_the_nearest(low: int, span: int, level: int) -> None:
    high = min(low + span, MOST_LEVEL)
    found = int(Levels(low, high).to_bytes(np.array([[level]], dtype=np.uint16))[0, 0])
    exact = 255 * (min(max(level, low), high) - low) / (high - low)
    assert abs(found - exact) <= 0.5 + 1e-9
    assert found == int(exact + 0.5) or exact % 1 == pytest.approx(0.5)


def test_the_ends_are_black_and_white_and_the_order_is_kept() -> None:
    shown = Levels.parse("100:4000").to_bytes(np.arange(5000, dtype=np.uint16))
    assert (shown[:101].max(), shown[4000:].min()) == (0, 255)
    assert (np.diff(shown.astype(int)) >= 0).all()
    assert Levels.parse("full") == Levels(0, 65_535)


@pytest.mark.parametrize(
    "text", ["", "5", "5:", ":5", "5:5", "6:5", "-1:5", "0:65536", "0.5:9", "all", "1:2:3", "٣:٩", "1:999999"]
)
def test_what_is_no_window(text: str, refused: Refused) -> None:
    with refused(f"--levels {text!r}", "LOW:HIGH", "full"):
        Source("sample", levels=text)
