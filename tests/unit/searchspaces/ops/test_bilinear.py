"""Affine ops that interpolate: by hand, and against torchvision, which adds up the four pixels in another order."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from telling import noise, telling_images, telling_values

from searchspaces.ops import find_op, op_table
from searchspaces.ops.op import Op, Setting

AFFINE = [find_op(name) for name in ("shear_x", "shear_y", "rotate", "quarter_turns")]
SHAPES = ((3, 32, 32), (1, 28, 28), (3, 20, 36), (1, 40, 18), (5, 9, 16), (3, 1, 1), (1, 1, 16), (3, 2, 8))
FEW = 0.05
"""Of the pixels: those whose sum lies next to a half, as all may that lie half-way, rounded the other way."""


def bilinear(op: Op, image: torch.Tensor, value: float, fill: int = 0) -> torch.Tensor:
    return op.kernel(image.unsqueeze(0), torch.tensor([[value]], dtype=torch.float64), Setting(fill, "bilinear"))[0]


def assert_close(op: Op, image: torch.Tensor, value: float, fill: int) -> None:
    assert op.reference is not None
    wanted = op.reference(image, (value,), Setting(fill, "bilinear"))
    difference = (bilinear(op, image, value, fill).int() - wanted.int()).abs()
    assert difference.max() <= 1, (op.name, value, fill)
    assert (difference > 0).sum() <= max(1, FEW * difference.numel()), (op.name, value, fill)


def test_half_way_is_the_mean_and_the_edge_fades_into_the_fill() -> None:
    image = torch.tensor([[10, 20, 40], [10, 20, 40]], dtype=torch.uint8).unsqueeze(0)
    # The upper row is taken from half a pixel further right, the lower one from one and a half.
    assert bilinear(find_op("shear_x"), image, 1.0, fill=100)[0].tolist() == [[15, 30, 70], [30, 70, 100]]
    assert bilinear(find_op("shear_x"), image, -1.0, fill=100)[0].tolist() == [[55, 15, 30], [100, 55, 15]]


def test_up_and_down_likewise() -> None:
    image = torch.tensor([[10, 10], [20, 20]], dtype=torch.uint8).unsqueeze(0)
    assert bilinear(find_op("shear_y"), image, 1.0, fill=100)[0].tolist() == [[15, 60], [60, 100]]


@pytest.mark.parametrize("op", AFFINE, ids=lambda op: op.name)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_is_torchvisions(op: Op, shape: tuple[int, int, int]) -> None:
    for number, image in enumerate(telling_images(shape)):
        for (value,) in telling_values(op)[number % 15 :: 15]:
            assert_close(op, image, value, fill=(0, 128, 255)[number % 3])


@settings(max_examples=50)
@given(st.sampled_from(AFFINE[:3]), st.floats(-2, 2), st.integers(0, 255), st.integers(0, 2**32))
def test_it_is_torchvisions_at_any_value(op: Op, value: float, fill: int, seed: int) -> None:
    assert_close(op, noise(1, (3, 24, 32), seed)[0], value * op.strength.high / 2, fill)


@pytest.mark.parametrize("side", [1, 2, 27, 32, 224])
def test_quarter_turns_lose_nothing_of_a_square(side: int) -> None:
    image = noise(1, (1, side, side))[0]
    for turns in range(4):
        assert torch.equal(bilinear(find_op("quarter_turns"), image, turns, 77), torch.rot90(image, turns, dims=(1, 2)))


@pytest.mark.parametrize(
    "op", [op for op in op_table() if op.fused and not op.resamples and not op.seeded], ids=lambda op: op.name
)
def test_ops_that_do_not_resample_take_no_notice(op: Op) -> None:
    images = noise(2, (3, 12, 16))
    values = torch.tensor([telling_values(op)[1]] * 2, dtype=torch.float64)
    assert torch.equal(op.kernel(images, values, Setting(5, "bilinear")), op.kernel(images, values, Setting(5, "nearest")))
