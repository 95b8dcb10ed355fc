"""Early stopping by hand: after so many epochs without a better one, and only where the images may choose that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchspaces.policy import Policy
from trials.stopping import stops_after
from trials.values import DataRef, Epoch, Recipe, TrialSpec


def spec(patience: int, split: str = "search", steps: int | None = None) -> TrialSpec:
    return TrialSpec("t", Policy(), Recipe(patience_epochs=patience), DataRef("d", "f"), 0, 99, 0, split, steps)


def epochs(wrong: list[int]) -> list[Epoch]:
    return [Epoch(number, 1.0, found, 100) for number, found in enumerate(wrong, start=1)]


@pytest.mark.parametrize(
    ("wrong", "stops"),
    [
        ([50], False),
        ([50, 40, 30, 20], False),
        ([50, 51], False),
        ([50, 51, 52], True),
        ([50, 50, 50], True),  # as good as before is no better
        ([50, 51, 49, 52], False),
        ([50, 51, 49, 52, 49], True),
    ],
)
def test_two_epochs_of_patience(wrong: list[int], stops: bool) -> None:
    assert stops_after(spec(2), epochs(wrong)) is stops


@given(st.lists(st.integers(0, 100), min_size=1, max_size=30), st.sampled_from(["select", "fold-1", "fold-12", "all"]))
def test_no_training_stops_on_images_that_score_a_finalist_or_a_tested_model(wrong: list[int], split: str) -> None:
    assert not stops_after(spec(1, split), epochs(wrong))


@given(st.lists(st.integers(0, 100), min_size=1, max_size=30))
def test_without_patience_and_in_a_rehearsal_nothing_stops(wrong: list[int]) -> None:
    assert not stops_after(spec(0), epochs(wrong))
    assert not stops_after(spec(1, steps=5), epochs(wrong))
