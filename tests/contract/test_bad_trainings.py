"""Trainings that go wrong, really trained: what diverges fails and says where; what learns nothing is done, and doubted."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from trial_fixture import CLASSES, prepared_bars, spec_on

from policysearch.judging.doubts import doubt
from trials.run import run_trial
from trials.train import Trainer
from trials.values import Score, TrialResult, TrialSpec

STEPS = 8  # of an epoch
EPOCHS = 3


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> TrialSpec:
    return spec_on(prepared_bars(tmp_path_factory.mktemp("data")))


class OneAnswer(nn.Module):
    """Says the same of every image."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.said = nn.Parameter(torch.zeros(classes))

    def forward(self, images: Tensor) -> Tensor:
        return self.said.expand(len(images), -1)


def one_answer(channels: int, classes: int) -> nn.Module:
    return OneAnswer(classes)


def spoil(monkeypatch: pytest.MonkeyPatch, step: int, part: str) -> None:
    """Have the loss, or the gradients, of one step (1 the first) be what no arithmetic mends."""
    gather, taken = Trainer._gather_gradients, list[int]()

    def gathered(trainer: Trainer, images: Tensor, labels: Tensor) -> Tensor:
        taken.append(0)
        loss = gather(trainer, images, labels)
        if len(taken) != step:
            return loss
        if part == "loss":
            return loss * torch.nan
        for weight in trainer._model.parameters():
            assert weight.grad is not None
            weight.grad.fill_(torch.inf)
        return loss

    monkeypatch.setattr(Trainer, "_gather_gradients", gathered)


def failed(spec: TrialSpec, folder: Path, **recipe: Any) -> TrialResult:
    """The result of a training that must fail and leave no weights."""
    wished = dataclasses.replace(spec, recipe=dataclasses.replace(spec.recipe, **recipe))
    result = run_trial(wished, lambda epoch: None, folder / "weights.pt")
    assert (result.status, result.score, result.weights_sha256) == ("failed", None, None)
    assert not list(folder.iterdir())
    return result


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_a_loss_that_is_no_number_fails_the_trial_at_its_epoch(
    epoch: int, spec: TrialSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, epoch * STEPS, "loss")
    result = failed(spec, tmp_path)
    assert result.error == f"epoch {epoch} of {EPOCHS}: training loss is nan"
    assert [ended.number for ended in result.epochs] == [*range(1, epoch)]


@pytest.mark.parametrize("clip", [0.0, 1.0])
@pytest.mark.parametrize(
    ("step", "reason"), [(1, "epoch 1 of 3: training loss is nan"), (STEPS + 1, "epoch 2 of 3: training loss is nan")]
)
def test_gradients_that_are_infinite_fail_the_trial(
    step: int, reason: str, clip: float, spec: TrialSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, step, "gradients")
    assert failed(spec, tmp_path, gradient_clip=clip).error == reason


def test_those_of_the_last_step_have_no_loss_after_them_and_no_score(
    spec: TrialSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, EPOCHS * STEPS, "gradients")
    result = failed(spec, tmp_path)
    assert result.error == "epoch 3 of 3: the net's outputs on the scored images are not finite"
    assert len(result.epochs) == EPOCHS - 1


def test_a_net_that_says_the_same_of_every_image_is_done_and_doubted(spec: TrialSpec) -> None:
    recipe = dataclasses.replace(spec.recipe, model=f"{__name__}:one_answer")
    result = run_trial(dataclasses.replace(spec, recipe=recipe), lambda epoch: None, None)
    assert result.status == "done" and isinstance(result.score, Score)
    assert result.score.wrong == result.score.total * (CLASSES - 1) // CLASSES
    assert "takes all 120 images for one class" in doubt(result.score.wrong, result.score.total, result.score.confusion)
