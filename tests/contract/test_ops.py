"""The contract of every op in the table; a new op is tested by being there.

Exactness is against torchvision v2 on uint8 tensors, one image at a time.
"""

import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from itertools import product
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
import torch
from half_way import settled
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from telling import GREY, NOISE, OBLONG, RGB, SHAPES, alone, as_tensor, noise, setting_of, telling_images, telling_values
from torchvision_names import OURS, THEIR_NAMES

from searchspaces.arrays import ImageBatch
from searchspaces.ops import op_table
from searchspaces.ops.op import Op, Setting

OPS = op_table()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for each other cost more than such small images."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


EACH_OP = pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
EACH_CASE = pytest.mark.parametrize(
    ("op", "shape"),
    [
        pytest.param(op, shape, id=f"{op.name}-{'x'.join(map(str, shape))}")
        for op, shape in product(OPS, SHAPES)
        if op.accepts(shape[0])
    ],
)


def in_single_precision(formula: Callable[[np.ndarray], np.ndarray], image: torch.Tensor) -> torch.Tensor:
    """The formula in float32, as the op is defined: where it is half-way between two levels, float64 may take the other one."""
    return torch.from_numpy(formula(image.numpy().astype(np.float32)).clip(0, 255).round().astype(np.uint8))


def brightness_shift(image: torch.Tensor, values: tuple[float, ...], setting: Setting) -> torch.Tensor:
    return in_single_precision(lambda levels: levels + np.float32(values[0]), image)


def contrast_about_128(image: torch.Tensor, values: tuple[float, ...], setting: Setting) -> torch.Tensor:
    return in_single_precision(lambda levels: (levels - np.float32(128)) * np.float32(values[0]) + np.float32(128), image)


def solarize_add(image: torch.Tensor, values: tuple[float, ...], setting: Setting) -> torch.Tensor:
    return torch.where(image < 128, (image.int() + int(values[0])).clamp(max=255).to(torch.uint8), image)


def gaussian_noise(image: torch.Tensor, values: tuple[float, ...], setting: Setting) -> torch.Tensor:
    assert setting.seeds is not None
    places = image.numel()
    noise = np.array(normal_numbers(int(setting.seeds[0]), places)).reshape(image.shape)
    return torch.from_numpy((image.numpy() + values[0] * noise).clip(0, 255).round().astype(np.uint8))


