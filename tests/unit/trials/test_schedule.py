"""Every schedule: up to the peak, down again, whatever the length of the run; each by hand."""

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from searchspaces.errors import BadInput
from searchspaces.recipe_fields import find_field
from trials.schedule import SCHEDULES, learning_rate
from trials.values import Recipe

STEPS = st.integers(1, 400)
WARMUPS = st.floats(0.0, 0.9)


def rates(steps: int, peak: float, warmup: float, schedule: str = "one-cycle") -> list[float]:
    recipe = Recipe(peak_learning_rate=peak, warmup_fraction=warmup, schedule=schedule)
    return [learning_rate(step, steps, recipe) for step in range(steps)]


def test_the_table_has_the_schedules_that_there_are() -> None:
    assert find_field("schedule").choices == tuple(SCHEDULES)


@given(STEPS, WARMUPS, st.sampled_from(list(SCHEDULES)))
@example(375, 0.58, "one-cycle")
def test_rates_rise_then_fall_and_stay_within_zero_and_peak(steps: int, warmup: float, schedule: str) -> None:
    found = rates(steps, 0.1, warmup, schedule)
    top = found.index(max(found))
    assert all(0 < rate <= 0.1 for rate in found)
    assert found[: top + 1] == sorted(found[: top + 1])
    assert found[top:] == sorted(found[top:], reverse=True)


@given(STEPS, WARMUPS)
def test_all_schedules_warm_up_alike(steps: int, warmup: float) -> None:
    rising = sum((step + 0.5) / steps < warmup for step in range(steps))
    one, *others = (rates(steps, 0.3, warmup, schedule)[:rising] for schedule in SCHEDULES)
    assert all(other == one for other in others)


def test_runs_of_ten_steps_by_hand() -> None:
    rising = [0.25, 0.75]
    assert rates(10, 1.0, 0.2) == pytest.approx([*rising, 0.9375, 0.8125, 0.6875, 0.5625, 0.4375, 0.3125, 0.1875, 0.0625])
    # (1 + cos(pi * k / 16)) / 2 for k = 1, 3, ..., 15
    cosine = [0.990393, 0.915735, 0.777785, 0.597545, 0.402455, 0.222215, 0.084265, 0.009607]
    assert rates(10, 1.0, 0.2, "cosine") == pytest.approx([*rising, *cosine], abs=1e-6)
    assert rates(10, 1.0, 0.2, "step") == pytest.approx([*rising, 1, 1, 1, 0.1, 0.1, 0.01, 0.01, 0.01])  # the 8th is read at 0.75


def test_milestones_and_factor_are_the_recipes() -> None:
    recipe = Recipe(
        schedule="step", peak_learning_rate=1.0, warmup_fraction=0.0, step_milestones="0.25/0.5/0.75", step_factor=0.2
    )
    assert [learning_rate(step, 4, recipe) for step in range(4)] == pytest.approx([1.0, 0.2, 0.04, 0.008])
    assert learning_rate(0, 4, replace(recipe, warmup_fraction=0.5)) == pytest.approx(0.25)
    for text in ("", "0.5/0.5", "0.7/0.3", "0/0.5", "0.5/1", "half", "nan", "0.5/inf"):
        with pytest.raises(BadInput, match="^step_milestones: .*; allowed are shares between 0 and 1, ascending"):
            learning_rate(3, 4, replace(recipe, step_milestones=text))


@pytest.mark.parametrize("step", [-1, 10])
def test_steps_outside_the_run_are_refused(step: int) -> None:
    with pytest.raises(ValueError, match="outside the run"):
        learning_rate(step, 10, Recipe())
