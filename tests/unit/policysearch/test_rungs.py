"""Early stopping: which rungs there are, and who goes on. Compared with Ray's own scheduler on the same results."""

from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policysearch.rungs import EarlyStopping, Ladder, read_early_stopping
from policysearch.selection import place
from searchspaces.errors import BadInput

TOTAL = 100


@pytest.mark.parametrize(
    ("wish", "epochs", "rungs", "eta"),
    [
        (None, 40, (40,), 3),
        ("asha", 40, (13, 40), 3),
        ("asha", 120, (13, 40, 120), 3),
        ("asha:eta=2", 40, (10, 20, 40), 2),
        ("asha:min_epochs=5,eta=2", 40, (5, 10, 20, 40), 2),
        ("asha:eta=3,min_epochs=14", 120, (40, 120), 3),
        ("asha:min_epochs=1", 9, (1, 3, 9), 3),
        ("asha", 6, (2, 6), 3),
    ],
)
def test_the_rungs_are_parts_of_the_full_number_of_epochs(wish: str | None, epochs: int, rungs: Any, eta: int) -> None:
    assert read_early_stopping(wish, epochs) == EarlyStopping(rungs, eta)


def test_lower_rungs_have_less_of_what_is_wished() -> None:
    epochs, images, size = (read_early_stopping(f"asha:by={kind},eta=3", 40) for kind in ("epochs", "images", "size"))
    assert epochs == read_early_stopping("asha", 40) and epochs.to_dict() == {"rungs": [13, 40], "eta": 3}
    assert (images.rungs, images.by) == ((13, 40), "images") and size.to_dict()["by"] == "size"
    told = ["13 of 40 epochs", "32 % of the images", "57 % of the sides"]
    assert [each.in_words(13) for each in (epochs, images, size)] == told
    assert all(EarlyStopping.from_dict(each.to_dict()) == each for each in (epochs, images, size))
    assert EarlyStopping.from_dict(None) is None


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ("hyperband", "early stopping 'hyperband': allowed is asha, as in asha:eta=3,min_epochs=10"),
        ("asha:", "early stopping 'asha:': ''; allowed are eta and min_epochs"),
        ("asha:eta=1", "eta 1; allowed is a whole number from 2"),
        ("asha:eta=0", "'eta=0'; allowed are eta and min_epochs as whole numbers"),
        ("asha:eta=2.5", "'eta=2.5'; allowed"),
        ("asha:eta=2,eta=3", "'eta=3'; allowed"),
        ("asha:epochs=2", "'epochs=2'; allowed"),
        ("asha:min_epochs=14", r"min_epochs 14; allowed is at most 13 \(40 epochs by 3\)"),
        ("asha:by=pixels", "'by=pixels'; allowed is by once, one of epochs, images, size"),
        ("asha:by=size,by=images", "'by=images'; allowed is by once"),
        ("asha:eta=99", "min_epochs 1; allowed is none with 40 epochs: give more epochs"),
    ],
)
def test_wishes_that_cannot_be(wish: str, message: str) -> None:
    with pytest.raises(BadInput, match=message) as caught:
        read_early_stopping(wish, 40)
    assert "\n" not in str(caught.value)


@given(st.integers(2, 10_000), st.integers(2, 12), st.data())
def test_rungs_ascend_to_the_full_number_by_about_eta(epochs: int, eta: int, data: st.DataObject) -> None:
    longest = round(epochs / eta)
    if longest < 1:
        return
    fewest = data.draw(st.integers(1, longest))
    rungs = read_early_stopping(f"asha:eta={eta},min_epochs={fewest}", epochs).rungs
    assert rungs[-1] == epochs and rungs[0] >= fewest and len(rungs) > 1
    assert all(abs(above - eta * below) <= eta for below, above in pairwise(rungs))
    assert round(epochs / eta ** len(rungs)) < fewest


def finish(ladder: Ladder, policy: str, epochs: int, wrong: int, number: int, log_loss: float | None = None) -> None:
    ladder.begin(policy, epochs)
    ladder.finish(policy, epochs, place(wrong, TOTAL, log_loss, number))


def test_the_best_third_goes_on_when_it_is_known_to_be() -> None:
    ladder = Ladder((1, 3, 9), 3)
    for number, (policy, wrong) in enumerate([("a", 30), ("b", 20)]):
        finish(ladder, policy, 1, wrong, number)
        assert ladder.promotable() is None, "two policies have no best third"
    finish(ladder, "c", 1, 40, 2)
    assert ladder.promotable() == ("b", 3)
    ladder.begin("b", 3)
    assert ladder.promotable() is None
    finish(ladder, "d", 1, 10, 3)  # it is the best of four, and so takes its turn at once
    assert ladder.promotable() == ("d", 3)


def test_higher_rungs_come_first_and_policies_that_failed_there_do_not_count() -> None:
    ladder = Ladder((1, 3, 9), 2)
    for number, policy in enumerate("abcd"):
        finish(ladder, policy, 1, 10 + number, number)
    assert ladder.promotable() == ("a", 3)
    finish(ladder, "a", 3, 12, 4)
    ladder.begin("b", 3)  # and it fails there
    assert ladder.promotable() is None
    finish(ladder, "e", 1, 1, 5)
    finish(ladder, "f", 1, 2, 6)
    finish(ladder, "e", 3, 1, 7)
    assert ladder.promotable() == ("e", 9)


