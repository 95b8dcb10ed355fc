"""Intervals and resolvable differences against published and hand-checked values."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policysearch.statistics import disagreement, resolvable_difference, wilson_interval


@pytest.mark.parametrize(
    ("wrong", "total", "low", "high"),
    [
        (300, 10_000, 0.0268, 0.0335),
        (30, 1_000, 0.0211, 0.0425),
        (15, 500, 0.0183, 0.0489),
        (0, 10, 0.0, 0.2775),  # Brown, Cai & DasGupta 2001: z^2 / (n + z^2)
        (10, 10, 0.7225, 1.0),
    ],
)
def test_wilson_known_values(wrong: int, total: int, low: float, high: float) -> None:
    assert wilson_interval(wrong, total) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 100_000), st.data())
def test_wilson_holds_the_share_and_stays_within_0_and_1(total: int, data: st.DataObject) -> None:
    wrong = data.draw(st.integers(0, total))
    low, high = wilson_interval(wrong, total)
    assert 0 <= low <= wrong / total <= high <= 1
    wider = wilson_interval(wrong, total, confidence=0.99)
    assert wider[0] <= low and high <= wider[1]


@given(st.integers(1, 100_000), st.data())
def test_wilson_of_the_right_ones_is_the_mirror_image(total: int, data: st.DataObject) -> None:
    wrong = data.draw(st.integers(0, total))
    low, high = wilson_interval(wrong, total)
    assert wilson_interval(total - wrong, total) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@pytest.mark.parametrize(("wrong", "total"), [(0, 0), (-1, 10), (11, 10)])
def test_impossible_counts_are_refused(wrong: int, total: int) -> None:
    with pytest.raises(ValueError, match="impossible"):
        wilson_interval(wrong, total)


def test_disagreement_counts_the_images_that_one_alone_gets_right() -> None:
    assert disagreement((True, True, False, False), (True, False, True, False)) == 0.5
    assert disagreement((True, False), (True, False)) == 0


@pytest.mark.parametrize(("first", "second"), [((), ()), ((True,), (True, False))])
def test_disagreement_wants_the_same_images(first: tuple[bool, ...], second: tuple[bool, ...]) -> None:
    with pytest.raises(ValueError, match="same images"):
        disagreement(first, second)


@pytest.mark.parametrize(
    ("share", "total", "points"),
    [
        (0.17, 1_000, 3.64),
        (0.17, 50_000, 0.52),
        (0.03, 9_400, 0.50),
        (0.05, 15_700, 0.50),
        (0.10, 7_830, 1.0),
        (0.05, 98_000, 0.2),
    ],
)
def test_resolvable_difference_known_values(share: float, total: int, points: float) -> None:
    assert 100 * resolvable_difference(share, total) == pytest.approx(points, abs=0.005)


@given(st.floats(0, 1), st.integers(1, 10**6))
def test_resolvable_difference_solves_mcnemars_sample_size(share: float, total: int) -> None:
    found = resolvable_difference(share, total)
    assert found**2 <= share + 1e-12  # a difference can't exceed the disagreement's root
    assert math.isclose(total * found**2, 7.84 * (share - found**2), rel_tol=1e-9, abs_tol=1e-12)


@pytest.mark.parametrize(("share", "total"), [(-0.1, 10), (1.1, 10), (0.5, 0), (math.nan, 10)])
def test_an_impossible_disagreement_is_refused(share: float, total: int) -> None:
    with pytest.raises(ValueError, match="impossible"):
        resolvable_difference(share, total)
