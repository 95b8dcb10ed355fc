"""Who wins among finalists, what a difference is worth, and the sentences of the verdict."""

import math

import numpy as np
import pytest
from unit.policysearch.judging.making import answers, arm, runs

from policysearch.judging import (
    Design,
    Noise,
    Runs,
    choose,
    chosen,
    complexity,
    confirmed,
    crossed_variance,
    difference,
    summarised,
)
from policysearch.judging import Tested as Look
from policysearch.judging.crossing import Bits, crossed_interval
from policysearch.judging.quantiles import t_quantile
from policysearch.judging.verdict import mean_error

NOISE = Noise(0.17, 0.0, 0.155, 0.004**2)
FOLDS = Design(False, 0.25)
FREE, STRONG = arm("flip+crop", "baseline", 1.5), arm("trivialaugment-wide", "baseline", 2.4)
CLOSED = "the test set has not been opened"


def test_errors_of_folds_have_nadeau_and_bengios_variance() -> None:
    first, second = runs(FREE, 0.30, 0.31, 0.29, 0.30, 0.30), runs(arm("searched"), 0.28, 0.30, 0.28, 0.28, 0.26)
    gap, error, degrees = difference(first, second, FOLDS, NOISE)
    apart = np.array([0.02, 0.01, 0.01, 0.02, 0.04])
    assert gap == pytest.approx(0.02)
    assert error == pytest.approx(math.sqrt((1 / 5 + 0.25) * apart.var(ddof=1)))
    assert degrees == 4


def test_a_replicate_that_one_of_two_lacks_is_left_out_of_their_difference() -> None:
    first, second = runs(FREE, 0.30, 0.31, 0.29), Runs(arm("searched"), {1: 0.28, 3: 0.28}, 1000)
    assert difference(first, second, FOLDS, NOISE)[0] == pytest.approx(0.015)


def test_the_winner_is_the_simplest_within_one_standard_error() -> None:
    low, near, far = arm("low", ops=4.0), arm("near", ops=3.0), arm("far", ops=1.0)
    finalists = [runs(low, 0.20, 0.22, 0.24), runs(near, 0.205, 0.20, 0.26), runs(far, 0.30, 0.32, 0.34)]
    winner, baseline = choose([*finalists, runs(FREE, 0.40, 0.42, 0.44)], FOLDS, NOISE)
    assert winner.arm.label == "near" and baseline is not None and baseline.arm.label == "flip+crop"


def test_a_baseline_within_one_standard_error_wins_and_there_is_no_claim() -> None:
    finalists = [runs(arm("searched"), 0.20, 0.22, 0.24), runs(STRONG, 0.205, 0.20, 0.26)]
    winner, baseline, verdict = chosen(finalists, FOLDS, NOISE, CLOSED)
    assert winner.arm is STRONG and baseline is None and verdict.kind == "baseline-wins"
    assert verdict.sentence.startswith("Use trivialaugment-wide: the search found nothing that is told from it")


def test_the_better_of_a_baselines_two_recipes_counts() -> None:
    own, other = arm("flip+crop", "baseline"), arm("flip+crop with the recipe of x", "baseline")
    finalists = [runs(arm("x"), 0.1, 0.11, 0.1), runs(own, 0.30, 0.31, 0.30), runs(other, 0.2, 0.21, 0.2)]
    assert choose(finalists, FOLDS, NOISE)[1] is finalists[2]


def test_the_finalists_verdict_is_unconfirmed() -> None:
    finalists = [runs(arm("x"), 0.1, 0.11, 0.1), runs(FREE, 0.30, 0.31, 0.30)]
    verdict = chosen(finalists, FOLDS, NOISE, CLOSED)[2]
    assert verdict.kind == "looks-better-unconfirmed" and "unconfirmed: the test set has not been opened" in verdict.sentence
    unsure = [runs(arm("x"), 0.1, 0.2, 0.15), runs(FREE, 0.30, 0.2, 0.30)]
    assert chosen(unsure, FOLDS, NOISE, CLOSED)[2].kind == "not-distinguishable-unconfirmed"


@pytest.mark.parametrize("design", [FOLDS, Design(True)])
@pytest.mark.parametrize("seeds", [1, 2, 5])
def test_finalists_without_bits_or_with_one_seed_have_intervals_too(design: Design, seeds: int) -> None:
    found = summarised(runs(FREE, *[0.2 + 0.001 * seed for seed in range(seeds)]), design, NOISE)
    assert 0 <= found.low < found.mean < found.high <= 1 and found.standard_error > 0
    gap, error, degrees = difference(runs(FREE, *[0.2] * seeds), runs(STRONG, *[0.1] * seeds), design, NOISE)
    assert gap == pytest.approx(0.1) and degrees >= 1 and math.isfinite(error)


def test_on_the_same_images_only_those_on_which_two_differ_count() -> None:
    generator = np.random.default_rng(0)
    hard = generator.random(2000) < 0.3
    sides = [Runs(of, {1: 0.3, 2: 0.3}, 2000, {1: ~hard, 2: ~hard}) for of in (FREE, STRONG)]
    _, error, _ = difference(sides[0], sides[1], Design(True), NOISE)
    assert error == 0
    assert summarised(sides[0], Design(True), NOISE).standard_error > 0.009  # alone, the images are a sample all the same


