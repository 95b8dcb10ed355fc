"""Ops that mix an image with a plainer version of itself by a factor: brightness, saturation, contrast, sharpness.

Factor 0 is the plain version, 1 the image, above 1 away from the plain version. Results are truncated, as in torchvision.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from searchspaces.arrays import ImageBatch, PerImage, PerImageValues
from searchspaces.ops.compiled import compiled
from searchspaces.ops.levels import copy_levels
from searchspaces.ops.numpy_tones import brightness_in_numpy, contrast_in_numpy, saturation_in_numpy, sharpness_in_numpy
from searchspaces.ops.op import Op, Parameter, Setting, Span
from searchspaces.ops.tables import column, ramp, through_tables, truncated

GREY_OR_RGB = frozenset({1, 3})
GREY_BLOCK = 4096
"""A fused kernel makes so many pixels grey at a time: they stay in the nearest cache."""


def brightness(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """The image times the factor: a mix with black."""
    return through_tables(images, truncated(ramp(values) * column(values[:, 0])))


def saturation(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """A mix with the image's own grey version (PIL's Color); grey images stay as they are."""
    if images.shape[1] == 1:
        return images.clone()
    factor = values[:, 0].view(-1, 1, 1, 1)
    return truncated(_fused(images * factor.to(torch.float32), _grey(images), factor))


def contrast(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """A mix with the image's own mean grey level.

    Where channels x height x width is no multiple of 16, torch's own kernel doesn't fuse at the end of the image (at most 12
    pixels), and torchvision can be one level off there from what it gives elsewhere in the image; here all pixels are alike.
    """
    grey = images if images.shape[1] == 1 else _grey(images)
    # The sum is one of whole numbers, exact in float64 in any order; torchvision's float32 sum is exact up to 256 x 256 pixels.
    total = grey.sum(dim=(1, 2, 3), dtype=torch.float64).to(torch.float32)
    mean = total / torch.full((), max(1, grey.shape[1:].numel()), dtype=torch.float32, device=images.device)
    factor = values[:, :1]
    return through_tables(images, truncated(_fused(ramp(values) * factor.to(torch.float32), mean.view(-1, 1), factor)))


def sharpness(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """A mix with the image smoothed by [[1, 1, 1], [1, 5, 1], [1, 1, 1]] / 13; the outermost pixels stay as they are."""
    sharp = images.clone(memory_format=torch.contiguous_format)
    if images.shape[2] <= 2 or images.shape[3] <= 2:
        return sharp
    height, width = images.shape[2:]
    # Rows laid end to end are several times quicker than a window of the image; what runs over an edge is put back below.
    levels = images.reshape(*images.shape[:2], height * width).to(torch.int16)
    inner = slice(width + 1, -width - 1)
    own = levels[..., inner].to(torch.float32)
    mixed = truncated(_fused(own, _smoothed(levels, width).sub_(own), values[:, 0].view(-1, 1, 1)))
    sharp.view(levels.shape)[..., inner] = mixed
    sharp[..., 0], sharp[..., -1] = images[..., 0], images[..., -1]
    return sharp


def _fused(own: Tensor, other: Tensor, factor: PerImage) -> Tensor:
    """The sum own + other * (1 - factor), rounded to float32 once, as torch's CPU kernels do (truncation shows the difference).

    `own` and `other` are float32, `factor` float64. A product of two float32 is exact in float64, so only the sum is rounded.
    """
    weight = (1.0 - factor).to(torch.float32).to(torch.float64)
    return torch.addcmul(own.to(torch.float64), other.to(torch.float64), weight).to(torch.float32)


def _grey(images: ImageBatch) -> Tensor:
    """Whole grey levels of RGB images as float32 (images, 1, height, width), with torchvision's weights."""
    red, green, blue = (channel.contiguous() for channel in (images[:, :1], images[:, 1:2], images[:, 2:]))
    grey: Tensor = red.mul(0.2989).add_(green, alpha=0.587).add_(blue, alpha=0.114)
    return grey.floor_()


def _smoothed(levels: Tensor, width: int) -> Tensor:
    """The rounded mean of each pixel's neighbourhood, for int16 images whose rows lie end to end; but for the first and last
    width + 1 pixels.

    The sums are whole numbers below 2 ** 15 and a thirteenth of one is never half-way, so the rounding is exact.
    """
    columns = levels[..., : -2 * width] + levels[..., width:-width] + levels[..., 2 * width :]
    sums = columns[..., :-2] + columns[..., 1:-1] + columns[..., 2:] + 4 * levels[..., width + 1 : -width - 1]
    return sums.to(torch.float32).mul_(1 / 13).round_()


