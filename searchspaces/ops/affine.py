"""Ops that resample an image through a straight-lined map: shear, rotate, quarter_turns. Nearest pixel, fill outside.

The grid is computed in float32 in torchvision's order of operations, because at half-way places the last bit decides which pixel
is the nearest.
"""

import math
from typing import Any

import torch
from torch import Tensor

from searchspaces.arrays import ImageBatch, PerImage, PerImageValues
from searchspaces.ops.nearest import take_nearest
from searchspaces.ops.op import Op, Parameter, Setting, Span


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
    return take_nearest(images, _source(to_y, x, y, height), _source(to_x, x, y, width), setting.fill)


def _source(row: tuple[PerImage, PerImage, PerImage], x: Tensor, y: Tensor, side: int) -> Tensor:
    """One source coordinate, a whole number of pixels from the edge: torchvision's `_affine_grid`, then torch's grid_sample."""
    half = torch.tensor(0.5 * side, dtype=torch.float32, device=x.device)
    a, b, c = ((entry.to(torch.float32) / half).view(-1, 1, 1) for entry in row)
    grid = (x * a + y * b).add_(c)
    return grid.add_(1.0).mul_(half).sub_(0.5).round_()


def _centred(side: int, device: torch.device) -> Tensor:
    """Pixel centres counted from the middle of the image, float32."""
    return torch.arange(side, dtype=torch.float32, device=device) - 0.5 * (side - 1)


def shear_x_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """RandAugment's ShearX."""
    return _sheared(image, [math.degrees(math.atan(values[0])), 0.0], setting)


def shear_y_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """RandAugment's ShearY."""
    return _sheared(image, [0.0, math.degrees(math.atan(values[0]))], setting)


def _sheared(image: Any, shear: list[float], setting: Setting) -> Any:
    from torchvision.transforms.v2 import functional

    return functional.affine(image, angle=0.0, translate=[0, 0], scale=1.0, shear=shear, fill=float(setting.fill), center=[0, 0])


def rotate_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """RandAugment's Rotate."""
    from torchvision.transforms.v2 import functional

    return functional.rotate(image, angle=values[0], fill=float(setting.fill))


def quarter_turns_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """Torchvision's rotate, without expand."""
    from torchvision.transforms.v2 import functional

    return functional.rotate(image, angle=90.0 * values[0], fill=float(setting.fill))


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
        source="torchvision 0.29 transforms/v2/functional, rotate by 90 degrees a turn",
        reference=quarter_turns_reference,
    ),
)
