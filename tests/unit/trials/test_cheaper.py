"""Trainings on fewer or smaller images: whole schedules, on parts that are fixed, for the work of their budget."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trial_fixture import prepared_bars, spec_on

from searchspaces.errors import BadInput
from searchspaces.policy import Policy
from trials.cheaper import cheaper_parts, check_cheaper, check_enough, passes, passes_of, share_of_whole
from trials.data import Prepared, open_parts
from trials.run import run_trial
from trials.values import DataRef, Recipe, TrialSpec

SPEC = TrialSpec("t", Policy(), Recipe(), DataRef("d", "f"), 0, 13)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepared_bars(tmp_path_factory.mktemp("data"))


def cheap(data: Prepared, by: str, budget: int = 2, whole: int = 6, seed: int = 11) -> TrialSpec:
    return replace(spec_on(data), by=by, budget_epochs=budget, whole_epochs=whole, seed=seed)


@given(st.integers(1, 200), st.integers(0, 800))
def test_the_passes_are_those_of_the_whole_and_each_epoch_has_one(budget: int, more: int) -> None:
    spec = replace(SPEC, by="images", budget_epochs=budget, whole_epochs=budget + more)
    walked = [each for epoch in range(1, budget + 1) for each in passes_of(spec, epoch)]
    assert walked == list(range(1, budget + more + 1))
    assert all(len(passes_of(spec, epoch)) >= 1 for epoch in range(1, budget + 1))
    assert passes(spec, budget) == budget + more
    assert share_of_whole(spec) == budget / (budget + more)


def test_fewer_epochs_are_as_they_ever_were() -> None:
    assert [list(passes_of(SPEC, epoch)) for epoch in (1, 2, 13)] == [[1], [2], [13]]
    assert passes(SPEC, 13) == 13 and share_of_whole(SPEC) == 1
    assert not {"by", "whole_epochs"} & set(SPEC.to_dict())
    assert TrialSpec.from_dict(json.loads(json.dumps(SPEC.to_dict()))) == SPEC
    smaller = replace(SPEC, by="size", whole_epochs=40)
    assert TrialSpec.from_dict(json.loads(json.dumps(smaller.to_dict()))) == smaller


def test_fewer_images_are_a_stratified_part_that_the_studys_seed_alone_decides_and_small_parts_lie_in_larger(
    data: Prepared,
) -> None:
    train, held = open_parts(Path(data.directory), "search")
    third, scored = cheaper_parts(train, held, cheap(data, "images"))
    again = cheaper_parts(train, held, replace(cheap(data, "images"), trial_uid="other", replicate=3))[0]
    half = cheaper_parts(train, held, cheap(data, "images", 3))[0]
    assert scored is held
    assert np.bincount(third.labels).tolist() == [27, 27, 26]
    assert np.array_equal(third.images[:], again.images[:]) and third.fingerprint == again.fingerprint
    assert not np.array_equal(third.images[:], cheaper_parts(train, held, cheap(data, "images", seed=12))[0].images[:])
    assert {image.tobytes() for image in third.images[:]} < {image.tobytes() for image in half.images[:]}


def test_smaller_images_are_all_of_them_and_so_are_those_that_score(data: Prepared) -> None:
    train, held = open_parts(Path(data.directory), "search")
    small, scored = cheaper_parts(train, held, cheap(data, "size", 3))
    assert small.images.shape == (240, 1, 9, 9) and scored.images.shape == (120, 1, 9, 9)
    assert np.array_equal(small.labels, train.labels)
    assert abs(float(small.images.mean()) - float(train.images.mean())) < 1
    assert cheaper_parts(train, held, spec_on(data)) == (train, held)


@pytest.mark.parametrize(("by", "budget"), [("images", 2), ("size", 3)])
def test_a_cheaper_training_is_annealed_scored_once_for_each_epoch_of_its_budget_and_the_same_again(
    data: Prepared, by: str, budget: int
) -> None:
    spec = cheap(data, by, budget)
    first, again = (run_trial(spec, lambda epoch: None, None) for _ in range(2))
    assert first.status == "done", first.error
    assert [epoch.number for epoch in first.epochs] == list(range(1, budget + 1))
    assert first.score is not None and first.score.total == 120
    assert (first.epochs, first.score) == (again.epochs, again.score)
    assert first.score.wrong < 60, "it has learned"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"by": "pixels"}, "by: 'pixels'; allowed are epochs, images, size"),
        ({"by": "images"}, "whole_epochs: None; allowed is a number from budget_epochs, 13, up"),
        ({"by": "size", "whole_epochs": 12}, "whole_epochs: 12"),
    ],
)
def test_specs_that_cannot_be(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        check_cheaper(replace(SPEC, **wrong))  # type: ignore[arg-type]


def test_too_few_images_or_pixels_are_refused() -> None:
    check_enough("images", 1 / 3, 60, 10, 13, 13)
    with pytest.raises(BadInput, match="by=images: its smallest part has 19 of 57 training images; allowed are 2 a class, 20"):
        check_enough("images", 1 / 3, 57, 10, 13, 13)
    with pytest.raises(BadInput, match="by=size: its smallest images have 7 pixels a side"):
        check_enough("size", 1 / 4, 57, 10, 13, 32)
    check_enough("epochs", 1 / 100, 57, 10, 13, 13)
