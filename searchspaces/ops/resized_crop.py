"""Resampling a window of an image to the image's own size: resized_crop, the geometry of torchvision's RandomResizedCrop.

A window is never larger than the image, so an image is only ever enlarged and antialiasing has nothing to do. All arithmetic is
in whole numbers, torchvision's own for uint8 images, so every engine and every device gives the same pixels.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from searchspaces.arrays import ImageBatch, PerImage, PerImageValues
from searchspaces.ops.op import Op, Parameter, Setting
from searchspaces.ops.shifts import copy_row

_ONE = 1 << 14
"""A weight of 1: torch's uint8 resampling has weights of 14 bits wherever it enlarges."""
_BITS = 14
_HALF = 1 << 13


def resized_crop(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """The window (x, y, width, height), in fractions of the image, brought to the image's size.

    In whole pixels the window is round(width W) wide, at least 1, and starts at column round(x W), or as far right as it still
    lies within the image; rows alike (rounded half to even). Bilinear: first along rows, then along columns, rounded each time,
    with the last pixel repeated past the window's edges. Nearest: torchvision's "nearest-exact", which is PIL's nearest.
    """
    height, width = images.shape[2:]
    left, columns = _window(values[:, 2], values[:, 0], width)
    top, rows = _window(values[:, 3], values[:, 1], height)
    if setting.interpolation == "nearest":
        across = _along(images, left + _nearest_places(columns, width), 3)
        return _along(across, top + _nearest_places(rows, height), 2)
    return _mixed(_mixed(images, left, columns, 3), top, rows, 2)


def _window(start: PerImage, share: PerImage, side: int) -> tuple[Tensor, Tensor]:
    """First pixel and number of pixels of each window along a side, int64 (images, 1)."""
    pixels = (share * side).round().clamp(min=1)
    return torch.minimum((start * side).round(), side - pixels).long().view(-1, 1), pixels.long().view(-1, 1)


def _nearest_places(pixels: Tensor, side: int) -> Tensor:
    """Which pixel of its window each place of a side takes, in torch's float32 (it tells where a place is half-way)."""
    places = torch.arange(side, dtype=torch.float32, device=pixels.device) + 0.5
    step = pixels.to(torch.float32) / torch.full((), side, dtype=torch.float32, device=pixels.device)
    return torch.minimum((places * step).floor_().long(), pixels - 1)


def _mixed(images: ImageBatch, start: Tensor, pixels: Tensor, axis: int) -> ImageBatch:
    """Each place along `axis` mixed of the two pixels of its window that it lies between."""
    side = images.shape[axis]
    # A place's distance from the middle of the window's first pixel is so many times 1 / (2 side) pixels.
    distance = pixels * (2 * torch.arange(side, device=pixels.device) + 1) - side
    first = torch.div(distance, 2 * side, rounding_mode="floor")
    weight = torch.div((distance - first * (2 * side)) * _ONE + side, 2 * side, rounding_mode="floor").to(torch.int32)
    weight = weight.view(-1, 1, 1, side) if axis == 3 else weight.view(-1, 1, side, 1)
    near, far = (_along(images, start + (first + step).clamp(min=0).minimum(pixels - 1), axis) for step in (0, 1))
    mixed = near.to(torch.int32) * (_ONE - weight) + far * weight
    return mixed.add_(_HALF).bitwise_right_shift_(_BITS).to(torch.uint8)


def _along(images: ImageBatch, places: Tensor, axis: int) -> ImageBatch:
    """The pixels at `places` (images, side) along an axis of each image."""
    index = places.view(len(places), 1, 1, -1) if axis == 3 else places.view(len(places), 1, -1, 1)
    return images.gather(axis, index.expand(images.shape))


def resized_crop_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`resized_crop` of one image."""
    channels, height, width = image.shape
    left, columns = window(values[2], values[0], width)
    top, rows = window(values[3], values[1], height)
    near, weights, pairs = scratch[:width], scratch[width : 2 * width], scratch[2 * width : 3 * width]
    across = scratch[3 * width :].view(np.uint8)
    for column in range(width):
        near[column], weights[column] = place(column, columns, width, bilinear)
    for channel in range(channels):
        if not bilinear:
            take_rows(image[channel, top : top + rows, left : left + columns], near, out[channel])
            continue
        for row in range(rows):
            pair_up(image[channel, top + row, left : left + columns], pairs)
            spread(pairs, near, weights, across[row * width : (row + 1) * width])
        for row in range(height):
            first, weight = place(row, rows, height, True)
            second = min(first + 1, rows - 1)
            mix_rows(across[first * width :], across[second * width :], weight, out[channel, row])


def window(start: float, share: float, side: int) -> tuple[int, int]:
    """First pixel and number of pixels of a window along a side."""
    pixels = max(1, int(np.rint(share * side)))
    return min(int(np.rint(start * side)), side - pixels), pixels


def place(index: int, pixels: int, side: int, bilinear: bool) -> tuple[int, int]:
    """The pixel of a window that a place along a side takes, and the weight of the next one, of 2 ** 14."""
    if not bilinear:
        step = np.float32(pixels) / np.float32(side)
        return min(int(np.floor((np.float32(index) + np.float32(0.5)) * step)), pixels - 1), 0
    distance = pixels * (2 * index + 1) - side
    if distance < 0:
        return 0, 0
    first = distance // (2 * side)
    return first, ((distance - first * 2 * side) * _ONE + side) // (2 * side)


def take_rows(inside: Any, near: Any, out: Any) -> None:
    """The nearest pixels of a window; a row that is the one before it again is copied."""
    before = -1
    for row in range(len(out)):
        first, _ = place(row, len(inside), len(out), False)
        if first == before:
            copy_row(out[row - 1], out[row])
        else:
            take_row(inside[first], near, out[row])
        before = first


def take_row(row: Any, near: Any, out: Any) -> None:
    """The pixels of a row that are near. An index is unsigned, because a signed one may count from the end."""
    for column in range(len(out)):
        out[column] = row[np.uint32(near[column])]


def pair_up(row: Any, pairs: Any) -> None:
    """Each pixel of a row together with the next one in one number, so that one look finds both."""
    last = len(row) - 1
    for column in range(last):
        pairs[column] = np.int32(row[column]) | (np.int32(row[column + 1]) << np.int32(16))
    pairs[last] = np.int32(row[last]) * np.int32(65537)


def spread(pairs: Any, near: Any, weights: Any, out: Any) -> None:
    """A row of a window at the places of a row of the image."""
    for column in range(len(out)):
        both = pairs[np.uint32(near[column])]
        own, other = both & np.int32(255), both >> np.int32(16)
        out[column] = np.uint8((own * np.int32(_ONE) + (other - own) * weights[column] + np.int32(_HALF)) >> np.int32(_BITS))


def mix_rows(row: Any, following: Any, weight: int, out: Any) -> None:
    """`out` filled with the mix of two rows."""
    share = np.int32(weight)
    for column in range(len(out)):
        own, other = np.int32(row[column]), np.int32(following[column])
        out[column] = np.uint8((own * np.int32(_ONE) + (other - own) * share + np.int32(_HALF)) >> np.int32(_BITS))


def resized_crop_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`resized_crop` of one image in plain numpy."""
    sides = image.shape[1:]
    for axis, (start, share) in ((2, (values[2], values[0])), (1, (values[3], values[1]))):
        side = sides[axis - 1]
        pixels = max(1, int(np.rint(share * side)))
        first_pixel = min(int(np.rint(start * side)), side - pixels)
        places = np.arange(side)
        if not bilinear:
            step = np.float32(pixels) / np.float32(side)
            taken = np.minimum(np.floor((places.astype(np.float32) + np.float32(0.5)) * step).astype(np.int64), pixels - 1)
            image = image.take(first_pixel + taken, axis)
            continue
        distance = pixels * (2 * places + 1) - side
        first = distance // (2 * side)
        weight = ((distance - first * 2 * side) * 16384 + side) // (2 * side)
        near, far = (image.take(first_pixel + np.clip(first + step, 0, pixels - 1), axis).astype(np.int64) for step in (0, 1))
        weight = weight[:, None] if axis == 1 else weight
        image = ((near * (16384 - weight) + far * weight + 8192) >> 14).astype(np.uint8)
    return np.ascontiguousarray(image)


def resized_crop_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """Torchvision's resized_crop, with antialias as its RandomResizedCrop has it."""
    from torchvision.transforms.v2 import InterpolationMode, functional

    modes = {"nearest": InterpolationMode.NEAREST_EXACT, "bilinear": InterpolationMode.BILINEAR}
    high, wide = image.shape[-2:]
    width, height = max(1, round(values[0] * wide)), max(1, round(values[1] * high))
    left, top = min(round(values[2] * wide), wide - width), min(round(values[3] * high), high - height)
    return functional.resized_crop(
        image, top, left, height, width, [high, wide], interpolation=modes[setting.interpolation], antialias=True
    )


def _side(name: str, unit: str) -> Parameter:
    return Parameter(name, unit, identity=1.0, low=0.01, high=1.0)


def _start(name: str, unit: str) -> Parameter:
    return Parameter(name, unit, identity=0.0, low=0.0, high=1.0)


OPS = (
    Op(
        name="resized_crop",
        elsewhere={
            "torchvision": "`RandomResizedCrop`",
            "timm": "`RandomResizedCropAndInterpolation`, on PIL images",
            "Albumentations": "`RandomResizedCrop`, not antialiased",
        },
        meaning=(
            "the window of w = max(1, round(width W)) by h = max(1, round(height H)) pixels whose upper left pixel is "
            "(min(round(x W), W - w), min(round(y H), H - h)), so within the image, brought to W by H: column i of the result "
            "lies at (i + 1/2) w / W - 1/2 in the window, rows alike. Bilinear: mixed of the two pixels beside it (past an edge "
            "the last one), by shares rounded to 1/16384, first along rows, then along columns, rounded (half up) each time. "
            "Nearest: pixel floor((i + 1/2) w / W)"
        ),
        parameters=(
            _side("width", "of the width"),
            _side("height", "of the height"),
            _start("x", "of the width"),
            _start("y", "of the height"),
        ),
        kind="geometry",
        kernel=resized_crop,
        fused=resized_crop_fused,
        in_numpy=resized_crop_in_numpy,
        source="torchvision 0.29 transforms/v2/functional, resized_crop (the window of RandomResizedCrop); Szegedy et al. 2015",
        reference=resized_crop_reference,
        resamples=True,
    ),
)
