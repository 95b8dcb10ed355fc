"""What every recipe promises, of each optimiser with each schedule: it learns, repeats itself, and keeps what it scored."""

import dataclasses
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from trial_fixture import CLASSES, prepared_bars, spec_on

from searchspaces.policy import Batch, Policy
from searchspaces.recipe_fields import USUAL, find_field
from trials.data import Prepared, open_split, read_meta
from trials.evaluate import load_model, score
from trials.optimisers import OPTIMISERS
from trials.run import run_trial
from trials.schedule import SCHEDULES
from trials.values import Recipe, Score, TrialResult, TrialSpec

COMBINATIONS = list(product(OPTIMISERS, SCHEDULES))
EVERYTHING: dict[str, Any] = {"dropout": 0.2, "ema_decay": 0.9, "gradient_clip": 1.0, "batch_parts": 2}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepared_bars(tmp_path_factory.mktemp("data"))


@pytest.fixture(params=COMBINATIONS, ids=["-".join(names) for names in COMBINATIONS], scope="module")
def spec(request: pytest.FixtureRequest, data: Prepared) -> TrialSpec:
    optimiser, schedule = request.param
    plain = spec_on(data)
    changes: dict[str, Any] = {"optimiser": optimiser, "schedule": schedule, **USUAL[optimiser]}
    recipe = dataclasses.replace(plain.recipe, **changes)
    return dataclasses.replace(plain, recipe=recipe)


def run(spec: TrialSpec, weights_path: Path | None = None) -> TrialResult:
    return run_trial(spec, lambda epoch: None, weights_path)


def with_everything(spec: TrialSpec) -> TrialSpec:
    """All that a recipe can have besides, and mixed batches."""
    recipe = dataclasses.replace(spec.recipe, **EVERYTHING)
    return dataclasses.replace(spec, recipe=recipe, policy=Policy(batch=Batch(0.2, 1.0, 0.25)), budget_epochs=2)


def test_the_table_has_the_optimisers_that_there_are() -> None:
    assert find_field("optimiser").choices == tuple(OPTIMISERS) == tuple(USUAL)


def test_it_learns(spec: TrialSpec) -> None:
    result = run(spec)
    assert isinstance(result.score, Score), result.error
    assert result.score.wrong < 0.4 * result.score.total  # chance is 0.67
    first, last = result.epochs[0].train_loss, result.epochs[-1].train_loss
    assert first is not None and last is not None and last < first


def test_with_all_that_a_recipe_can_have_it_repeats_itself_bit_for_bit(spec: TrialSpec, tmp_path: Path) -> None:
    whole = with_everything(spec)
    one, other = (run(whole, tmp_path / name) for name in ("one.pt", "other.pt"))
    assert one.status == "done", one.error
    assert (one.epochs, one.score, one.weights_sha256) == (other.epochs, other.score, other.weights_sha256)


def test_what_is_kept_is_what_was_scored(spec: TrialSpec, tmp_path: Path) -> None:
    whole = with_everything(spec)
    result = run(whole, tmp_path / "w.pt")
    assert result.weights_sha256 is not None, result.error
    model = load_model(tmp_path / "w.pt", result.weights_sha256, 1, CLASSES, whole.recipe)
    directory = Path(whole.data.directory)
    meta = read_meta(directory)
    assert score(model, open_split(directory, "val"), whole.recipe, meta["mean"], meta["std"]) == result.score


def test_its_spec_makes_the_round_trip(spec: TrialSpec) -> None:
    for one in (spec, with_everything(spec)):
        assert TrialSpec.from_dict(one.to_dict()) == one


def test_a_field_that_came_later_is_not_told_where_it_changes_nothing() -> None:
    assert list(Recipe().to_dict()) == [
        *("model", "batch_images", "peak_learning_rate", "momentum", "weight_decay", "label_smoothing", "warmup_fraction"),
        *("precision", "channels_last", "device", "views"),
    ]
    assert {part.name for part in dataclasses.fields(Recipe)} >= set(EVERYTHING)
