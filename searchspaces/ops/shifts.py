"""Ops that move an image by whole pixels or mirror it: translate (fraction or pixels), crop, hflip, vflip.

Exact on every device.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from searchspaces.arrays import ImageBatch, PerImageValues
from searchspaces.ops.levels import copy_levels, fill_levels
from searchspaces.ops.nearest import take_nearest
from searchspaces.ops.numpy_geometry import (
    crop_in_numpy,
    hflip_in_numpy,
    translate_x_in_numpy,
    translate_x_px_in_numpy,
    translate_y_in_numpy,
    translate_y_px_in_numpy,
    vflip_in_numpy,
)
from searchspaces.ops.op import Op, Parameter, Setting, Span


def translate_x(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """Content moved right by int(fraction * width) pixels, left where negative; truncated towards zero as torchvision does."""
    return _moved(images, (values[:, 0] * images.shape[3]).trunc(), None, setting.fill)


def translate_y(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """Content moved down by int(fraction * height) pixels, up where negative; truncated towards zero as torchvision does."""
    return _moved(images, None, (values[:, 0] * images.shape[2]).trunc(), setting.fill)


def translate_x_px(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """Content moved right by so many pixels, left where negative."""
    return _moved(images, values[:, 0], None, setting.fill)


def translate_y_px(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """Content moved down by so many pixels, up where negative."""
    return _moved(images, None, values[:, 0], setting.fill)


def crop(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """A window of the image's own size whose upper left corner is at (x_px, y_px) of the image; what lies outside is fill."""
    return _moved(images, -values[:, 0], -values[:, 1], setting.fill)


