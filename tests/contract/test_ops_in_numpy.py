"""The contract of every op's plain numpy form, by which exported files do without torch: to the bit what the kernel does."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from telling import SHAPES, as_tensor, telling_images, telling_values

from searchspaces.ops import op_table
from searchspaces.ops.op import Interpolation, Op, Setting

IN_NUMPY = [op for op in op_table() if op.in_numpy]
TINY = ((3, 1, 1), (1, 1, 16), (3, 2, 8), (1, 16, 2))
SEED = 2**62 + 12345

EACH_OP = pytest.mark.parametrize("op", IN_NUMPY, ids=lambda op: op.name)
EACH_INTERPOLATION = pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])


def setting_of(op: Op, fill: int, interpolation: Interpolation, seed: int) -> Setting:
    return Setting(fill, interpolation, torch.tensor([seed]) if op.seeded else None)


def assert_alike(op: Op, image: Any, values: tuple[float, ...], fill: int, interpolation: Interpolation, seed: int) -> None:
    assert op.in_numpy
    before = image.copy()
    found = op.in_numpy(image, values, fill, interpolation == "bilinear", seed)
    wanted = op.kernel(torch.from_numpy(image)[None], as_tensor([values]), setting_of(op, fill, interpolation, seed))[0].numpy()
    assert found.dtype == np.uint8 and found.shape == image.shape and found.flags.c_contiguous
    assert not np.shares_memory(found, image)
    assert (image == before).all()
    assert (found == wanted).all(), f"{op.name} at {values}: {(found != wanted).mean():.1%} of the pixels differ"


@EACH_INTERPOLATION
@EACH_OP
def test_it_is_the_kernel_on_telling_images(op: Op, interpolation: Interpolation) -> None:
    rows = telling_values(op)
    for shape in [shape for shape in (*SHAPES, *TINY) if op.accepts(shape[0])]:
        for number, image in enumerate(telling_images(shape).numpy()):
            for values in rows[number::7]:
                assert_alike(op, image, values, 9, interpolation, SEED)


@EACH_OP
@settings(max_examples=25)
@given(data=st.data())
def test_it_is_the_kernel_on_any_image(op: Op, data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([shape for shape in SHAPES if op.accepts(shape[0])]))
    values = tuple(
        float(data.draw(st.integers(int(parameter.low), int(parameter.high))))
        if parameter.whole
        else data.draw(st.floats(parameter.low, parameter.high))
        for parameter in op.parameters
    )
    image = data.draw(arrays.arrays(np.uint8, shape))
    interpolation: Interpolation = data.draw(st.sampled_from(["nearest", "bilinear"]))
    assert_alike(op, image, values, data.draw(st.integers(0, 255)), interpolation, data.draw(st.integers(0, 2**63 - 1)))
