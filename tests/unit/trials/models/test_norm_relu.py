"""Batch norm with its ReLU, compiled: what torch and plain arithmetic in float64 give, to one rounding of bfloat16."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from trials.models import build_model, norm_relu
from trials.models.compiled import compiled_kernels
from trials.models.norm_relu import BatchNormReLU
from trials.seeds import torch_generator

ULP = 2.0**-7  # from one bfloat16 number to the next, as a share of it: at most


def layer(channels: int, seed: int = 0) -> BatchNormReLU:
    norm = BatchNormReLU(channels)
    with torch.no_grad():
        norm.weight.copy_(torch.randn(channels, generator=torch_generator("weight", seed)))
        norm.bias.copy_(torch.randn(channels, generator=torch_generator("bias", seed)))
    return norm


def images(shape: tuple[int, int, int, int], mean: float = 0.0, deviation: float = 1.0, seed: int = 0) -> Tensor:
    drawn = mean + deviation * torch.randn(shape, generator=torch_generator("images", seed))
    return drawn.to(torch.bfloat16, memory_format=torch.channels_last)


def in_float64(norm: BatchNormReLU, given: Tensor, above: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Output and gradients (of images, weight and bias) by torch in float64."""
    plain = nn.BatchNorm2d(norm.num_features).double()
    plain.load_state_dict(norm.state_dict())
    exact = given.detach().double().requires_grad_()
    out = functional.relu(plain(exact))
    torch.autograd.backward(out, above.double())
    assert exact.grad is not None and plain.weight.grad is not None and plain.bias.grad is not None
    return out.detach(), exact.grad, plain.weight.grad, plain.bias.grad


def run(norm: BatchNormReLU, given: Tensor, above: Tensor) -> tuple[Tensor, Any, Any, Any]:
    own = given.clone(memory_format=torch.channels_last).requires_grad_()
    out = norm(own)
    torch.autograd.backward(out, above)
    return out.detach(), own.grad, norm.weight.grad, norm.bias.grad


def without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(norm_relu, "compiled_kernels", lambda: None)


@settings(max_examples=60)
@given(
    shape=st.tuples(st.integers(1, 5), st.sampled_from([1, 3, 16, 33, 64, 2500]), st.integers(1, 9), st.integers(1, 9)),
    mean=st.sampled_from([0.0, 3.0, -100.0]),
    deviation=st.sampled_from([0.01, 1.0, 30.0]),
    seed=st.integers(0, 1000),
)
def test_there_and_back_as_in_float64(shape: tuple[int, int, int, int], mean: float, deviation: float, seed: int) -> None:
    count = shape[0] * shape[2] * shape[3]
    if count < 8:
        return
    norm, x, above = layer(shape[1], seed), images(shape, mean, deviation, seed), images(shape, seed=seed + 1)
    exact = in_float64(norm, x, above)
    found = run(norm, x, above)
    # Beside bfloat16's own rounding, float32's of x * (weight / deviation), from which mean * that is taken: torch's has it too.
    times = norm.weight.detach().abs() / (x.double().var((0, 2, 3), unbiased=False) + norm.eps).sqrt()
    rounding = 1e-6 * float((x.double().abs().amax((0, 2, 3)) * times).max() + exact[0].max() + 1)
    torch.testing.assert_close(found[0].double(), exact[0], rtol=ULP / 2, atol=rounding)
    alike = (found[0] > 0) == (exact[0] > 0)
    assert float((~alike & (exact[0] > rounding)).sum()) == 0
    if bool(alike.all()):  # else a rounding decides which gradients ReLU lets through
        size = float(exact[1].abs().max()) or 1.0
        assert float((found[1].double() - exact[1]).abs().max()) <= ULP * size + 1e-4 * size + rounding * float(times.max())
        for own, expected in zip(found[2:], exact[2:], strict=True):
            torch.testing.assert_close(own.double(), expected, rtol=0.01, atol=1e-3 * count * (1 + rounding * float(times.max())))


def test_most_values_are_torchs_own_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    shape = (64, 32, 16, 16)
    norm, x, above = layer(32), images(shape, 1.0, 2.0), images(shape, seed=1)
    found, kept = run(norm, x, above), {name: tensor.clone() for name, tensor in norm.state_dict().items()}
    norm = layer(32)
    without_kernels(monkeypatch)
    torchs = run(norm, x, above)
    for own, theirs in zip(found[:2], torchs[:2], strict=True):
        assert float((own != theirs).float().mean()) < 0.005
        torch.testing.assert_close(own, theirs, rtol=ULP, atol=1e-4)
    for name, tensor in norm.state_dict().items():
        torch.testing.assert_close(kept[name], tensor, rtol=1e-5, atol=1e-6)
    assert int(kept["num_batches_tracked"]) == 1


