"""Whether a cheaper training orders policies as a whole one does: Kendall's tau, its interval, what is said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policysearch.judging.ranking import ENOUGH_TAU, kendall_tau, rank_agreement, tau_interval

ERRORS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=2, max_size=40)


@given(ERRORS)
def test_tau_counts_pairs(pairs: list[tuple[int, int]]) -> None:
    same = other = left_tied = right_tied = 0
    for place, (cheap, whole) in enumerate(pairs):
        for cheap_b, whole_b in pairs[place + 1 :]:
            agree = (cheap - cheap_b) * (whole - whole_b)
            same, other = same + (agree > 0), other + (agree < 0)
            left_tied, right_tied = left_tied + (cheap != cheap_b), right_tied + (whole != whole_b)
    tau = kendall_tau(*map(list, zip(*pairs, strict=True)))
    if not (left_tied and right_tied):
        assert tau is None
    else:
        assert tau == pytest.approx((same - other) / (left_tied * right_tied) ** 0.5)
        assert kendall_tau(*map(list, zip(*[(b, a) for a, b in pairs], strict=True))) == pytest.approx(tau)


def test_the_order_kept_is_one_and_reversed_minus_one() -> None:
    assert kendall_tau([0.1, 0.2, 0.3], [0.2, 0.4, 0.5]) == 1
    assert kendall_tau([0.1, 0.2, 0.3], [0.5, 0.4, 0.2]) == -1


@given(st.floats(-1, 1), st.integers(5, 500))
def test_the_interval_holds_tau_and_stays_in_range(tau: float, count: int) -> None:
    low, high = tau_interval(tau, count)
    assert -1 <= low <= tau <= high <= 1
    assert high - low > 0


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    generator, truth, count, held = np.random.default_rng(1), 0.5, 20, 0
    correlation = np.sin(np.pi * truth / 2)  # of normals with that tau
    for _ in range(400):
        drawn = generator.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], count)
        tau = kendall_tau(drawn[:, 0].tolist(), drawn[:, 1].tolist())
        assert tau is not None
        low, high = tau_interval(tau, count)
        held += low <= truth <= high
    assert held / 400 == pytest.approx(0.95, abs=0.03)


def test_what_is_said_warns_below_the_stated_value_and_claims_nothing_of_few() -> None:
    good = rank_agreement(13, "13 of 40 epochs", [1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 4, 5, 6, 8, 7])
    assert good.enough and "misleads" not in good.sentence and good.to_dict()["policies"] == 8
    assert good.sentence.startswith("The order after 13 of 40 epochs agrees with that of whole trainings by Kendall's tau 0.93 (")
    bad = rank_agreement(13, "32 % of the images", [1, 2, 3, 4, 5, 6], [6, 1, 4, 3, 5, 2])
    assert bad.tau is not None and bad.tau < ENOUGH_TAU and not bad.enough and "below 0.5: this rung misleads" in bad.sentence
    for few in (rank_agreement(13, "r", [1, 2], [1, 2]), rank_agreement(13, "r", [1] * 9, list(range(9)))):
        assert few.tau is few.low is few.enough is None and "is not known" in few.sentence
