"""The optimisers' steps by hand: AdamW's decay is no part of its gradients, SGD's is; biases are left alone by both."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from trials.optimisers import ADAMW_EPSILON, make_optimiser
from trials.values import Recipe


class Two(nn.Module):
    """A matrix and a bias, both of ones."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(1, 1)), nn.Parameter(torch.ones(1))

    def forward(self, slope: Tensor) -> Tensor:
        total: Tensor = (slope * (self.weight + self.bias)).sum()
        return total


def stepped(recipe: Recipe, slopes: list[float]) -> tuple[float, float]:
    """Matrix and bias after a step for each slope, which is the gradient of both."""
    net = Two()
    optimiser = make_optimiser(net, recipe)
    for slope in slopes:
        optimiser.zero_grad()
        torch.autograd.backward(net(torch.tensor(slope)))
        optimiser.step()
    return float(net.weight.detach()), float(net.bias.detach())


def adam(slopes: list[float], rate: float, beta1: float, beta2: float, decay: float) -> float:
    """Algorithm 2 of Loshchilov and Hutter, from 1."""
    weight, first, second = 1.0, 0.0, 0.0
    for step, slope in enumerate(slopes, start=1):
        first, second = beta1 * first + (1 - beta1) * slope, beta2 * second + (1 - beta2) * slope**2
        weight -= rate * decay * weight
        weight -= rate * (first / (1 - beta1**step)) / ((second / (1 - beta2**step)) ** 0.5 + ADAMW_EPSILON)
    return weight


@pytest.mark.parametrize("slopes", [[0.0], [2.0], [2.0, -0.3, 0.01]])
def test_adamw_by_hand(slopes: list[float]) -> None:
    recipe = Recipe(optimiser="adamw", peak_learning_rate=0.1, momentum=0.8, adamw_beta2=0.9, weight_decay=0.5)
    decayed, plain = (adam(slopes, 0.1, 0.8, 0.9, decay) for decay in (0.5, 0.0))
    assert stepped(recipe, slopes) == pytest.approx((decayed, plain), rel=1e-5)


def test_decoupled_decay_is_the_same_however_steep_the_loss() -> None:
    """A penalty in the gradient would vanish beside a slope of 1,000, or be most of one of 0.001."""
    recipe = Recipe(optimiser="adamw", peak_learning_rate=0.1, weight_decay=0.5)
    for slope in (1000.0, 1.0, 0.001):
        weight, bias = stepped(recipe, [slope])
        assert bias - weight == pytest.approx(0.1 * 0.5, rel=1e-3)


def test_sgd_by_hand_with_nesterovs_momentum() -> None:
    recipe = Recipe(peak_learning_rate=0.1, momentum=0.9, weight_decay=0.5)
    weight, momentum = 1.0, 0.0
    for slope in (2.0, -0.3):
        gradient = slope + 0.5 * weight
        momentum = gradient if momentum == 0.0 else 0.9 * momentum + gradient
        weight -= 0.1 * (gradient + 0.9 * momentum)
    assert stepped(recipe, [2.0, -0.3])[0] == pytest.approx(weight, rel=1e-5)


def test_sgd_without_momentum_is_plain() -> None:
    assert stepped(Recipe(peak_learning_rate=0.1, momentum=0.0, weight_decay=0.0), [2.0, 1.0])[0] == pytest.approx(0.7)


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_stepping_all_weights_together_gives_the_same_numbers(optimiser: str) -> None:
    generator = torch.Generator().manual_seed(0)
    together = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 5))
    each = deepcopy(together)
    recipe = Recipe(optimiser=optimiser, peak_learning_rate=0.1, weight_decay=0.01)
    one, other = make_optimiser(together, recipe), make_optimiser(each, recipe)
    for group in other.param_groups:
        group["foreach"] = False
    for _ in range(20):
        for weight, same in zip(together.parameters(), each.parameters(), strict=True):
            weight.grad = torch.randn(weight.shape, generator=generator)
            same.grad = weight.grad.clone()
        one.step()
        other.step()
    assert all(torch.equal(weight, same) for weight, same in zip(together.parameters(), each.parameters(), strict=True))