def test_equal_errors_are_decided_as_the_winner_is() -> None:
    for log_losses, first in (((3.0, 2.0, 2.0), "b"), ((None, None, None), "a"), ((None, 9.0, None), "b")):
        ladder = Ladder((1, 3), 3)
        for number, (policy, log_loss) in enumerate(zip("abc", log_losses, strict=True)):
            finish(ladder, policy, 1, 20, number, log_loss)
        assert ladder.promotable() == (first, 3)


def test_a_search_too_small_for_its_rungs_still_brings_one_policy_to_the_end() -> None:
    ladder = Ladder((1, 3, 9), 3)
    finish(ladder, "a", 1, 30, 0)
    finish(ladder, "b", 1, 20, 1)
    assert ladder.promotable() is None and ladder.to_settle() == ("b", 3)
    ladder.begin("b", 3)  # fails
    assert ladder.to_settle() == ("a", 3)
    finish(ladder, "a", 3, 25, 3)
    assert ladder.to_settle() == ("a", 9)
    finish(ladder, "a", 9, 24, 4)
    assert ladder.to_settle() is None


def test_one_rung_is_no_early_stopping() -> None:
    ladder = Ladder((9,), 3)
    assert ladder.to_settle() is None
    for number in range(9):
        finish(ladder, str(number), 9, number, number)
        assert ladder.promotable() is None and ladder.to_settle() is None


@given(st.lists(st.tuples(st.integers(0, TOTAL), st.booleans()), max_size=80), st.integers(2, 5))
def test_who_is_promoted_is_of_the_best_at_that_time_and_nobody_of_them_waits(drawn: list[tuple[int, bool]], eta: int) -> None:
    """Also by the paper's rule, written down once more: of a rung the best floor(n / eta) that have not gone on yet."""
    rungs = (1, eta, eta * eta)
    ladder = Ladder(rungs, eta)
    finished: dict[int, dict[str, Any]] = {epochs: {} for epochs in rungs}
    begun: dict[int, set[str]] = {epochs: set() for epochs in rungs}
    number = 0
    for policy, (wrong, fails) in enumerate(drawn):
        task = (str(policy), 1)
        while True:
            name, epochs = task
            begun[epochs].add(name)
            if fails and epochs > 1:
                ladder.begin(name, epochs)
            else:
                finish(ladder, name, epochs, wrong, number)
                finished[epochs][name] = place(wrong, TOTAL, None, number)
            number += 1
            promoted = ladder.promotable()
            by_the_rule = [
                (candidate, above)
                for below, above in reversed(list(pairwise(rungs)))
                for candidate in sorted(finished[below], key=finished[below].__getitem__)[: len(finished[below]) // eta]
                if candidate not in begun[above]
            ]
            assert promoted == (by_the_rule[0] if by_the_rule else None)
            if promoted is None:
                break
            task = promoted


@given(st.integers(1, 120), st.integers(2, 5))
def test_where_nobody_is_better_than_those_before_exactly_one_in_eta_goes_on(policies: int, eta: int) -> None:
    ladder, promoted = Ladder((1, eta), eta), 0
    for number in range(policies):
        finish(ladder, str(number), 1, number % TOTAL if number < TOTAL else TOTAL, number)
        while (found := ladder.promotable()) is not None:
            ladder.begin(*found)
            promoted += 1
    assert promoted == policies // eta


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=60, unique=True), st.integers(2, 5))
@settings(max_examples=300, deadline=None)
def test_it_agrees_with_rays_scheduler_on_the_same_results(errors: list[int], eta: int) -> None:
    """Ray decides once, when a result arrives, against an interpolated quantile of those before; here the best floor(n / eta) of
    all go on, whenever they turn out to be. So who goes on here on arrival does so there; who doesn't but does there is at most
    two places from the line.
    """
    from ray.tune.schedulers import AsyncHyperBandScheduler

    scheduler: Any = AsyncHyperBandScheduler("epochs", "error", "min", max_t=10 * eta, grace_period=1, reduction_factor=eta)
    ladder = Ladder((1, 10 * eta), eta)
    for number, error in enumerate(errors):
        trial = SimpleNamespace(trial_id=str(number))
        scheduler.on_trial_add(None, trial)
        there = scheduler.on_trial_result(None, trial, {"epochs": 1, "error": float(error)}) == "CONTINUE"
        ladder.begin(str(number), 1)
        ladder.finish(str(number), 1, (Fraction(error), 0.0, number))
        rank = sorted(errors[: number + 1]).index(error) + 1
        line = (number + 1) // eta
        found = ladder.promotable()
        here = found is not None and found[0] == str(number)
        while (found := ladder.promotable()) is not None:
            here = here or found[0] == str(number)
            ladder.begin(*found)
        assert here == (rank <= line)
        assert there or not here
        assert here or not there or rank <= line + 2
