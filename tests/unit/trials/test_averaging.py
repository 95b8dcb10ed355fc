"""The running mean of a net: by hand, batch norm's statistics with it, and the net in training left alone."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from trials.averaging import EARLY, WeightMean
from trials.machine import reproducible
from trials.values import Recipe


def net() -> nn.Module:
    """A convolution and a batch norm."""
    return nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))


def moved(model: nn.Module, step: int) -> None:
    """Stands for a step of training: everything of the net changes, its counter too."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            tensor.fill_(step) if tensor.is_floating_point() else tensor.fill_(100 + step)
            assert name


@given(st.floats(0.01, 0.999), st.integers(1, 30))
def test_weights_and_statistics_are_averaged_and_counts_taken_over(decay: float, steps: int) -> None:
    model = net()
    moved(model, 0)
    mean, expected = WeightMean(model, decay), 0.0
    for step in range(1, steps + 1):
        moved(model, step)
        mean.update(model)
        left = min(decay, (1 + step) / (EARLY + step))
        expected = left * expected + (1 - left) * step
    state = mean.model.state_dict()
    assert state["0.weight"].ravel().tolist() == pytest.approx([expected] * 2, rel=1e-4)
    assert state["1.running_mean"].tolist() == pytest.approx([expected] * 2, rel=1e-4)
    assert state["1.running_var"].tolist() == pytest.approx([expected] * 2, rel=1e-4)
    assert int(state["1.num_batches_tracked"]) == 100 + steps
    assert model.state_dict()["0.weight"].ravel().tolist() == [steps] * 2, "the net in training is left alone"


def test_the_mean_of_what_does_not_move_is_it() -> None:
    model = net()
    mean = WeightMean(model, 0.999)
    for _ in range(5):
        mean.update(model)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in mean.model.state_dict().items())


def test_statistics_follow_the_averaged_weights() -> None:
    """Where weights drift, the averaged statistics are those of the averaged net's outputs; those of the last net are not.

    A convolution whose one weight goes from 1 to 2 makes outputs of mean weight x 3.
    """
    model = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.BatchNorm2d(1, momentum=0.5)).train()
    mean, generator = WeightMean(model, 0.95), torch.Generator().manual_seed(0)
    with torch.no_grad(), reproducible(Recipe()):
        for step in range(100):
            model[0].weight.fill_(1 + step / 100)  # type: ignore[operator]
            model(3 + 0.1 * torch.randn(16, 1, 4, 4, generator=generator))
            mean.update(model)
    averaged, last = mean.model.state_dict(), model.state_dict()
    own = 3 * float(averaged["0.weight"])
    assert float(averaged["1.running_mean"]) == pytest.approx(own, abs=0.06)
    assert float(last["1.running_mean"]) > own + 0.2


def test_it_goes_on_from_its_state() -> None:
    model = net()
    whole, first = WeightMean(model, 0.9), WeightMean(model, 0.9)
    for step in range(1, 4):
        moved(model, step)
        whole.update(model)
        first.update(model)
    kept = copy.deepcopy(first.state())
    second = WeightMean(net(), 0.9)
    second.restore(kept)
    moved(model, 9)
    whole.update(model)
    second.update(model)
    assert all(torch.equal(value, second.model.state_dict()[name]) for name, value in whole.model.state_dict().items())