def hflip(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """Left and right exchanged where the amount is 1."""
    return _mirrored(images, values, axis=3)


def vflip(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """Top and bottom exchanged where the amount is 1."""
    return _mirrored(images, values, axis=2)


def _mirrored(images: ImageBatch, values: PerImageValues, axis: int) -> ImageBatch:
    return torch.where(values[:, 0].view(-1, 1, 1, 1) == 0, images, images.flip(axis))


def _moved(images: ImageBatch, right: Tensor | None, down: Tensor | None, fill: int) -> ImageBatch:
    """Content moved by whole pixels per image; None: not along that axis."""
    rows = torch.arange(images.shape[2], device=images.device).view(1, -1, 1)
    columns = torch.arange(images.shape[3], device=images.device).view(1, 1, -1)
    source_y = rows if down is None else rows - down.long().view(-1, 1, 1)
    source_x = columns if right is None else columns - right.long().view(-1, 1, 1)
    return take_nearest(images, source_y, source_x, fill)


def translate_x_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`translate_x` for one image."""
    move(image, out, int(values[0] * image.shape[2]), 0, fill)


def translate_y_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`translate_y` for one image."""
    move(image, out, 0, int(values[0] * image.shape[1]), fill)


def translate_x_px_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`translate_x_px` for one image."""
    move(image, out, int(values[0]), 0, fill)


def translate_y_px_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`translate_y_px` for one image."""
    move(image, out, 0, int(values[0]), fill)


def crop_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`crop` for one image."""
    move(image, out, -int(values[0]), -int(values[1]), fill)


def hflip_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`hflip` for one image: each channel from its last pixel to its first, then its rows from the last to the first."""
    if values[0] == 0:
        copy_levels(image, out)
        return
    channels, height, width = image.shape
    planes = image.reshape(channels, height * width)
    turned = scratch.view(np.uint8)[: height * width]
    for channel in range(channels):
        reverse_row(planes[channel], turned)
        for row in range(height):
            end = (height - row) * width
            copy_row(turned[end - width : end], out[channel, row])


def vflip_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`vflip` for one image."""
    if values[0] == 0:
        copy_levels(image, out)
        return
    channels, height, _ = image.shape
    for channel in range(channels):
        for row in range(height):
            copy_row(image[channel, row], out[channel, height - 1 - row])


def move(image: Any, out: Any, right: int, down: int, fill: int) -> None:
    """One image's content moved by whole pixels.

    A channel is copied in one go as if its rows were one long row; what then came from a neighbouring row is filled.
    """
    channels, height, width = image.shape
    pixels, offset = height * width, down * width + right
    if abs(right) >= width or abs(down) >= height:
        fill_levels(out, fill)
        return
    planes, moved = image.reshape(channels, pixels), out.reshape(channels, pixels)
    first, last = max(offset, 0), pixels + min(offset, 0)
    left, end = (0, right) if right > 0 else (width + right, width)
    for channel in range(channels):
        copy_row(planes[channel, first - offset : last - offset], moved[channel, first:last])
        if down > 0:
            fill_row(moved[channel, : down * width], fill)
        elif down < 0:
            fill_row(moved[channel, pixels + down * width :], fill)
        if left < end:
            for row in range(height):
                for column in range(left, end):
                    out[channel, row, column] = fill


def copy_row(source: Any, target: Any) -> None:
    """Levels side by side, copied without the price of `copy_levels` for arrays of any shape."""
    for place in range(target.size):
        target[place] = source[place]


def fill_row(target: Any, level: int) -> None:
    """The same for `fill_levels`."""
    for place in range(target.size):
        target[place] = level


def reverse_row(source: Any, target: Any) -> None:
    """The levels of `source` from the last to the first."""
    size = np.uint64(source.size)
    last = size - np.uint64(1)
    for place in range(size):
        # Without a sign there is no test for counting from the end, and several levels are turned at once.
        target[place] = source[last - place]


def translate_reference(image: Any, right: int, down: int, fill: int) -> Any:
    """Torchvision's affine, as its RandAugment calls it to translate."""
    from torchvision.transforms.v2 import functional

    return functional.affine(image, angle=0.0, translate=[right, down], scale=1.0, shear=[0.0, 0.0], fill=float(fill))


def translate_x_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """RandAugment's TranslateX of fraction * width."""
    return translate_reference(image, int(values[0] * image.shape[-1]), 0, setting.fill)


def translate_y_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """RandAugment's TranslateY of fraction * height."""
    return translate_reference(image, 0, int(values[0] * image.shape[-2]), setting.fill)


def translate_x_px_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """TrivialAugmentWide's TranslateX."""
    return translate_reference(image, int(values[0]), 0, setting.fill)


def translate_y_px_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """TrivialAugmentWide's TranslateY."""
    return translate_reference(image, 0, int(values[0]), setting.fill)


def crop_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """Torchvision's pad by as much as the window can leave the image, then its crop: what RandomCrop with padding does."""
    from torchvision.transforms.v2 import functional

    x_px, y_px = int(values[0]), int(values[1])
    height, width = image.shape[-2:]
    padded = functional.pad(image, [abs(x_px), abs(y_px)], fill=setting.fill)
    return functional.crop(padded, top=y_px + abs(y_px), left=x_px + abs(x_px), height=height, width=width)


def hflip_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """Torchvision's horizontal flip."""
    from torchvision.transforms.v2 import functional

    return functional.horizontal_flip(image) if values[0] else image


def vflip_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """Torchvision's vertical flip."""
    from torchvision.transforms.v2 import functional

    return functional.vertical_flip(image) if values[0] else image


_RANDAUGMENT = "torchvision 0.29 transforms/v2/_auto_augment.py, RandAugment"
_TRIVIALAUGMENT = "torchvision 0.29 transforms/v2/_auto_augment.py, TrivialAugmentWide"
_UNIFORMAUGMENT = "UniformAugment's published code (tgilewicz/uniformaugment, augmentations.py)"
_FRACTION = {
    "standard": Span(0.0, 150 / 331, f"{_RANDAUGMENT}: 150 of 331 pixels"),
    "uniform": Span(0.0, 0.45, _UNIFORMAUGMENT),
}
_PIXELS = {"wide": Span(0.0, 32.0, f"{_TRIVIALAUGMENT}: 32 pixels whatever the image's size")}
_FLIP = Span(1.0, 1.0, "it has no strength")


def _px(name: str) -> Parameter:
    return Parameter(name, "pixels", identity=0.0, low=-512.0, high=512.0, whole=True)


OPS = (
    Op(
        name="translate_x",
        elsewhere={"papers": "TranslateX", "timm": "`TranslateXRel`", "Albumentations": "`Affine(translate_percent=...)`"},
        meaning="taken from (x - d, y), d = fraction W without its decimals (towards 0)",
        parameters=(Parameter("fraction", "of the width", identity=0.0, low=-1.0, high=1.0),),
        kind="geometry",
        kernel=translate_x,
        in_numpy=translate_x_in_numpy,
        fused=translate_x_fused,
        source=_RANDAUGMENT,
        reference=translate_x_reference,
        signed=True,
        spans=_FRACTION,
    ),
    Op(
        name="translate_y",
        elsewhere={"papers": "TranslateY", "timm": "`TranslateYRel`", "Albumentations": "`Affine(translate_percent=...)`"},
        meaning="taken from (x, y - d), d = fraction H without its decimals (towards 0)",
        parameters=(Parameter("fraction", "of the height", identity=0.0, low=-1.0, high=1.0),),
        kind="geometry",
        kernel=translate_y,
        in_numpy=translate_y_in_numpy,
        fused=translate_y_fused,
        source=_RANDAUGMENT,
        reference=translate_y_reference,
        signed=True,
        spans=_FRACTION,
    ),
    Op(
        name="translate_x_px",
        elsewhere={
            "papers": "TranslateX (TrivialAugment wide)",
            "timm": "`TranslateX`",
            "Albumentations": "`Affine(translate_px=...)`",
        },
        meaning="taken from (x - pixels, y)",
        parameters=(_px("pixels"),),
        kind="geometry",
        kernel=translate_x_px,
        in_numpy=translate_x_px_in_numpy,
        fused=translate_x_px_fused,
        source=_TRIVIALAUGMENT,
        reference=translate_x_px_reference,
        signed=True,
        spans=_PIXELS,
    ),
    Op(
        name="translate_y_px",
        elsewhere={
            "papers": "TranslateY (TrivialAugment wide)",
            "timm": "`TranslateY`",
            "Albumentations": "`Affine(translate_px=...)`",
        },
        meaning="taken from (x, y - pixels)",
        parameters=(_px("pixels"),),
        kind="geometry",
        kernel=translate_y_px,
        in_numpy=translate_y_px_in_numpy,
        fused=translate_y_px_fused,
        source=_TRIVIALAUGMENT,
        reference=translate_y_px_reference,
        signed=True,
        spans=_PIXELS,
    ),
    Op(
        name="crop",
        elsewhere={"torchvision": "`RandomCrop(padding=...)`", "Albumentations": "`RandomCrop` after `Pad`"},
        meaning="taken from (x + x_px, y + y_px)",
        parameters=(_px("x_px"), _px("y_px")),
        kind="geometry",
        kernel=crop,
        in_numpy=crop_in_numpy,
        fused=crop_fused,
        source="the padded random crop of the CIFAR recipes; torchvision 0.29 RandomCrop with padding",
        reference=crop_reference,
    ),
    Op(
        name="hflip",
        elsewhere={"torchvision": "`RandomHorizontalFlip`", "Albumentations": "`HorizontalFlip`"},
        meaning="with amount 1 taken from (W - 1 - x, y)",
        parameters=(Parameter("amount", "0 or 1", identity=0.0, low=0.0, high=1.0, whole=True),),
        kind="geometry",
        kernel=hflip,
        in_numpy=hflip_in_numpy,
        fused=hflip_fused,
        source="torchvision 0.29 transforms/v2/functional, horizontal_flip",
        reference=hflip_reference,
        spans={"standard": _FLIP, "wide": _FLIP},
    ),
    Op(
        name="vflip",
        elsewhere={"torchvision": "`RandomVerticalFlip`", "Albumentations": "`VerticalFlip`"},
        meaning="with amount 1 taken from (x, H - 1 - y)",
        parameters=(Parameter("amount", "0 or 1", identity=0.0, low=0.0, high=1.0, whole=True),),
        kind="geometry",
        kernel=vflip,
        in_numpy=vflip_in_numpy,
        fused=vflip_fused,
        source="torchvision 0.29 transforms/v2/functional, vertical_flip",
        reference=vflip_reference,
        spans={"standard": _FLIP, "wide": _FLIP},
    ),
)
