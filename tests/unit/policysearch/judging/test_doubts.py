"""A result that nobody should take as it is: nothing wrong, one answer for all, no better than naming the commonest class."""

import pytest

from policysearch.judging.doubts import Confusion, doubt, doubts


@pytest.mark.parametrize(
    ("confusion", "said"),
    [
        (((5, 0), (0, 5)), "not one of the 10 images is wrong"),
        (((5, 0), (5, 0)), "takes all 10 images for one class"),
        (((0, 5), (0, 5)), "takes all 10 images for one class"),
        (((2, 3), (4, 1)), "30.0 % of the 10 images are right, and whoever named the commonest class for each would have 50.0 %"),
        (((5, 1), (3, 1)), "60.0 % of the 10 images are right, and whoever named the commonest class for each would have 60.0 %"),
        (((5, 0), (4, 1)), ""),
        (((5, 5), (0, 0)), ""),
    ],
)
def test_what_is_doubtful(confusion: Confusion, said: str) -> None:
    wrong = sum(count for true, row in enumerate(confusion) for taken, count in enumerate(row) if true != taken)
    found = doubt(wrong, 10, confusion)
    assert (said in found) if said else found == ""
    assert "\n" not in found and found.startswith("Doubtful: " if said else "")


def test_of_counts_alone_only_nothing_wrong_is_doubtful() -> None:
    assert doubt(0, 10, None) and not doubt(10, 10, None)


def test_one_training_of_several_is_enough_and_is_said_once() -> None:
    assert doubts([(3, 10, None), (0, 10, None), (0, 20, None)]) == (doubt(0, 10, None),)
    assert doubts([]) == ()
