"""One cycle: up to the peak, down to nothing, whatever the length of the run."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trials.schedule import learning_rate

STEPS = st.integers(1, 400)
WARMUPS = st.floats(0.0, 0.9)


@given(STEPS, WARMUPS)
@example(375, 0.58)
def test_rates_rise_then_fall_and_stay_within_zero_and_peak(steps: int, warmup: float) -> None:
    rates = [learning_rate(step, steps, 0.1, warmup) for step in range(steps)]
    top = rates.index(max(rates))
    assert all(0 < rate <= 0.1 for rate in rates)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_a_run_of_ten_steps_by_hand() -> None:
    rates = [learning_rate(step, 10, 1.0, 0.2) for step in range(10)]
    assert rates == pytest.approx([0.25, 0.75, 0.9375, 0.8125, 0.6875, 0.5625, 0.4375, 0.3125, 0.1875, 0.0625])


@pytest.mark.parametrize("step", [-1, 10])
def test_steps_outside_the_run_are_refused(step: int) -> None:
    with pytest.raises(ValueError, match="outside the run"):
        learning_rate(step, 10, 0.1, 0.2)
