"""Ops that resample an image through a straight-lined map: shear, rotate, quarter_turns. Fill outside.

The grid is computed in float32 in torchvision's order of operations, because at half-way places the last bit decides which pixel
is the nearest.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from searchspaces.arrays import ImageBatch, PerImage, PerImageValues
from searchspaces.ops.bilinear import fused_bilinear, take_bilinear
from searchspaces.ops.nearest import fused_nearest, index_or_outside, take_nearest
from searchspaces.ops.numpy_geometry import quarter_turns_in_numpy, rotate_in_numpy, shear_x_in_numpy, shear_y_in_numpy
from searchspaces.ops.op import Op, Parameter, Setting, Span

Coefficients = tuple[float, float, float]
"""Of x, y and 1."""


def shear_x(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """Row y taken from factor * (y + 1/2) pixels further right; the upper edge stays."""
    slope = values[:, 0]
    one, zero = torch.ones_like(slope), torch.zeros_like(slope)
    return _resampled(images, (one, slope, slope * (0.5 * images.shape[2])), (zero, one, zero), setting)


def shear_y(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """Column x taken from factor * (x + 1/2) pixels further down; the left edge stays."""
    slope = values[:, 0]
    one, zero = torch.ones_like(slope), torch.zeros_like(slope)
    return _resampled(images, (one, zero, zero), (slope, one, slope * (0.5 * images.shape[3])), setting)


def rotate(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """Turned anticlockwise about the centre by so many degrees; corners are cut off."""
    angle = torch.deg2rad(-torch.remainder(values[:, 0], 360.0))
    cosine, sine, zero = torch.cos(angle), torch.sin(angle), torch.zeros_like(angle)
    return _resampled(images, (cosine, sine, zero), (-sine, cosine, zero), setting)


def quarter_turns(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """Turned anticlockwise about the centre by so many right angles.

    No pixel of a square image is lost. Of any other one, what a turn by one or three puts outside its frame is cut off, and
    what is left empty is fill, as `rotate` does: the image keeps its shape.
    """
    return rotate(images, 90.0 * values, setting)


def _resampled(
    images: ImageBatch,
    to_x: tuple[PerImage, PerImage, PerImage],
    to_y: tuple[PerImage, PerImage, PerImage],
    setting: Setting,
) -> ImageBatch:
    """Pixel (x, y), counted from the image's centre, taken from `to_x` and `to_y` of (x, y, 1)."""
    height, width = images.shape[2:]
    x, y = _centred(width, images.device).view(1, 1, -1), _centred(height, images.device).view(1, -1, 1)
    source_y, source_x = _source(to_y, x, y, height), _source(to_x, x, y, width)
    if setting.interpolation == "bilinear":
        return take_bilinear(images, source_y, source_x, setting.fill)
    return take_nearest(images, source_y.round_(), source_x.round_(), setting.fill)


def _source(row: tuple[PerImage, PerImage, PerImage], x: Tensor, y: Tensor, side: int) -> Tensor:
    """One source coordinate in pixels, 0 the first one's centre: torchvision's `_affine_grid`, then torch's grid_sample."""
    half = torch.full((), 0.5 * side, dtype=torch.float32, device=x.device)
    a, b, c = ((entry.to(torch.float32) / half).view(-1, 1, 1) for entry in row)
    grid = (x * a + y * b).add_(c)
    return grid.add_(1.0).mul_(half).sub_(0.5)


def _centred(side: int, device: torch.device) -> Tensor:
    """Pixel centres counted from the middle of the image, float32."""
    return torch.arange(side, dtype=torch.float32, device=device) - 0.5 * (side - 1)


def shear_x_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`shear_x` of one image."""
    slope = values[0]
    _resample(image, out, (1.0, slope, slope * (0.5 * image.shape[1])), (0.0, 1.0, 0.0), fill, bilinear, scratch)


def shear_y_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`shear_y` of one image."""
    slope = values[0]
    _resample(image, out, (1.0, 0.0, 0.0), (slope, 1.0, slope * (0.5 * image.shape[2])), fill, bilinear, scratch)


def rotate_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`rotate` of one image."""
    _turn(image, out, values[0], fill, bilinear, scratch)


def quarter_turns_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`quarter_turns` of one image."""
    _turn(image, out, 90.0 * values[0], fill, bilinear, scratch)


