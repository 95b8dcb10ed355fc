"""The loop's parts: batches, blocks, the optimiser's groups, and a step worked out by hand."""

import dataclasses
from itertools import chain
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from searchspaces.draw import draw
from searchspaces.mixing import Mixing, draw_mixing, mix_images, mix_labels
from searchspaces.plan import Plan
from searchspaces.policy import Batch, Policy
from trials.data import Split
from trials.machine import reproducible
from trials.models import build_model
from trials.pixels import Normaliser
from trials.seeds import numpy_generator, torch_generator
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
    with reproducible(recipe):
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


def noise(images: int, side: int = 8) -> Split:
    """Grey noise of three classes."""
    pixels = numpy_generator("pixels").integers(0, 256, (images, 1, side, side)).astype(np.uint8)
    return Split(pixels, np.arange(images, dtype=np.int64) % 3, tuple("abc"), "")


class Smooth(nn.Module):
    """A net without batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(64, 16), nn.Linear(16, 3)
        for layer in (self.first, self.head):
            nn.init.normal_(layer.weight, std=0.2, generator=torch_generator("smooth"))
            nn.init.zeros_(layer.bias)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(functional.relu(self.first(images.flatten(1))))
        return logits


def trained_on_noise(net: nn.Module, recipe: Recipe, images: int = 40, epochs: int = 3, mixes: bool = False) -> Trainer:
    split, spans = noise(images), Spans()
    trainer = Trainer(net, split, Normaliser([0.5], [0.3], recipe), recipe, epochs, spans, set())
    for epoch in range(epochs):
        trainer.drop_by(torch_generator("dropout", epoch))
        order = numpy_generator("order", epoch).permutation(images)
        generator = numpy_generator("mixing", epoch)
        mixing = (lambda size, sides, g=generator: draw_mixing(Batch(0.4, 1.0), size, sides, g)) if mixes else None
        with reproducible(recipe):
            trainer.train_epoch(order, draw(Policy(), split.images.shape, numpy_generator(epoch)), mixing)
    return trainer


def weights(net: nn.Module) -> Tensor:
    return torch.cat([tensor.detach().flatten().double() for tensor in net.state_dict().values()])


def test_the_default_recipe_trains_bit_for_bit_as_it_always_has() -> None:
    """The loop as it was before recipes had a choice of optimisers, written out."""
    split, steps, recipe = noise(40), 6, Recipe(batch_images=20)
    found = trained_on_noise(small(), recipe).net
    net, normaliser = small(), Normaliser([0.5], [0.3], recipe)
    kernels, others = ([p for p in net.parameters() if (p.ndim > 1) is large] for large in (True, False))
    groups = [{"params": kernels, "weight_decay": 3e-3}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.SGD(groups, lr=0.2, momentum=0.9, nesterov=True)
    for step in range(steps):
        epoch, half = divmod(step, 2)
        index = np.array_split(numpy_generator("order", epoch).permutation(40), 2)[half]
        middle = (step + 0.5) / steps
        rate = min(0.2, 0.2 * middle / 0.2) if middle < 0.2 else min(0.2, 0.2 * (1.0 - middle) / (1.0 - 0.2))
        for group in optimiser.param_groups:
            group["lr"] = rate
        with reproducible(recipe):
            logits = net(normaliser(torch.from_numpy(split.images[index])))
            loss = functional.cross_entropy(logits.float(), torch.from_numpy(split.labels[index]), label_smoothing=0.1)
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimiser.step()
    assert torch.equal(weights(found), weights(net))


def small() -> nn.Module:
    return build_model("small", 1, 3, torch_generator("weights"))


@pytest.mark.parametrize("parts", [2, 3, 7])
@pytest.mark.parametrize("mixes", [False, True])
def test_gradients_gathered_part_by_part_are_those_of_the_batch(parts: int, mixes: bool) -> None:
    """Of a net without batch norm, to a millionth of its weights, in float32, with batches that no number of parts divides."""
    changes: dict[str, Any] = {"batch_images": 14, "peak_learning_rate": 0.1, "gradient_clip": 0.5}
    whole, gathered = (
        trained_on_noise(Smooth(), Recipe(batch_parts=number, **changes), mixes=mixes).net for number in (1, parts)
    )
    assert float((weights(whole) - weights(Smooth())).abs().max()) > 0.01, "it trained"
    assert torch.allclose(weights(whole), weights(gathered), rtol=1e-6, atol=1e-6)


def test_a_batch_of_fewer_images_than_parts_is_not_cut_into_nothing() -> None:
    recipe = Recipe(batch_images=64, batch_parts=32)
    assert torch.isfinite(weights(trained_on_noise(small(), recipe, images=7, epochs=1).net)).all()


def test_long_gradients_are_shortened_and_short_ones_left() -> None:
    """One step of plain SGD at rate 0.05 moves all weights together by at most 0.05 times the clip."""
    recipe = Recipe(batch_images=40, peak_learning_rate=0.1, warmup_fraction=0.0, momentum=0.0, weight_decay=0.0)
    before = weights(Smooth())
    moved = {
        clip: weights(trained_on_noise(Smooth(), dataclasses.replace(recipe, gradient_clip=clip), epochs=1).net) - before
        for clip in (0.0, 1e-3, 1e3)
    }
    length = float(moved[0.0].norm())
    assert length > 0.05 * 0.01
    assert float(moved[1e-3].norm()) == pytest.approx(0.05 * 1e-3, rel=1e-3)
    assert torch.allclose(moved[1e-3] / moved[1e-3].norm(), moved[0.0] / length, atol=1e-3), "the direction stays"
    assert torch.equal(moved[1e3], moved[0.0])


def test_the_net_that_is_judged_is_the_mean_and_the_one_in_training_goes_its_way() -> None:
    recipe = Recipe(batch_images=20, peak_learning_rate=0.1)
    plain, nets = trained_on_noise(small(), recipe), small()
    averaged = trained_on_noise(nets, dataclasses.replace(recipe, ema_decay=0.9))
    assert torch.equal(weights(plain.net), weights(nets))
    assert averaged.net is not nets and not torch.equal(weights(averaged.net), weights(nets))
    assert {name for name, _ in averaged.net.named_buffers()} == {name for name, _ in nets.named_buffers()}


@pytest.mark.parametrize("batch", [Batch(mixup_alpha=0.4), Batch(cutmix_alpha=1.0)])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_mixed_images_is_the_papers(batch: Batch, smoothing: float) -> None:
    """As in mixup's and CutMix's code: share x loss(own) + (1 - share) x loss(partner's), each smoothed as in Szegedy et al."""
    split, recipe = noise(12), Recipe(batch_images=12, label_smoothing=smoothing)
    net, normaliser, drawn = Smooth(), Normaliser([0.5], [0.3], recipe), list[Mixing]()

    def mixing(images: int, sides: tuple[int, int]) -> Mixing:
        drawn.append(draw_mixing(batch, images, sides, numpy_generator("mixing")))
        return drawn[-1]

    trainer = Trainer(net, split, normaliser, recipe, 1, Spans(), set())
    order = numpy_generator("order").permutation(12)
    loss = trainer.train_epoch(order, draw(Policy(), split.images.shape, numpy_generator(0)), mixing)
    images, labels = normaliser(torch.from_numpy(split.images[order])), torch.from_numpy(split.labels[order])
    told = Smooth()(mix_images(images, drawn[0])).log_softmax(dim=1)

    def smoothed(label: Tensor) -> Tensor:
        own = functional.one_hot(label, 3) * (1 - smoothing) + smoothing / 3
        loss: Tensor = -(own * told).sum(dim=1)
        return loss

    share, partner = torch.from_numpy(drawn[0].share), torch.from_numpy(drawn[0].partner)
    expected = share * smoothed(labels) + (1 - share) * smoothed(labels[partner])
    assert loss == pytest.approx(float(expected.mean().detach()), rel=1e-6)
    assert mix_labels(labels, 3, drawn[0]).sum(dim=1).tolist() == pytest.approx([1.0] * 12)
