"""Dropout before the head: how much is left out, by which generator, and that a net which is judged is whole."""

import pytest
import torch
from torch import nn

from searchspaces.errors import BadInput
from trials.dropout import HeadDropout
from trials.models import build_model
from trials.seeds import torch_generator


def watched(share: float) -> tuple[nn.Module, HeadDropout, list[torch.Tensor]]:
    """A net of two linear layers that hands its input on, and what comes to the second."""
    model = nn.Sequential(nn.Linear(50, 50, bias=False), nn.Linear(50, 50, bias=False))
    for layer in model:
        nn.init.eye_(layer.weight)  # type: ignore[arg-type]
    return model, HeadDropout(model, share), []


def test_inputs_of_the_last_linear_layer_are_left_out_and_their_mean_stays() -> None:
    model, dropout, _ = watched(0.25)
    dropout.generator = torch_generator("masks")
    found = model(torch.ones(400, 50))
    kept = found > 0
    assert found[kept].unique().tolist() == pytest.approx([1 / 0.75])
    assert float(kept.float().mean()) == pytest.approx(0.75, abs=0.02)  # 20,000 draws: 6 standard errors
    assert len({tuple(row) for row in kept.tolist()}) > 390, "each image has its own"


def test_the_generator_decides_and_torchs_own_is_left_alone() -> None:
    model, dropout, _ = watched(0.5)
    before = torch.get_rng_state()
    found = []
    for seed in (1, 1, 2):
        dropout.generator = torch_generator(seed)
        found.append(model(torch.ones(4, 50)))
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])
    assert torch.equal(torch.get_rng_state(), before)


def test_a_net_that_is_judged_is_whole_and_its_weights_keep_their_names() -> None:
    plain, thinned = (build_model("small", 3, 10, torch_generator(0)) for _ in range(2))
    HeadDropout(thinned, 0.9)
    images = torch.ones(2, 3, 8, 8)
    assert torch.equal(plain.eval()(images), thinned.eval()(images))
    assert list(plain.state_dict()) == list(thinned.state_dict())


def test_a_net_without_a_linear_layer_is_refused() -> None:
    with pytest.raises(BadInput, match=r"^dropout: 0.5, but the net has no linear layer"):
        HeadDropout(nn.Sequential(nn.Conv2d(1, 1, 1)), 0.5)