@cache
def normal_numbers(seed: int, count: int) -> list[float]:
    """What gaussian_noise says its numbers are, in Python's whole numbers."""
    quantiles = [NormalDist().inv_cdf((k + 0.5) / 256) for k in range(256)]
    table = [round(q / math.sqrt(sum(q * q for q in quantiles) / 256) * 2**16) for q in quantiles]
    numbers = []
    for place in range(count):
        bits = (seed + (place // 4 + 1) * 0x9E3779B97F4A7C15) % 2**64
        bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        bits = (bits ^ bits >> 27) * 0x94D049BB133111EB % 2**64
        pair = (bits ^ bits >> 31) >> 16 * (place % 4)
        numbers.append((4 * table[pair % 256] + 3 * table[pair // 256 % 256]) / (5 * 2**16))
    return numbers


OWN_FORMULAS: dict[str, Callable[[torch.Tensor, tuple[float, ...], Setting], torch.Tensor]] = {
    "brightness_shift": brightness_shift,
    "contrast_about_128": contrast_about_128,
    "gaussian_noise": gaussian_noise,
    "solarize_add": solarize_add,
}
"""Ops that torchvision has not: the formula again, in other numbers and one image at a time."""


def expected(op: Op, image: torch.Tensor, values: tuple[float, ...], setting: Setting) -> Any:
    return op.reference(image, values, setting) if op.reference else OWN_FORMULAS[op.name](image, values, setting)


def reference_of(op: Op, image: torch.Tensor, ours: torch.Tensor, values: tuple[float, ...], setting: Setting) -> Any:
    """What is expected, with the choice of our own where the reference's is up to the machine."""
    theirs = expected(op, image, values, setting)
    return settled(op, ours, theirs, values, lambda aside: expected(op, image, aside, setting))


def assert_within_tolerance(op: Op, ours: ImageBatch, theirs: list[Any], rows: list[tuple[float, ...]]) -> None:
    difference = (ours.int() - torch.stack(theirs).int()).abs().flatten(1)
    levels, share = difference.amax(1), (difference > 0).double().mean(1)
    for values, off, pixels in zip(rows, levels.tolist(), share.tolist(), strict=True):
        assert off <= op.tolerance.levels, f"{op.name} at {values}: {off} levels off"
        assert pixels <= op.tolerance.share, f"{op.name} at {values}: {pixels:.1%} of the pixels are off"


@EACH_CASE
def test_it_equals_its_reference_at_every_value_on_telling_images(op: Op, shape: tuple[int, int, int]) -> None:
    for number, image in enumerate(telling_images(shape)):
        # All values on the ramp and on noise, a third of them, another one each, on the rest.
        rows = telling_values(op) if number in (0, NOISE) else telling_values(op)[number % 3 :: 3] or telling_values(op)
        setting = setting_of(op, len(rows), fill=(0, 128, 255)[number % 3])
        ours = op.kernel(image.expand(len(rows), *shape), as_tensor(rows), setting)
        theirs = [reference_of(op, image, ours[place], values, alone(setting, place)) for place, values in enumerate(rows)]
        assert_within_tolerance(op, ours, theirs, rows)


@EACH_OP
@settings(max_examples=25)
@given(data=st.data())
def test_it_equals_its_reference_on_any_image(op: Op, data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([shape for shape in SHAPES if op.accepts(shape[0])]))
    image = torch.from_numpy(data.draw(arrays.arrays(np.uint8, shape)))
    values = tuple(
        float(data.draw(st.integers(int(parameter.low), int(parameter.high))))
        if parameter.whole
        else data.draw(st.floats(parameter.low, parameter.high))
        for parameter in op.parameters
    )
    setting = setting_of(op, 1, data.draw(st.integers(0, 255)))
    ours = op.kernel(image.unsqueeze(0), as_tensor([values]), setting)
    assert_within_tolerance(op, ours, [reference_of(op, image, ours[0], values, setting)], [values])


@EACH_CASE
def test_it_keeps_shape_and_dtype_and_leaves_its_input_alone(op: Op, shape: tuple[int, int, int]) -> None:
    for values in telling_values(op)[::5]:
        images, per_image = noise(3, shape), as_tensor([values] * 3)
        given_images, given_values = images.clone(), per_image.clone()
        out = op.kernel(images, per_image, setting_of(op, 3, 7))
        assert out.shape == images.shape
        assert out.dtype == torch.uint8
        out.fill_(3)
        assert torch.equal(images, given_images)
        assert torch.equal(per_image, given_values)


@EACH_CASE
def test_its_identity_value_is_the_identity(op: Op, shape: tuple[int, int, int]) -> None:
    images = telling_images(shape)
    assert torch.equal(op.kernel(images, as_tensor([op.identity] * len(images)), setting_of(op, len(images), 99)), images)


@EACH_CASE
def test_each_image_gets_its_own_value(op: Op, shape: tuple[int, int, int]) -> None:
    rows = telling_values(op)
    images = noise(len(rows), shape)
    setting = setting_of(op, len(rows))
    together = op.kernel(images, as_tensor(rows), setting)
    one_by_one = [op.kernel(images[i : i + 1], as_tensor([values]), alone(setting, i)) for i, values in enumerate(rows)]
    assert torch.equal(together, torch.cat(one_by_one))


@pytest.mark.parametrize("op", [op for op in OPS if op.kind != "none"], ids=lambda op: op.name)
def test_different_values_do_different_things(op: Op) -> None:
    """So the test above can't be passed by an op that ignores its values."""
    rows = [values for values in telling_values(op) if values != op.identity]
    image = noise(1, RGB) // 2 + 30
    setting = setting_of(op, 1)
    same_seed = replace(setting, seeds=None if setting.seeds is None else setting.seeds.expand(len(rows)))
    together = op.kernel(image.expand(len(rows), *RGB), as_tensor(rows), same_seed)
    assert not (together == image).all(dim=(1, 2, 3)).all()
    if not all(parameter.high - parameter.low == 1 for parameter in op.parameters):
        assert len({bytes(one.numpy()) for one in together}) > len(rows) / 6


@EACH_CASE
def test_it_does_the_same_twice(op: Op, shape: tuple[int, int, int]) -> None:
    rows = telling_values(op)
    images = noise(len(rows), shape)
    setting = setting_of(op, len(rows), 5)
    assert torch.equal(op.kernel(images, as_tensor(rows), setting), op.kernel(images, as_tensor(rows), setting))


@EACH_OP
def test_the_layout_in_memory_does_not_matter(op: Op) -> None:
    rows = telling_values(op)[::3]
    images = noise(len(rows), RGB)
    setting = setting_of(op, len(rows))
    planned = op.kernel(images, as_tensor(rows), setting)
    spaced = torch.zeros(len(rows), 3, 32, 64, dtype=torch.uint8)[..., ::2].copy_(images)
    transposed = images.transpose(2, 3).contiguous().transpose(2, 3)
    for same in (images.to(memory_format=torch.channels_last), spaced, transposed):
        assert torch.equal(op.kernel(same, as_tensor(rows), setting), planned)


@EACH_OP
@pytest.mark.parametrize("shape", [(3, 1, 1), (1, 1, 16), (3, 2, 8), (1, 16, 2), (3, 3, 16)], ids=str)
def test_tiny_images_are_no_special_case(op: Op, shape: tuple[int, int, int]) -> None:
    rows = telling_values(op)
    image = noise(1, shape if op.accepts(shape[0]) else (3, *shape[1:]))
    setting = setting_of(op, len(rows), 9)
    ours = op.kernel(image.expand(len(rows), -1, -1, -1), as_tensor(rows), setting)
    theirs = [expected(op, image[0], values, alone(setting, place)) for place, values in enumerate(rows)]
    assert_within_tolerance(op, ours, theirs, rows)


@EACH_OP
def test_channels_it_accepts_it_can_take(op: Op) -> None:
    for channels in sorted(op.channels or {1, 2, 3, 5}):
        out = op.kernel(noise(2, (channels, 8, 12)), as_tensor([telling_values(op)[0]] * 2), setting_of(op, 2))
        assert out.shape == (2, channels, 8, 12)
        if op.kind == "colour" and channels == 1:
            assert torch.equal(out, noise(2, (1, 8, 12)))
            assert not op.changes(channels)


@EACH_OP
def test_its_entry_makes_sense(op: Op) -> None:
    assert op.source
    assert op.reference or op.name in OWN_FORMULAS
    assert len({parameter.name for parameter in op.parameters}) == len(op.parameters)
    for parameter in op.parameters:
        assert parameter.low <= parameter.identity <= parameter.high
        assert parameter.unit
    if op.package:
        assert op.install
    for span in op.spans.values():
        assert span.source
        for end in (span.weak, span.strong, *((2 * op.strength.identity - span.strong,) if op.signed else ())):
            assert op.strength.low <= end <= op.strength.high
        assert span.weak in (op.strength.identity, span.strong)


OF_RANDAUGMENT = tuple(ours for theirs, ours in OURS.items() if theirs != "Invert")


@pytest.mark.parametrize("shape", [GREY, RGB, OBLONG], ids=str)
@pytest.mark.parametrize("name", OF_RANDAUGMENT)
def test_a_level_does_what_torchvisions_randaugment_does_with_it(name: str, shape: tuple[int, int, int]) -> None:
    """References say what we think torchvision calls; this asks its RandAugment itself, signs included."""
    from torchvision.transforms import v2

    theirs = v2.RandAugment()
    op = next(op for op in OPS if op.name == name)
    magnitudes_of, signed = theirs._AUGMENTATION_SPACE[THEIR_NAMES[name]]
    assert signed == op.signed
    magnitudes = magnitudes_of(31, shape[1], shape[2])
    image = noise(1, shape)
    for level, sign in product((1, 9, 30), (1, -1) if signed else (1,)):
        magnitude = 0.0 if magnitudes is None else sign * float(magnitudes[level])
        value = {
            "translate_x": magnitude / shape[2],
            "translate_y": magnitude / shape[1],
            "solarize": 255 * magnitude,
            **dict.fromkeys(("brightness", "saturation", "contrast", "sharpness"), 1 + magnitude),
            **dict.fromkeys(("autocontrast", "equalize"), 1.0),
        }.get(name, magnitude)
        wanted = theirs._apply_image_or_video_transform(
            image[0], THEIR_NAMES[name], magnitude, interpolation=v2.InterpolationMode.NEAREST, fill=theirs._fill
        )
        assert torch.equal(op.kernel(image, as_tensor([(value,)]), Setting(0))[0], wanted), (level, sign)


PICTURE = ((1, 2, 3), (4, 5, 6), (7, 8, 9))
BY_HAND: list[tuple[str, tuple[float, ...], tuple[tuple[int, ...], ...]]] = [
    ("translate_x_px", (1,), ((0, 1, 2), (0, 4, 5), (0, 7, 8))),
    ("translate_y_px", (-1,), ((4, 5, 6), (7, 8, 9), (0, 0, 0))),
    ("translate_x", (-0.67,), ((3, 0, 0), (6, 0, 0), (9, 0, 0))),
    ("translate_y", (0.66,), ((0, 0, 0), (1, 2, 3), (4, 5, 6))),
    ("crop", (1, 0), ((2, 3, 0), (5, 6, 0), (8, 9, 0))),
    ("crop", (0, -1), ((0, 0, 0), (1, 2, 3), (4, 5, 6))),
    ("hflip", (1,), ((3, 2, 1), (6, 5, 4), (9, 8, 7))),
    ("rotate", (90,), ((3, 6, 9), (2, 5, 8), (1, 4, 7))),
    ("rotate", (-90,), ((7, 4, 1), (8, 5, 2), (9, 6, 3))),
    ("shear_x", (0.8,), ((1, 2, 3), (5, 6, 0), (9, 0, 0))),
    ("shear_y", (-0.8,), ((1, 0, 0), (4, 2, 0), (7, 5, 3))),
    ("solarize", (5,), ((1, 2, 3), (4, 250, 249), (248, 247, 246))),
    ("posterize", (6,), ((0, 0, 0), (4, 4, 4), (4, 8, 8))),
    ("brightness", (1.5,), ((1, 3, 4), (6, 7, 9), (10, 12, 13))),
    ("brightness_shift", (-4.6,), ((0, 0, 0), (0, 0, 1), (2, 3, 4))),
    ("contrast_about_128", (0,), ((128, 128, 128),) * 3),
    ("contrast", (0,), ((5, 5, 5),) * 3),
    ("gamma", (0.5,), ((16, 22, 27), (32, 35, 39), (42, 45, 48))),
    ("autocontrast", (1,), ((0, 31, 63), (95, 127, 159), (191, 223, 254))),  # 254: cut from 254.99..., as torchvision does
    ("equalize", (1,), PICTURE),
    ("sharpness", (0,), PICTURE),
    ("invert", (1,), ((254, 253, 252), (251, 250, 249), (248, 247, 246))),
    ("solarize_add", (110,), ((111, 112, 113), (114, 115, 116), (117, 118, 119))),
    ("vflip", (1,), ((7, 8, 9), (4, 5, 6), (1, 2, 3))),
    ("quarter_turns", (1,), ((3, 6, 9), (2, 5, 8), (1, 4, 7))),
    ("quarter_turns", (2,), ((9, 8, 7), (6, 5, 4), (3, 2, 1))),
    ("quarter_turns", (3,), ((7, 4, 1), (8, 5, 2), (9, 6, 3))),
    ("resized_crop", (0.67, 0.34, 0.34, 0.67), ((8, 9, 9),) * 3),
    ("resized_crop", (0.34, 1, 1, 0), ((3, 3, 3), (6, 6, 6), (9, 9, 9))),
    ("erase", (0.67, 0.5, 0.5, 200), ((200, 200, 3), (200, 200, 6), (7, 8, 9))),
    ("erase", (0.67, 0.99, 0, 0), ((1, 0, 0), (4, 5, 6), (7, 8, 9))),
    ("gaussian_blur", (1,), ((4, 4, 4), (5, 5, 5), (6, 6, 6))),
    ("erase", (1, 1, 0.5, 7), ((1, 7, 7), (4, 7, 7), (7, 7, 7))),
]


@pytest.mark.parametrize(("name", "values", "wanted"), BY_HAND, ids=lambda part: str(part)[:24])
def test_its_meaning_on_nine_pixels(name: str, values: tuple[float, ...], wanted: tuple[tuple[int, ...], ...]) -> None:
    """Direction, sign and end points, written down by hand: they hold whatever torchvision's next version does."""
    op = next(op for op in OPS if op.name == name)
    image = torch.tensor(PICTURE, dtype=torch.uint8).view(1, 1, 3, 3)
    assert op.kernel(image, as_tensor([values]), Setting(0))[0, 0].tolist() == [list(row) for row in wanted]


def test_solarize_add_parts_the_levels_at_128_and_stops_at_255() -> None:
    op = next(op for op in OPS if op.name == "solarize_add")
    image = torch.tensor([0, 127, 128, 255], dtype=torch.uint8).view(1, 1, 1, 4)
    assert op.kernel(image, as_tensor([(110,)]), Setting(0)).flatten().tolist() == [110, 237, 128, 255]


@pytest.mark.parametrize("side", [1, 2, 27, 28, 32, 63, 64, 224])
def test_quarter_turns_lose_no_pixel_of_a_square(side: int) -> None:
    op = next(op for op in OPS if op.name == "quarter_turns")
    images = noise(4, (1, side, side))
    turned = op.kernel(images, as_tensor([(0,), (1,), (2,), (3,)]), Setting(0))
    for turns, (before, after) in enumerate(zip(images, turned, strict=True)):
        assert torch.equal(after, torch.rot90(before, turns, dims=(1, 2)))


def test_a_quarter_turn_of_an_oblong_keeps_its_middle_and_fills_the_rest() -> None:
    op = next(op for op in OPS if op.name == "quarter_turns")
    image = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8]], dtype=torch.uint8).view(1, 1, 2, 4)
    assert op.kernel(image, as_tensor([(1,)]), Setting(99))[0, 0].tolist() == [[99, 3, 7, 99], [99, 2, 6, 99]]


def test_the_kernels_do_without_torchvision() -> None:
    """Importing it costs seconds, and workers need only the kernels."""
    code = """
import sys, torch
from searchspaces.ops import op_table
from searchspaces.ops.op import Setting
for op in op_table():
    setting = Setting(seeds=torch.zeros(1, dtype=torch.int64) if op.seeded else None)
    op.kernel(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), torch.tensor([op.identity], dtype=torch.float64), setting)
sys.exit("torchvision" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