def test_the_crossed_variance_is_that_of_many_worlds() -> None:
    means, told = [], []
    for seed in range(400):
        generator = np.random.default_rng(seed)
        hard, of_seed = generator.normal(size=300), 0.1 * generator.normal(size=(5, 1))
        right = hard + of_seed + generator.normal(size=(5, 300)) < 0.8
        means.append(right.mean())
        told.append(crossed_variance([right])[0])
    assert float(np.mean(told)) == pytest.approx(float(np.var(means)), rel=0.2)


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_the_interval_is_as_wide_as_students_t_makes_it_of_few_seeds(seeds: int) -> None:
    generator = np.random.default_rng(1)
    hard, of_seed = generator.normal(size=2000), 0.15 * generator.normal(size=(2 * seeds, 1))
    right = hard + of_seed + generator.normal(size=(2 * seeds, 2000)) < 0.8
    sides = [right[:seeds], right[seeds:]]
    _, low, high = crossed_interval(sides[0], sides[1], 0.025, np.random.default_rng(2), 4000)
    variance, degrees = crossed_variance(sides)
    assert (high - low) / 2 == pytest.approx(t_quantile(0.975, degrees) * math.sqrt(variance), rel=0.1)
    assert t_quantile(0.975, degrees) > 2.0


def _tested(winner: int, baseline: int, looks: int = 0, level: float = 0.025) -> Look:
    def side(wrong: int) -> Bits:
        return np.stack([answers(wrong + 5 * seed, 2000) for seed in range(5)])

    return Look(f"{winner} {baseline}", "searched", "flip+crop", level, looks, side(winner), side(baseline))


def test_the_test_images_say_better_worse_or_not_distinguishable() -> None:
    better, worse, level = confirmed(_tested(300, 500)), confirmed(_tested(500, 300)), confirmed(_tested(300, 305))
    assert (better.kind, worse.kind, level.kind) == ("better", "worse", "not-distinguishable")
    assert better.sentence.startswith("searched is better than flip+crop by 10.0 points (95 % interval ")
    assert "on 2,000 test images." in better.sentence and "The test error of searched is 15.5 %" in better.sentence
    assert worse.sentence.startswith("searched is worse than flip+crop by 10.0 points") and "use flip+crop" in worse.sentence
    assert level.sentence.startswith("searched is not distinguishable from flip+crop: use that.")
    assert better.low is not None and better.low < 0.1 < (better.high or 0)


def test_a_verdict_is_the_same_whenever_it_is_asked_for() -> None:
    assert confirmed(_tested(300, 340)) == confirmed(_tested(300, 340))


def test_earlier_looks_widen_the_interval_and_are_told() -> None:
    first, third = confirmed(_tested(300, 400)), confirmed(_tested(300, 400, looks=2, level=0.00625))
    assert first.low is not None and third.low is not None and third.low < first.low
    assert "98.75 % interval" in third.sentence and "2 other studies of this ledger have looked" in third.sentence


def test_a_winner_tested_alone_makes_no_claim() -> None:
    bits = np.stack([answers(300, 2000)])
    free = confirmed(Look("a", "flip+crop", None, 0.025, 0, bits, None, winner_is_baseline=True))
    searched = confirmed(Look("b", "searched", None, 0.025, 0, bits, None))
    assert (free.kind, searched.kind) == ("baseline-wins", "no-finalists") and "one model" in free.sentence


def test_one_models_interval_is_wilsons_and_several_have_both_variances() -> None:
    one = mean_error(np.stack([answers(300, 10_000)]))
    assert (one["low"], one["high"]) == pytest.approx((0.0268, 0.0335), abs=5e-5)
    several = mean_error(np.stack([answers(wrong, 10_000) for wrong in (200, 300, 400)]))
    assert several["high"] - several["low"] > 2 * (one["high"] - one["low"])


def test_the_order_of_complexity_is_the_written_one() -> None:
    step = {"probability": 1.0, "choices": [{"op": "rotate", "weight": 1.0}, {"op": "identity", "weight": 1.0}]}
    still = {"base": {"crop": None, "hflip": 0.0}, "branches": [{"weight": 1.0, "steps": []}]}
    flip = {**still, "base": {"crop": {"kind": "pad"}, "hflip": 0.5}}
    one = {**flip, "branches": [{"weight": 1.0, "steps": [step]}]}
    two = {**flip, "branches": [{"weight": 1.0, "steps": [step, step]}]}
    mixed = {**two, "batch": {"mixup": 0.2}}
    order = [complexity(policy, {}, searched=False).order() for policy in (still, flip, one, two, mixed)]
    order += [complexity(still, {}, searched=True).order(), complexity(still, {"views": "ten-crops"}, searched=True).order()]
    order += [complexity(still, {"peak_learning_rate": 0.1}, searched=True).order()]
    assert order == sorted(order) and len(set(order)) == len(order)
    assert complexity(one, {}, searched=False).ops_an_image == 2.0
