"""Policies check themselves: a value that can't be is refused in one line, whoever makes it."""

from collections.abc import Callable

import pytest

from searchspaces.errors import BadInput
from searchspaces.policy import Base, Branch, Choice, Constant, Levels, PadCrop, Step, Uniform

HUGE = 10**400  # a whole number that no float holds


@pytest.mark.parametrize(
    "make",
    [
        lambda: Choice("gamma", (Constant(HUGE),)),
        lambda: Choice("gamma", (Levels((1.0, -HUGE)),)),
        lambda: Choice("gamma", (Uniform(1.0, HUGE),)),
        lambda: Choice("gamma", (Constant(1.0),), weight=HUGE),
        lambda: Step((), probability=HUGE),
        lambda: Branch((), weight=HUGE),
        lambda: PadCrop(HUGE),
        lambda: Base(hflip=HUGE),
    ],
)
def test_whole_numbers_that_no_float_holds_are_refused_in_a_short_line(make: Callable[[], object]) -> None:
    with pytest.raises(BadInput, match="a whole number of 1329 bits; allowed is a finite number") as caught:
        make()
    assert len(str(caught.value)) < 120


def test_a_range_upside_down_is_refused_in_a_short_line_too() -> None:
    with pytest.raises(BadInput, match="low a whole number of 1329 bits is above high 1"):
        Uniform(HUGE, 1)
