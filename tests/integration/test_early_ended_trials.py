"""Trials that patience ends: judged by their last epoch and its views; finalists and tested models train to the end."""

import dataclasses
from pathlib import Path

import pytest
from trial_fixture import CLASSES, prepared_bars, spec_on

from trials.data import Prepared, open_split, read_meta
from trials.evaluate import load_model, score
from trials.run import run_trial
from trials.values import Epoch, Score, TrialResult, TrialSpec

EPOCHS = 8


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepared_bars(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def spec(data: Prepared) -> TrialSpec:
    """A net that learns nothing more: its rate is next to nothing."""
    plain = spec_on(data)
    recipe = dataclasses.replace(plain.recipe, peak_learning_rate=1e-12, weight_decay=0.0, patience_epochs=2)
    return dataclasses.replace(plain, recipe=recipe, budget_epochs=EPOCHS)


def run(spec: TrialSpec, weights_path: Path | None = None) -> tuple[TrialResult, list[Epoch]]:
    heard: list[Epoch] = []
    return run_trial(spec, heard.append, weights_path), heard


def test_a_trial_of_the_search_ends_and_is_scored_by_its_last_epoch_and_its_views(spec: TrialSpec, tmp_path: Path) -> None:
    by_views = dataclasses.replace(spec, recipe=dataclasses.replace(spec.recipe, views="hflip"))
    result, heard = run(by_views, tmp_path / "w.pt")
    assert isinstance(result.score, Score) and result.weights_sha256 is not None, result.error
    assert len(result.epochs) < EPOCHS
    assert list(result.epochs) == heard
    assert (heard[-1].wrong, heard[-1].total) == (result.score.wrong, result.score.total)
    model = load_model(tmp_path / "w.pt", result.weights_sha256, 1, CLASSES, spec.recipe)
    directory = Path(spec.data.directory)
    meta = read_meta(directory)
    assert score(model, open_split(directory, "val"), by_views.recipe, meta["mean"], meta["std"], "hflip") == result.score


@pytest.mark.parametrize("split", ["fold-1", "all"])
def test_finalists_and_tested_models_train_all_epochs(spec: TrialSpec, split: str) -> None:
    result, _ = run(dataclasses.replace(spec, split=split))
    assert len(result.epochs) == EPOCHS


def test_what_has_been_trained_does_not_depend_on_patience(spec: TrialSpec) -> None:
    """The schedule is that of all epochs; patience only ends it."""
    short, _ = run(spec)
    whole, _ = run(dataclasses.replace(spec, recipe=dataclasses.replace(spec.recipe, patience_epochs=0)))
    assert whole.epochs[: len(short.epochs)] == short.epochs
    assert len(whole.epochs) == EPOCHS