def _turn(image: Any, out: Any, degrees: float, fill: int, bilinear: bool, scratch: Any) -> None:
    angle = -(degrees % 360.0) * (math.pi / 180.0)
    cosine, sine = math.cos(angle), math.sin(angle)
    _resample(image, out, (cosine, sine, 0.0), (-sine, cosine, 0.0), fill, bilinear, scratch)


def _resample(image: Any, out: Any, to_x: Coefficients, to_y: Coefficients, fill: int, bilinear: bool, scratch: Any) -> None:
    """`_resampled` of one image, in the same float32 steps."""
    height, width = image.shape[1:]
    pixels = height * width
    column_x, column_y = scratch[:width].view(np.float32), scratch[width : 2 * width].view(np.float32)
    rest = scratch[2 * width :]
    half_width, half_height = np.float32(0.5 * width), np.float32(0.5 * height)
    for x in range(width):
        centred = np.float32(np.float32(x) - np.float32(0.5 * (width - 1)))
        column_x[x] = centred * (np.float32(to_x[0]) / half_width)
        column_y[x] = centred * (np.float32(to_y[0]) / half_height)
    if bilinear:
        places = rest[: 2 * pixels].view(np.float32).reshape(2, height, width)
        _write_places(column_x, column_y, to_x, to_y, places)
        fused_bilinear(image, out, places[0].reshape(pixels), places[1].reshape(pixels), fill, rest[2 * pixels :])
    else:
        _write_index(column_x, column_y, to_x, to_y, rest[:pixels].reshape(height, width))
        fused_nearest(image, out, rest[:pixels], fill, rest[pixels:])


def _write_index(column_x: Any, column_y: Any, to_x: Coefficients, to_y: Coefficients, index: Any) -> None:
    """Which pixel each pixel of an int32 `index` (height, width) comes from; the number of pixels for those from outside."""
    height, width = index.shape
    half_width, half_height = np.float32(0.5 * width), np.float32(0.5 * height)
    c, f = np.float32(to_x[2]) / half_width, np.float32(to_y[2]) / half_height
    across, down = np.int32(width), np.int32(height)
    for row in range(height):
        centred = np.float32(np.float32(row) - np.float32(0.5 * (height - 1)))
        b, e = centred * (np.float32(to_x[1]) / half_width), centred * (np.float32(to_y[1]) / half_height)
        for column in range(width):
            x = np.rint(_place(column_x[column], b, c, half_width))
            y = np.rint(_place(column_y[column], e, f, half_height))
            index[row, column] = index_or_outside(np.int32(x), np.int32(y), across, down)


def _write_places(column_x: Any, column_y: Any, to_x: Coefficients, to_y: Coefficients, places: Any) -> None:
    """Where each pixel comes from, x and y, in float32 `places` (2, height, width)."""
    height, width = places.shape[1:]
    half_width, half_height = np.float32(0.5 * width), np.float32(0.5 * height)
    c, f = np.float32(to_x[2]) / half_width, np.float32(to_y[2]) / half_height
    for row in range(height):
        centred = np.float32(np.float32(row) - np.float32(0.5 * (height - 1)))
        b, e = centred * (np.float32(to_x[1]) / half_width), centred * (np.float32(to_y[1]) / half_height)
        for column in range(width):
            places[0, row, column] = _place(column_x[column], b, c, half_width)
            places[1, row, column] = _place(column_y[column], e, f, half_height)


def _place(column_term: np.float32, row_term: np.float32, constant: np.float32, half: np.float32) -> np.float32:
    """`_source` of one pixel."""
    return (((column_term + row_term) + constant) + np.float32(1.0)) * half - np.float32(0.5)


def shear_x_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """RandAugment's ShearX."""
    return _sheared(image, [math.degrees(math.atan(values[0])), 0.0], setting)


def shear_y_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """RandAugment's ShearY."""
    return _sheared(image, [0.0, math.degrees(math.atan(values[0]))], setting)


def _sheared(image: Any, shear: list[float], setting: Setting) -> Any:
    from torchvision.transforms.v2 import functional

    return _filled(partial(functional.affine, angle=0.0, translate=[0, 0], scale=1.0, shear=shear, center=[0, 0]), image, setting)


def rotate_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """RandAugment's Rotate."""
    from torchvision.transforms.v2 import functional

    return _filled(partial(functional.rotate, angle=values[0]), image, setting)


