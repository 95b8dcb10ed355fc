"""Whether a budget is long enough, and what sizes can show, against measured and hand-checked values."""

import math
from dataclasses import replace

import pytest
from unit.policysearch.judging.making import answers

from policysearch.judging import Length, Noise, Sizes, calibrated, resolution
from policysearch.statistics import resolvable_difference


def _length(epochs: int, plain: int, strong: int, total: int = 10_000) -> Length:
    bits = (answers(plain, total), answers(strong, total, first=plain // 3))
    return Length(epochs, plain / total, strong / total, total, *bits)


def test_the_budgets_that_were_measured_on_cifar_are_judged_as_they_are() -> None:
    """Errors of reference trainings with 10, 40 and 120 epochs: flip+crop, then TrivialAugment wide."""
    ten, forty, long = _length(10, 3800, 4400), _length(40, 2810, 2860), _length(120, 2830, 2400)
    found = calibrated(forty, long)
    assert not found.enough and found.proposed_epochs == 120
    assert found.sentence.startswith(
        "Budget too short to compare policies: at 40 epochs TrivialAugment is 0.5 points behind flip+crop, at 120 it is 4.3"
        " points ahead of flip+crop; the gap moves by 4.8 points"
    )
    assert found.sentence.endswith("Try --epochs 120.")
    assert not calibrated(ten, replace(forty, epochs=30)).enough


def test_a_gap_that_stays_is_no_sign_of_a_budget_too_short() -> None:
    found = calibrated(_length(120, 2830, 2400), _length(360, 2800, 2350))
    assert found.enough and found.moved == pytest.approx(0.002)
    assert found.sentence.startswith("No sign that the budget is too short")


def test_few_images_and_unknown_bits_say_less() -> None:
    lengths = (_length(40, 2810, 2810), _length(120, 2810, 2410))
    bare = [replace(length, plain_right=None, strong_right=None) for length in lengths]
    few = [replace(length, images=500) for length in bare]
    many, less = calibrated(bare[0], bare[1]), calibrated(few[0], few[1])
    assert not many.enough and less.enough
    assert less.resolvable > 3 * many.resolvable


def test_without_seed_noise_the_search_resolves_what_mcnemar_does() -> None:
    found = resolution(Noise(0.17, 0.0, 0.0, 0.0), Sizes(1000, None, None, 5))
    assert found.search == pytest.approx(resolvable_difference(0.17, 1000))
    assert found.finalists is None and found.test is None


def test_seeds_and_images_both_bound_what_can_be_seen() -> None:
    noise = Noise(0.17, 0.0, 0.155, 0.004**2)
    found = resolution(noise, Sizes(1000, 1000, 10_000, 5, 0.25))
    assert found.search is not None and found.finalists is not None and found.test is not None
    assert found.test < found.finalists < found.search
    assert found.test == pytest.approx(2.8 * math.sqrt((0.015 + 0.155 / 5) / 10_000 + 2 * 0.004**2 / 5), rel=1e-3)
    endless = resolution(noise, Sizes(10**9, None, 10**9, 5))
    assert endless.search == pytest.approx(2.8 * 0.004 * math.sqrt(2), rel=1e-3)
    assert "points in the search," in found.sentence and "17 % of the images" in found.sentence
