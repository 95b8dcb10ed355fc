"""Counting by hand: bits, confusion and log-loss of a net whose answers are known."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from trials.data import Split
from trials.evaluate import SCORE_BATCH_IMAGES, score
from trials.values import Recipe, Score

RECIPE = Recipe()


class ByBrightness(nn.Module):
    """Says class k for images whose pixels are k; its probability for that class is 3 / (3 + classes - 1)."""

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.one_hot(images[:, 0, 0, 0].round().long(), 4) * math.log(3.0)


def scored(shown: list[int], labels: list[int]) -> Score:
    images = np.array(shown, dtype=np.uint8).reshape(-1, 1, 1, 1) * np.ones((1, 1, 2, 2), dtype=np.uint8)
    split = Split(images, np.array(labels, dtype=np.int64), tuple("abcd"), "")
    return score(ByBrightness(), split, RECIPE, [0.0], [1 / 255])


def test_bits_confusion_and_log_loss_by_hand() -> None:
    found = scored(shown=[0, 1, 1, 3, 0], labels=[0, 1, 2, 3, 3])
    assert found.right == (True, True, False, True, False)
    assert found.confusion == ((1, 0, 0, 0), (0, 1, 0, 0), (0, 1, 0, 0), (1, 0, 0, 1))
    assert found.log_loss_sum == pytest.approx(3 * -math.log(3 / 6) + 2 * -math.log(1 / 6))


@pytest.mark.parametrize("images", [1, SCORE_BATCH_IMAGES, SCORE_BATCH_IMAGES + 1, 2 * SCORE_BATCH_IMAGES + 7])
def test_every_image_is_scored_once_whatever_the_batches(images: int) -> None:
    labels = [number % 4 for number in range(images)]
    shown = [label if number % 3 else (label + 1) % 4 for number, label in enumerate(labels)]
    found = scored(shown, labels)
    assert found.right == tuple(bool(number % 3) for number in range(images))


def test_the_mode_of_the_net_is_put_back() -> None:
    for training in (True, False):
        net = ByBrightness().train(training)
        split = Split(np.zeros((2, 1, 2, 2), dtype=np.uint8), np.zeros(2, dtype=np.int64), tuple("abcd"), "")
        score(net, split, RECIPE, [0.0], [1.0])
        assert net.training == training


def test_scoring_wants_no_gradients() -> None:
    class Watch(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            assert not torch.is_grad_enabled()
            assert not self.training
            return images.flatten(1)

    split = Split(np.zeros((2, 1, 2, 2), dtype=np.uint8), np.zeros(2, dtype=np.int64), tuple("abcd"), "")
    score(Watch(), split, RECIPE, [0.0], [1.0])