def quarter_turns_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """Torchvision's rotate, without expand."""
    return rotate_reference(image, (90.0 * values[0],), setting)


def _filled(resampled: Callable[..., Any], image: Any, setting: Setting) -> Any:
    """An op of torchvision's with its fill; between pixels with its only fill that fades as it should, which is none, or 0."""
    from torchvision.transforms import InterpolationMode

    if setting.interpolation == "nearest":
        return resampled(image, fill=float(setting.fill))
    above_fill = resampled(image.float() - setting.fill, interpolation=InterpolationMode.BILINEAR)
    return (above_fill + setting.fill).round().to(image.dtype)


_RANDAUGMENT = "torchvision 0.29 transforms/v2/_auto_augment.py, RandAugment"
_TRIVIALAUGMENT = "torchvision 0.29 transforms/v2/_auto_augment.py, TrivialAugmentWide"
_UNIFORMAUGMENT = "UniformAugment's published code (tgilewicz/uniformaugment, augmentations.py)"
_SHEAR = {
    "standard": Span(0.0, 0.3, _RANDAUGMENT),
    "wide": Span(0.0, 0.99, _TRIVIALAUGMENT),
    "uniform": Span(0.0, 0.3, _UNIFORMAUGMENT),
}

OPS = (
    Op(
        name="shear_x",
        elsewhere={
            "papers": "ShearX",
            "timm": "`ShearX`",
            "Albumentations": "`Affine(shear=...)`, in degrees and about the centre",
        },
        meaning="taken from (x + factor (y + 1/2), y): the upper edge stays, not the centre",
        parameters=(Parameter("factor", "pixels per pixel", identity=0.0, low=-2.0, high=2.0),),
        kind="geometry",
        kernel=shear_x,
        in_numpy=shear_x_in_numpy,
        fused=shear_x_fused,
        resamples=True,
        source=_RANDAUGMENT,
        reference=shear_x_reference,
        signed=True,
        spans=_SHEAR,
    ),
    Op(
        name="shear_y",
        elsewhere={
            "papers": "ShearY",
            "timm": "`ShearY`",
            "Albumentations": "`Affine(shear=...)`, in degrees and about the centre",
        },
        meaning="taken from (x, y + factor (x + 1/2)): the left edge stays, not the centre",
        parameters=(Parameter("factor", "pixels per pixel", identity=0.0, low=-2.0, high=2.0),),
        kind="geometry",
        kernel=shear_y,
        in_numpy=shear_y_in_numpy,
        fused=shear_y_fused,
        resamples=True,
        source=_RANDAUGMENT,
        reference=shear_y_reference,
        signed=True,
        spans=_SHEAR,
    ),
    Op(
        name="rotate",
        elsewhere={"papers": "Rotate", "timm": "`Rotate`", "Albumentations": "`Rotate`, `Affine(rotate=...)`"},
        meaning=(
            "turned anticlockwise as seen (y points down): with t the angle and (X, Y) counted from the centre ((W - 1) / 2, "
            "(H - 1) / 2), taken from X cos t - Y sin t, X sin t + Y cos t"
        ),
        parameters=(Parameter("degrees", "degrees", identity=0.0, low=-180.0, high=180.0),),
        kind="geometry",
        kernel=rotate,
        in_numpy=rotate_in_numpy,
        fused=rotate_fused,
        resamples=True,
        source=_RANDAUGMENT,
        reference=rotate_reference,
        signed=True,
        spans={
            "standard": Span(0.0, 30.0, _RANDAUGMENT),
            "wide": Span(0.0, 135.0, _TRIVIALAUGMENT),
            "uniform": Span(0.0, 30.0, _UNIFORMAUGMENT),
        },
    ),
    Op(
        name="quarter_turns",
        elsewhere={"Albumentations": "`RandomRotate90`, which turns an oblong frame too"},
        meaning=(
            "as rotate by 90 turns degrees: a square image keeps all its pixels, any other its shape; "
            "where W - H is odd, places lie half-way and either pixel may be taken"
        ),
        parameters=(Parameter("turns", "quarter turns", identity=0.0, low=0.0, high=3.0, whole=True),),
        kind="geometry",
        kernel=quarter_turns,
        in_numpy=quarter_turns_in_numpy,
        fused=quarter_turns_fused,
        resamples=True,
        source="torchvision 0.29 transforms/v2/functional, rotate by 90 degrees a turn",
        reference=quarter_turns_reference,
    ),
)