def test_scoring_is_torchs_own_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    norm, x = layer(48).eval(), images((7, 48, 5, 3), 1.0, 2.0)
    norm.running_mean, norm.running_var = torch.linspace(-1, 1, 48), torch.linspace(0, 3, 48)
    with torch.inference_mode():
        found = norm(x)
        without_kernels(monkeypatch)
        assert torch.equal(found, norm(x))


@pytest.mark.parametrize("training", [True, False])
def test_what_is_not_finite_is_not_hidden(training: bool) -> None:
    norm, x = layer(16).train(training), images((4, 16, 6, 6))
    x[2, 5, 3, 3] = float("nan")
    with torch.no_grad():
        out = norm(x)
    assert bool(out[2, 5, 3, 3].isnan()) and bool(out[:, :5].isfinite().all()) and bool(out[:, 6:].isfinite().all())


def test_a_gradient_that_is_not_finite_is_handed_on() -> None:
    x, above = images((4, 16, 6, 6)), images((4, 16, 6, 6), seed=1)
    above[0, 3] = float("nan")
    _, below, of_weight, _ = run(layer(16), x, above)
    assert bool(below[:, 3].isnan().all()) and bool(below[:, 4:].isfinite().all()) and bool(of_weight[3].isnan())


def test_a_channel_that_is_the_same_everywhere_becomes_its_bias() -> None:
    norm, x = layer(16), images((4, 16, 6, 6))
    x[:, 2] = 7.0
    out, below, _, _ = run(norm, x, torch.ones_like(x))
    torch.testing.assert_close(out[:, 2].float(), functional.relu(norm.bias[2]).expand(4, 6, 6).float(), rtol=ULP, atol=1e-6)
    assert bool(below.isfinite().all())


def test_zero_is_clipped_whatever_its_sign() -> None:
    norm, x = BatchNormReLU(16).eval(), torch.full((2, 16, 2, 2), -0.0).to(torch.bfloat16, memory_format=torch.channels_last)
    with torch.inference_mode():
        assert set(norm(x).view(torch.int16).flatten().tolist()) == {0}


@pytest.mark.parametrize("case", ["float32", "rows of planes", "frozen", "none"])
def test_whatever_the_kernels_do_not_take_is_torchs(case: str) -> None:
    x = images((4, 16, 6, 6))
    norm = layer(16)
    plain = nn.BatchNorm2d(16)
    plain.load_state_dict(norm.state_dict())
    if case == "float32":
        x = x.float()
    if case == "rows of planes":
        x = x.contiguous()
    if case == "frozen":
        norm.eval()
        plain.eval()
    if case == "none":
        x = x[:0]
        norm.eval()
        plain.eval()
    own, other = x.clone().requires_grad_(), x.clone().requires_grad_()
    found, expected = norm(own), functional.relu(plain(other))
    assert torch.equal(found, expected)
    torch.autograd.backward(found.sum())
    torch.autograd.backward(expected.sum())
    assert own.grad is not None and other.grad is not None and torch.equal(own.grad, other.grad)


def test_one_value_a_channel_is_refused_as_torch_refuses_it() -> None:
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        layer(16)(images((1, 16, 1, 1)))


def test_the_kernels_are_used_where_they_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nn.BatchNorm2d, "forward", lambda self, given: pytest.fail("torch's own was used"))
    norm, x = layer(16), images((4, 16, 6, 6))
    torch.autograd.backward(norm(x.clone(memory_format=torch.channels_last).requires_grad_()).sum())
    with torch.inference_mode():
        norm.eval()(x)


@pytest.mark.parametrize(("name", "second"), [("small", "features.3.weight"), ("resnet9:width=8", "layer1.0.weight")])
def test_weights_have_the_names_they_had_with_a_relu_of_its_own(name: str, second: str) -> None:
    names = list(build_model(name, 3, 10, torch_generator(0)).state_dict())
    assert second in names and names[1:3] == [names[0].replace(".0.", ".1."), names[0].replace("0.weight", "1.bias")]


def test_what_is_wished_for_holds_also_after_another_wish(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has loaded the kernels trains again what was trained without them, to the bit."""
    for wish, there in (("", True), ("grouped", False), ("", True)):
        monkeypatch.setenv("POLICYSEARCH_ENGINE", wish)
        assert (compiled_kernels() is not None) == there
