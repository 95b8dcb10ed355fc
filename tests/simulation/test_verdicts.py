"""Verdicts against planted truth, in a twentieth of the full size and with fixed seeds; `make soak` plays all of it."""

import numpy as np
import pytest
from simulation.planted import Images, World
from simulation.playing import play
from simulation.worlds import ALLOWED, GAINS, NULLS, coverage, least_rate, tally


@pytest.mark.slow
@pytest.mark.parametrize("world", NULLS[:3], ids=lambda world: world.name)
def test_where_nothing_is_better_better_is_claimed_in_at_most_one_study_of_twenty(world: World) -> None:
    found = tally(world, range(50))
    assert least_rate(found.kinds["better"], found.studies) <= ALLOWED
    assert found.kinds["baseline-wins"] > 25  # and mostly the user is told to take what is free


@pytest.mark.slow
def test_a_large_gain_is_found_and_its_interval_holds_it() -> None:
    found = tally(GAINS[-1], range(30))
    assert found.kinds["better"] >= 27 and found.false == 0
    assert found.covered >= 26  # less than 26 of 30 has a chance of 1.6 % where 95 % hold it


@pytest.mark.slow
def test_the_told_optimism_is_the_true_one() -> None:
    found = tally(World("curse", policies=30, search=1000), range(60))
    assert found.expected / 60 == pytest.approx(found.optimism / 60, rel=0.15)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [2, 5])
def test_intervals_of_equal_policies_miss_0_no_more_often_than_they_may(seeds: int) -> None:
    above, below = coverage(World("pairs", seeds=seeds, test=2000), 50, 0.025)
    assert least_rate(above + below, 50) <= 0.05


def test_a_study_is_played_alike_again() -> None:
    world = World("small", policies=6, search=300, test=500)
    assert play(world, 3) == play(world, 3)


def test_planted_nets_err_and_disagree_as_was_measured() -> None:
    images = Images(World(""), np.random.default_rng(0), 40_000)
    one, again, other = images.bits(0, 0.26), images.bits(0, 0.26), images.bits(1, 0.26)
    assert 1 - one.mean() == pytest.approx(0.26, abs=0.02)
    assert (one != other).mean() == pytest.approx(0.17, abs=0.01)
    assert (one != again).mean() == pytest.approx(0.155, abs=0.01)


@pytest.mark.parametrize(
    ("claims", "studies", "bound"), [(0, 100, 0.0), (1, 1, 0.01), (1, 100, 1 - 0.99**0.01), (10, 10, 0.01**0.1)]
)
def test_the_exact_bound_has_known_values(claims: int, studies: int, bound: float) -> None:
    assert least_rate(claims, studies) == pytest.approx(bound, rel=1e-6)
