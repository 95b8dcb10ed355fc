"""The loop's parts: batches, blocks, the optimiser's groups, and a step worked out by hand."""

import dataclasses
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from searchspaces.plan import Plan
from trials.data import Split
from trials.pixels import Normaliser
from trials.seeds import numpy_generator
from trials.spans import Spans
from trials.train import Trainer, batches_per_epoch
from trials.values import Recipe

RECIPE = Recipe(batch_images=4, peak_learning_rate=0.1, momentum=0.9, weight_decay=0.5, label_smoothing=0.0, warmup_fraction=0.0)


class Watched(nn.Module):
    """A linear net on one pixel that writes down which images it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3, 1))
        self.bias = nn.Parameter(torch.ones(3))
        self.seen: list[list[int]] = []

    def forward(self, images: Tensor) -> Tensor:
        pixels = images[:, 0, 0, 0]
        self.seen.append(pixels.round().int().tolist())
        return pixels[:, None] / 100 @ self.weight.T + self.bias


def trained(images: int, order: np.ndarray, codes: np.ndarray, recipe: Recipe = RECIPE) -> tuple[Watched, float]:
    """One epoch over `images` one-pixel images numbered by their brightness."""
    pixels = np.arange(images, dtype=np.uint8).reshape(-1, 1, 1, 1)
    split = Split(pixels, np.arange(images, dtype=np.int64) % 3, tuple("abc"), "")
    net = Watched()
    trainer = Trainer(net, split, Normaliser([0.0], [1 / 255], recipe), recipe, 1, Spans(), set())
    plan = Plan(("identity", "brightness_shift"), codes.astype(np.int16), np.full((images, 1, 1), 100.0))
    return net, trainer.train_epoch(order, plan)


def nothing(images: int) -> np.ndarray:
    return np.zeros((images, 1))


@given(st.integers(1, 5000), st.integers(2, 600))
def test_batches_are_never_too_large_and_alike(images: int, batch_images: int) -> None:
    sizes = [len(batch) for batch in np.array_split(np.arange(images), batches_per_epoch(images, batch_images))]
    assert sum(sizes) == images
    assert max(sizes) <= batch_images
    assert max(sizes) - min(sizes) <= 1


def test_every_image_is_seen_once_in_the_given_order_across_blocks() -> None:
    order = numpy_generator(0).permutation(200)
    recipe = dataclasses.replace(RECIPE, batch_images=512)
    assert trained(200, order, nothing(200), recipe)[0].seen == [order.tolist()]
    small = trained(200, order, nothing(200))[0].seen
    assert [len(batch) for batch in small] == [4] * 50
    assert list(chain.from_iterable(small)) == order.tolist()


def test_each_image_gets_its_own_row_of_the_plan() -> None:
    codes = np.array([[1], [0], [0], [1], [0]])
    seen = trained(5, np.array([3, 1, 4, 2, 0]), codes)[0].seen
    assert list(chain.from_iterable(seen)) == [103, 1, 4, 2, 100]


def test_one_step_by_hand_decays_weights_but_not_biases() -> None:
    """From zero weights and equal biases each class has 1/3; the gradient of the loss is that less the truth."""
    net, loss = trained(3, np.array([0, 1, 2]), nothing(3))
    assert loss == pytest.approx(np.log(3.0))
    rate = 0.1 * 0.5  # a run of one step is read at the middle of its fall
    pixels = np.array([0.0, 0.01, 0.02])
    gradient = [(pixels.sum() / 3 - pixels[label]) / 3 for label in range(3)]
    nesterov = 1 + 0.9
    assert net.weight.detach().ravel().tolist() == pytest.approx([-rate * nesterov * g for g in gradient], abs=1e-7)
    assert net.bias.detach().tolist() == pytest.approx([1.0, 1.0, 1.0])


def test_decay_pulls_on_kernels_alone() -> None:
    net = Watched()
    split = Split(np.zeros((3, 1, 1, 1), dtype=np.uint8), np.arange(3, dtype=np.int64), tuple("abc"), "")
    with torch.no_grad():
        net.weight.fill_(1.0)
    trainer = Trainer(net, split, Normaliser([0.0], [1 / 255], RECIPE), RECIPE, 1, Spans(), set())
    trainer.train_epoch(np.arange(3), Plan(("identity",), np.zeros((3, 1), dtype=np.int16), np.zeros((3, 1, 1))))
    assert net.weight.detach().ravel().tolist() == pytest.approx([1 - 0.05 * 1.9 * 0.5] * 3)
    assert net.bias.detach().tolist() == pytest.approx([1.0, 1.0, 1.0])
