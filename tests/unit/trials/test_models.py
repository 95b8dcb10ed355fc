"""The nets take any size, channels and classes, and are drawn from the generator they are given and nothing else."""

import pytest
import torch

from searchspaces.errors import BadInput
from trials.models import build_model
from trials.seeds import torch_generator


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize(("height", "width"), [(28, 28), (32, 32), (27, 31), (64, 64), (1, 1), (2, 9)])
def test_any_size_and_channels_give_finite_logits(channels: int, height: int, width: int) -> None:
    model = build_model("small", channels, 7, torch_generator(0))
    logits = model(torch.randn(2, channels, height, width, generator=torch_generator(1)))
    assert logits.shape == (2, 7)
    assert torch.isfinite(logits).all()


def test_the_last_row_and_column_of_an_odd_image_count() -> None:
    model = build_model("small", 1, 3, torch_generator(0)).eval()
    images = torch.zeros(1, 1, 9, 9)
    corner = images.clone()
    corner[..., 8, 8] = 1.0
    assert not torch.equal(model(images), model(corner))


def test_weights_come_from_the_generator_alone() -> None:
    before = torch.random.get_rng_state()
    one, same, other = (build_model("small", 3, 10, torch_generator(seed)).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_small_net_is_small() -> None:
    model = build_model("small", 3, 10, torch_generator(0))
    assert sum(parameter.numel() for parameter in model.parameters()) == 143_626


def test_fresh_activations_neither_die_nor_explode() -> None:
    model = build_model("small", 3, 10, torch_generator(0))
    logits = model(torch.randn(256, 3, 32, 32, generator=torch_generator(1)))
    assert 0.05 < logits.std() < 5


def test_an_unknown_net_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BadInput, match=r"'smal'.*did you mean 'small'\?"):
        build_model("smal", 3, 10, torch_generator(0))