def brightness_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`brightness` of one image."""
    levels, mixed = image.reshape(image.size), out.reshape(out.size)
    factor = np.float32(values[0])
    for i in range(len(levels)):
        mixed[i] = _cut(np.float32(levels[i]) * factor)


def saturation_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`saturation` of one image."""
    channels, height, width = image.shape
    pixels = height * width
    planes, mixed = image.reshape(channels, pixels), out.reshape(channels, pixels)
    if channels == 1:
        copy_levels(image, out)
        return
    factor, weight = np.float32(values[0]), np.float32(1.0 - values[0])
    for start in range(0, pixels, GREY_BLOCK):
        end = min(start + GREY_BLOCK, pixels)
        grey = scratch[: end - start].view(np.float32)
        _write_grey(planes[:, start:end], grey)
        for channel in range(channels):
            _mix(planes[channel, start:end], grey, factor, weight, mixed[channel, start:end])


def contrast_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`contrast` of one image."""
    channels, height, width = image.shape
    pixels = height * width
    planes = image.reshape(channels, pixels)
    total = _grey_sum(planes, scratch) if channels == 3 else _sum(planes[0])
    # The mean over and over: a product that stays the same would be taken out of the loop, and so be rounded by itself.
    mean = scratch[: min(GREY_BLOCK, image.size)].view(np.float32)
    mean[:] = np.float32(total) / np.float32(pixels)
    levels, mixed = image.reshape(image.size), out.reshape(out.size)
    factor, weight = np.float32(values[0]), np.float32(1.0 - values[0])
    for start in range(0, image.size, GREY_BLOCK):
        end = min(start + GREY_BLOCK, image.size)
        _mix(levels[start:end], mean, factor, weight, mixed[start:end])


def sharpness_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`sharpness` of one image."""
    channels, height, width = image.shape
    pixels = height * width
    planes, mixed = image.reshape(channels, pixels), out.reshape(channels, pixels)
    weight = np.float32(1.0 - values[0])
    columns = scratch.view(np.int16)[: max(pixels - 2 * width, 0)]
    for channel in range(channels):
        own, sharp = planes[channel], mixed[channel]
        if height <= 2 or width <= 2:
            copy_levels(own, sharp)
            continue
        for i in range(len(columns)):
            columns[i] = np.int16(own[i]) + np.int16(own[width + i]) + np.int16(own[2 * width + i])
        _sharpen(own[width + 1 : pixels - width - 1], columns, weight, sharp[width + 1 : pixels - width - 1])
        for i in range(width):
            sharp[i], sharp[pixels - width + i] = own[i], own[pixels - width + i]
        for row in range(height):
            out[channel, row, 0], out[channel, row, width - 1] = image[channel, row, 0], image[channel, row, width - 1]


def _sharpen(own: Any, columns: Any, weight: np.float32, sharp: Any) -> None:
    """Rows laid end to end, as in `sharpness`; `columns` are sums of three pixels, one above the other."""
    for i in range(len(own)):
        total = np.int16(columns[i] + columns[i + 1] + columns[i + 2] + np.int16(4) * np.int16(own[i]))
        level = np.float32(own[i])
        smooth = np.rint(np.float32(total) * np.float32(1 / 13))
        sharp[i] = _cut(_added(level, smooth - level, weight))


def _write_grey(planes: Any, grey: Any) -> None:
    """`_grey` of three planes."""
    red, green, blue = planes[0], planes[1], planes[2]
    for i in range(len(grey)):
        two = _added(_product(np.float32(red[i]), np.float32(0.2989)), np.float32(green[i]), np.float32(0.587))
        grey[i] = np.floor(_added(two, np.float32(blue[i]), np.float32(0.114)))


def _mix(own: Any, other: Any, factor: np.float32, weight: np.float32, mixed: Any) -> None:
    for i in range(len(own)):
        mixed[i] = _cut(_added(_product(np.float32(own[i]), factor), other[i], weight))


def _grey_sum(planes: Any, scratch: Any) -> int:
    total = 0
    for start in range(0, planes.shape[1], GREY_BLOCK):
        end = min(start + GREY_BLOCK, planes.shape[1])
        grey = scratch[: end - start].view(np.float32)
        _write_grey(planes[:, start:end], grey)
        for i in range(len(grey)):
            total += int(grey[i])
    return total


def _sum(levels: Any) -> int:
    total = 0
    for i in range(len(levels)):
        total += levels[i]
    return total


def _product(first: np.float32, second: np.float32) -> np.float32:
    """A product that is rounded by itself."""
    return first * second


