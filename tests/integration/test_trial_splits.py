"""Which images a trial trains on and is scored on, by its split; and that every policy meets the same ones in the same order."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn
from trial_fixture import NONE, prepared_bars, spec_on

from searchspaces.errors import BadInput
from searchspaces.families.fixed import baselines
from searchspaces.plan import Plan
from searchspaces.policy import Base
from trials.data import Prepared, Split, open_parts, open_split, read_meta
from trials.evaluate import score
from trials.pixels import Normaliser
from trials.run import run_trial
from trials.train import DrawMixing, Trainer
from trials.values import Recipe, Score, TrialResult, TrialSpec


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepared_bars(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def spec(data: Prepared) -> TrialSpec:
    return spec_on(data)


class Met:
    """All that a trial's net meets before it has learned anything, and what it is scored on."""

    def __init__(self) -> None:
        self.trained: list[Split] = []
        self.scored: list[Split] = []
        self.weights: list[bytes] = []
        self.orders: list[bytes] = []
        self.normalised: list[tuple[list[float], list[float]]] = []


@pytest.fixture
def met(monkeypatch: pytest.MonkeyPatch) -> Met:
    """What trials of this process meet from now on."""
    met = Met()

    class Watched(Trainer):
        def __init__(self, model: nn.Module, train: Split, *rest: Any) -> None:
            met.trained.append(train)
            met.weights.append(b"".join(tensor.numpy().tobytes() for tensor in model.state_dict().values()))
            super().__init__(model, train, *rest)

        def train_epoch(self, order: np.ndarray, plan: Plan, draw_mixing: DrawMixing | None = None) -> float:
            met.orders.append(order.tobytes())
            return super().train_epoch(order, plan, draw_mixing)

    class Noted(Normaliser):
        def __init__(self, mean: list[float], std: list[float], recipe: Recipe) -> None:
            met.normalised.append((mean, std))
            super().__init__(mean, std, recipe)

    def noted(model: nn.Module, split: Split, *rest: Any, **named: Any) -> Score:
        met.scored.append(split)
        return score(model, split, *rest, **named)

    monkeypatch.setattr("trials.run.Trainer", Watched)
    monkeypatch.setattr("trials.run.Normaliser", Noted)
    monkeypatch.setattr("trials.run.score", noted)
    return met


def run(spec: TrialSpec, **changes: Any) -> TrialResult:
    return run_trial(dataclasses.replace(spec, **changes), lambda epoch: None, None)


def alike(one: Split, other: Split) -> bool:
    return (
        bool(np.array_equal(np.asarray(one.images[:]), np.asarray(other.images[:])))
        and one.labels.tolist() == other.labels.tolist()
    )


def pixels(split: Split) -> list[bytes]:
    return sorted(np.asarray(image).tobytes() for image in split.images[:])


@pytest.mark.parametrize("split", ["search", "fold-1", "fold-2", "all"])
def test_a_trial_trains_on_one_part_of_its_split_and_is_scored_on_the_other(spec: TrialSpec, met: Met, split: str) -> None:
    trained, scored = open_parts(Path(spec.data.directory), split)
    result = run(spec, split=split, budget_epochs=1)
    assert result.status == "done"
    assert alike(met.trained[0], trained) and alike(met.scored[0], scored)
    assert result.score is not None and result.score.total == len(scored.labels)


def test_a_fold_is_train_and_validation_split_anew_and_all_is_both(spec: TrialSpec) -> None:
    directory = Path(spec.data.directory)
    train, val = open_split(directory, "train"), open_split(directory, "val")
    together = sorted(pixels(train) + pixels(val))
    folds = [open_parts(directory, f"fold-{number}") for number in (1, 2)]
    for trained, scored in folds:
        assert sorted(pixels(trained) + pixels(scored)) == together
        assert len(trained.labels) == len(train.labels)
    assert pixels(folds[0][1]) != pixels(folds[1][1])
    assert pixels(open_parts(directory, "all")[0]) == together


def test_two_policies_meet_the_same_split_weights_and_order(spec: TrialSpec, met: Met) -> None:
    """Finalists of one replicate differ by their policy and their recipe alone."""
    strong = baselines(1, Base(hflip=0.5))["trivialaugment-wide"]
    other = dataclasses.replace(spec.recipe, peak_learning_rate=0.1)
    for policy, recipe in ((NONE, spec.recipe), (strong, other)):
        run(spec, split="fold-2", replicate=2, policy=policy, recipe=recipe, budget_epochs=2)
    assert alike(*met.trained) and alike(met.scored[0], met.scored[-1])
    assert met.weights[0] == met.weights[1]
    assert met.orders[:2] == met.orders[2:] and met.orders[0] != met.orders[1]


def test_another_replicate_has_other_weights_and_another_order(spec: TrialSpec, met: Met) -> None:
    for replicate in (1, 2):
        run(spec, split="fold-1", replicate=replicate, budget_epochs=1)
    assert alike(*met.trained)
    assert met.weights[0] != met.weights[1] and met.orders[0] != met.orders[1]


@pytest.mark.parametrize("split", ["search", "fold-1", "all"])
def test_images_are_normalised_by_the_training_part_of_the_study_whatever_the_split(
    spec: TrialSpec, met: Met, split: str
) -> None:
    meta = read_meta(Path(spec.data.directory))
    run(spec, split=split, budget_epochs=1)
    assert met.normalised == [(meta["mean"], meta["std"])]


def test_a_split_that_there_is_not_is_refused(spec: TrialSpec) -> None:
    for name in ("test", "fold-", "folds"):
        with pytest.raises(BadInput):
            run(spec, split=name)


def test_on_a_fold_it_learns_and_repeats_itself(spec: TrialSpec) -> None:
    one, other = (run(spec, split="fold-3", replicate=3) for _ in range(2))
    assert one.score == other.score and one.score is not None
    assert one.score.wrong < 0.3 * one.score.total
