"""The noise of an error, the shortlist and the winner's curse, against published and hand-checked values."""

import math

import numpy as np
import pytest
from unit.policysearch.judging.making import answers, arm

from policysearch.judging import Candidate, Noise, best_baselines, measured_noise, optimism, shortlist, shrunk
from policysearch.judging.noise import prior_seed_variance, seed_variance
from policysearch.judging.quantiles import expected_maximum, t_quantile


@pytest.mark.parametrize(("count", "value"), [(1, 0), (10, 1.5388), (100, 2.5076), (1000, 3.2414), (10_000, 3.8516)])
def test_the_expected_maximum_has_known_values(count: int, value: float) -> None:
    assert expected_maximum(count) == pytest.approx(value, abs=1e-3)


@pytest.mark.parametrize(("degrees", "value"), [(1, 12.706), (2, 4.303), (4, 2.776), (8, 2.306), (30, 2.042), (1e9, 1.960)])
def test_students_t_has_known_values(degrees: float, value: float) -> None:
    assert t_quantile(0.975, degrees) == pytest.approx(value, abs=1e-3)


def test_disagreement_is_the_mean_over_all_pairs() -> None:
    noise = measured_noise([answers(100), answers(100, first=100), answers(100, first=50)], [], [0.1, 0.1, 0.1])
    assert noise.disagreement == pytest.approx((0.2 + 0.1 + 0.1) / 3)
    assert noise.gap_squared == 0


def test_without_bits_policies_count_as_if_they_had_nothing_in_common() -> None:
    assert measured_noise([], [], [0.2]).disagreement == pytest.approx(2 * 0.2 * 0.8)


def test_two_seeds_on_many_images_move_the_prior_and_on_few_hardly() -> None:
    prior = prior_seed_variance(0.2)
    many = np.stack([answers(200_000, 1_000_000), answers(220_000, 1_000_000)])
    few = np.stack([answers(200), answers(220, first=300)])
    assert seed_variance([], 0.2) == prior
    assert seed_variance([many], 0.2) > 3 * prior
    assert seed_variance([few], 0.2) < 1.5 * prior
    assert seed_variance([np.stack([answers(200)] * 2)], 0.2) >= prior / 4  # two seeds alike by chance are no proof


NOISE = Noise(0.17, 0.0, 0.155, 0.004**2)


def test_the_shortlist_is_of_different_policies_and_ties_go_to_fewer_ops_then_to_the_earlier() -> None:
    candidates = [
        Candidate(arm("later", number=3), 200, 1000),
        Candidate(arm("earlier", number=2), 200, 1000),
        Candidate(arm("simpler", ops=1.0, number=9), 200, 1000),
        Candidate(arm("same policy", number=1, digest="simpler"), 190, 1000),
        Candidate(arm("worse", number=0), 300, 1000),
    ]
    assert [found.arm.label for found in shortlist(candidates, 4, NOISE)] == ["same policy", "earlier", "later", "worse"]


def test_errors_are_shrunk_towards_the_mean_of_all_and_those_of_fewer_images_more() -> None:
    candidates = [Candidate(arm(f"{wrong}"), wrong, 1000) for wrong in (150, 250, 350, 450)]
    candidates.append(Candidate(arm("few"), 15, 100))
    found = {candidate.arm.label: candidate.posterior for candidate in shrunk(candidates, NOISE)}
    assert 0.15 < found["150"] < found["few"] < 0.3
    assert found["450"] < 0.45


def test_the_shortlist_goes_by_the_shrunk_errors_and_not_by_the_recorded_ones() -> None:
    candidates = [Candidate(arm(f"{wrong}"), wrong, 10_000) for wrong in (1500, 2500, 3500, 4500)]
    candidates.append(Candidate(arm("lucky"), 7, 50))  # 14 %, of 50 images
    assert [found.arm.label for found in shortlist(candidates, 2, NOISE)] == ["1500", "lucky"]


def test_where_all_is_noise_the_order_is_still_that_of_the_errors() -> None:
    candidates = [Candidate(arm(f"{wrong}", ops=wrong), wrong, 1000) for wrong in (262, 260, 261)]
    assert [found.arm.label for found in shortlist(candidates, 3, NOISE)] == ["260", "261", "262"]


def test_optimism_is_the_formula() -> None:
    candidates = [Candidate(arm(f"{wrong}"), wrong, 1000) for wrong in (200, 260, 260, 260, 320)]
    found = optimism(candidates, NOISE)
    assert found is not None
    own, total = NOISE.variance(1000), np.var([0.2, 0.26, 0.26, 0.26, 0.32], ddof=1)
    assert found.points == pytest.approx(own / math.sqrt(total) * expected_maximum(5))
    assert "5 policies" in found.sentence and "winner's curse" in found.sentence
    assert optimism(candidates[:1], NOISE) is None


def test_the_two_best_baselines_are_those_of_the_lowest_errors() -> None:
    free = [Candidate(arm(name, "baseline", ops), wrong, 1000) for name, ops, wrong in (("a", 2, 9), ("b", 1, 9), ("c", 0, 50))]
    assert [found.arm.label for found in best_baselines(free)] == ["b", "a"]
