"""What only resized_crop has: two interpolations, and a window of whole pixels within the image."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from searchspaces.arrays import ImageBatch
from searchspaces.ops import find_op
from searchspaces.ops.op import Interpolation, Setting

OP = find_op("resized_crop")


def cropped(image: ImageBatch, values: tuple[float, ...], interpolation: Interpolation = "bilinear") -> ImageBatch:
    return OP.kernel(image, torch.tensor([values] * len(image), dtype=torch.float64), Setting(interpolation=interpolation))


def noise(shape: tuple[int, int, int], seed: int = 0) -> ImageBatch:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (1, *shape), dtype=np.uint8))


def test_its_parameters_are_in_the_order_that_the_base_writes_them() -> None:
    assert [parameter.name for parameter in OP.parameters] == ["width", "height", "x", "y"]


def test_bilinear_by_hand() -> None:
    """Two pixels of four: the places lie at -1/4, 1/4, 3/4 and 5/4 of them."""
    image = torch.tensor([99, 10, 50, 99], dtype=torch.uint8).expand(1, 1, 4, 4)
    assert cropped(image, (0.5, 0.5, 0.25, 0.0))[0, 0].tolist() == [[10, 20, 40, 50]] * 4


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 20, 36), (3, 224, 224), (3, 7, 129)], ids=str)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_it_is_torchvisions_for_any_window(shape: tuple[int, int, int], interpolation: Interpolation) -> None:
    generator = np.random.default_rng(3)
    assert OP.reference
    for number in range(40):
        image = noise(shape, number)
        values = (*generator.uniform(0.01, 1, 2), *generator.uniform(0, 1, 2))
        wanted = OP.reference(image[0], values, Setting(interpolation=interpolation))
        assert torch.equal(cropped(image, values, interpolation)[0], wanted), values


@given(st.integers(1, 40), st.data())
def test_whole_pixels_come_back_from_their_fractions(side: int, data: st.DataObject) -> None:
    """So that who draws a window in pixels can say it in fractions."""
    width = data.draw(st.integers(1, side))
    left = data.draw(st.integers(0, side - width))
    image = torch.arange(side, dtype=torch.uint8).expand(1, 1, 1, side)
    out = cropped(image, (width / side, 1.0, left / side, 0.0), "nearest").flatten().tolist()
    assert (min(out), max(out)) == (left, left + width - 1)
    assert out == sorted(out)


def test_a_window_that_would_leave_the_image_is_moved_back_into_it() -> None:
    image = noise((3, 20, 36))
    assert torch.equal(cropped(image, (0.5, 0.5, 1.0, 1.0)), cropped(image, (0.5, 0.5, 0.5, 0.5)))


def test_fill_has_no_part_in_it() -> None:
    image, values = noise((3, 20, 36)), torch.tensor([[0.5, 0.5, 0.9, 0.9]], dtype=torch.float64)
    assert torch.equal(OP.kernel(image, values, Setting(0, "bilinear")), OP.kernel(image, values, Setting(255, "bilinear")))
