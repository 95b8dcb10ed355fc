"""The first convolution for other channels: what it says of an image does not change with how often its channel is repeated."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from searchspaces.errors import BadInput
from trials.models.adapting import for_channels, head_name, with_channels
from trials.seeds import torch_generator


def weight(channels: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(4, channels, 3, 3, generator=torch_generator(seed))


@pytest.mark.parametrize(("had", "channels"), [(3, 1), (3, 3), (3, 6), (3, 9), (1, 3), (1, 5)])
def test_an_image_of_equal_channels_means_the_same(had: int, channels: int) -> None:
    grey = torch.rand(2, 1, 8, 8, generator=torch_generator(1))
    before = functional.conv2d(grey.expand(-1, had, -1, -1), weight(had))
    after = functional.conv2d(grey.expand(-1, channels, -1, -1), for_channels(weight(had), channels))
    assert torch.allclose(before, after, atol=1e-5)


@given(had=st.sampled_from([1, 3, 4]), channels=st.integers(2, 13))
def test_channels_are_repeated_in_turn_and_scaled(had: int, channels: int) -> None:
    old, new = weight(had), for_channels(weight(had), channels)
    assert new.shape == (4, channels, 3, 3) and new.dtype == old.dtype
    for channel in range(channels):
        assert torch.allclose(new[:, channel], old[:, channel % had] * (had / channels))


@pytest.mark.parametrize("channels", [1, 6])
def test_a_stem_that_unshuffles_pixels_is_fitted_cell_by_cell(channels: int) -> None:
    grey = torch.rand(2, 1, 8, 8, generator=torch_generator(1))
    before = functional.conv2d(functional.pixel_unshuffle(grey.expand(-1, 3, -1, -1), 2), weight(12))
    fitted = for_channels(weight(12), channels, cells=4)
    after = functional.conv2d(functional.pixel_unshuffle(grey.expand(-1, channels, -1, -1), 2), fitted)
    assert torch.allclose(before, after, atol=1e-5)


def test_a_fresh_net_keeps_the_spread_of_what_its_first_layer_says() -> None:
    net = nn.Sequential(nn.Conv2d(3, 512, 3), nn.Flatten(), nn.LazyLinear(2))
    std = net.get_parameter("0.weight").std() * 3**0.5
    fitted = with_channels(net, 12).get_parameter("0.weight")
    assert fitted.shape[1] == 12 and torch.allclose(fitted.std() * 12**0.5, std, rtol=0.02)


def test_a_net_without_a_convolution_in_front_is_refused() -> None:
    with pytest.raises(BadInput, match="channels 2: the net's first layer is no plain convolution"):
        with_channels(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), 2)


def test_the_head_is_the_last_layer_with_as_many_outputs_as_classes() -> None:
    net = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Flatten(), nn.Linear(5, 5), nn.Linear(5, 4))
    assert (head_name(net, 4), head_name(net, 5), head_name(net), head_name(net, 9)) == ("3", "2", "3", None)