@compiled(contract=True)
def _added(own: np.float32, other: np.float32, weight: np.float32) -> np.float32:
    """The sum own + other * weight, rounded once."""
    return own + other * weight


def _cut(level: np.float32) -> np.uint8:
    """`truncated` of one level."""
    return np.uint8(min(max(np.int32(level), np.int32(0)), np.int32(255)))


def brightness_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """Torchvision's adjust_brightness."""
    from torchvision.transforms.v2 import functional

    return functional.adjust_brightness(image, values[0])


def saturation_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """Torchvision's adjust_saturation."""
    from torchvision.transforms.v2 import functional

    return functional.adjust_saturation(image, values[0])


def contrast_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """Torchvision's adjust_contrast."""
    from torchvision.transforms.v2 import functional

    return functional.adjust_contrast(image, values[0])


def sharpness_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """Torchvision's adjust_sharpness."""
    from torchvision.transforms.v2 import functional

    return functional.adjust_sharpness(image, values[0])


_FACTOR = Parameter("factor", "times", identity=1.0, low=0.0, high=10.0)
_SPANS = {
    "standard": Span(1.0, 1.9, "torchvision 0.29 transforms/v2/_auto_augment.py, RandAugment: 1 +- 0.9"),
    "wide": Span(1.0, 1.99, "torchvision 0.29 transforms/v2/_auto_augment.py, TrivialAugmentWide: 1 +- 0.99"),
    "uniform": Span(1.0, 1.9, "UniformAugment's published code (tgilewicz/uniformaugment, augmentations.py): 0.1 to 1.9"),
}
_SOURCE = "torchvision 0.29 transforms/v2/functional/_color.py"

OPS = (
    Op(
        name="brightness",
        elsewhere={
            "papers": "Brightness",
            "timm": "`Brightness` (factor 0.1 + 1.8 m/10), `BrightnessIncreasing` (1 ± 0.9 m/10)",
            "Albumentations": "`ColorJitter(brightness=...)`",
        },
        meaning="cut(v factor)",
        parameters=(_FACTOR,),
        kind="tone",
        kernel=brightness,
        in_numpy=brightness_in_numpy,
        fused=brightness_fused,
        source=f"{_SOURCE}, adjust_brightness",
        reference=brightness_reference,
        signed=True,
        spans=_SPANS,
    ),
    Op(
        name="saturation",
        elsewhere={
            "papers": "Color",
            "timm": "`Color` (factor 0.1 + 1.8 m/10), `ColorIncreasing` (1 ± 0.9 m/10)",
            "Albumentations": "`ColorJitter(saturation=...)`, up to 1 level off",
        },
        meaning="cut(v factor + g (1 - factor)), g the pixel's grey level; grey images stay",
        parameters=(_FACTOR,),
        kind="colour",
        kernel=saturation,
        in_numpy=saturation_in_numpy,
        fused=saturation_fused,
        source=f"{_SOURCE}, adjust_saturation",
        reference=saturation_reference,
        signed=True,
        channels=GREY_OR_RGB,
        spans=_SPANS,
    ),
    Op(
        name="contrast",
        elsewhere={
            "papers": "Contrast",
            "timm": "`Contrast` (factor 0.1 + 1.8 m/10), `ContrastIncreasing` (1 ± 0.9 m/10)",
            "Albumentations": "`ColorJitter(contrast=...)`",
        },
        meaning="cut(v factor + m (1 - factor)); m is the mean of the image's grey levels, not rounded",
        parameters=(_FACTOR,),
        kind="tone",
        kernel=contrast,
        in_numpy=contrast_in_numpy,
        fused=contrast_fused,
        source=f"{_SOURCE}, adjust_contrast",
        reference=contrast_reference,
        signed=True,
        channels=GREY_OR_RGB,
        spans=_SPANS,
    ),
    Op(
        name="sharpness",
        elsewhere={
            "papers": "Sharpness",
            "timm": "`Sharpness` (factor 0.1 + 1.8 m/10), `SharpnessIncreasing` (1 ± 0.9 m/10)",
            "Albumentations": "`Sharpen`, another op",
        },
        meaning=(
            "cut(b + (v - b) factor), b the smoothed level: round of (the 9 pixels around, the middle "
            "one 5 times) / 13; pixels on the edge stay"
        ),
        parameters=(_FACTOR,),
        kind="tone",
        kernel=sharpness,
        in_numpy=sharpness_in_numpy,
        fused=sharpness_fused,
        source=f"{_SOURCE}, adjust_sharpness",
        reference=sharpness_reference,
        signed=True,
        spans=_SPANS,
    ),
)
