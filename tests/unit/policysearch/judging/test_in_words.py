"""Figures are said alike wherever they are said."""

from hypothesis import given
from hypothesis import strategies as st

from policysearch.judging.in_words import percent


def test_a_half_goes_up_however_the_share_came_about() -> None:
    """559 of 2,000 was 27.9 % in one place and 28.0 % in another."""
    ways = (559 / 2000, 1 - 1441 / 2000, sum([559 / 2000] * 5) / 5, 0.2795)
    assert {percent(way) for way in ways} == {"28.0"}
    assert percent(-0.2795) == "-28.0"
    assert (percent(0.0), percent(-0.0001), percent(1.0)) == ("0.0", "0.0", "100.0")


@given(st.integers(1, 100_000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_it_is_the_nearest_tenth_of_a_percent(counts: tuple[int, int]) -> None:
    wrong, total = counts
    tenths = (2 * 1000 * wrong + total) // (2 * total)  # whole numbers alone
    assert percent(wrong / total) == f"{tenths // 10}.{tenths % 10}"
