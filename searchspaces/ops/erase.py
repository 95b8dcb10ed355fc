"""Hiding a square of an image under one grey level: erase, the cutout of DeVries and Taylor. Exact on every device."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from searchspaces.arrays import ImageBatch, PerImage, PerImageValues
from searchspaces.ops.op import Op, Parameter, Setting, Span
from searchspaces.ops.shifts import copy_row, fill_row


def erase(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """A square of round(side min(H, W)) pixels with its middle on pixel (x W, y H), cut at the image's edges, set to `level`."""
    height, width = images.shape[2:]
    pixels = (values[:, 0] * min(height, width)).round()
    rows, columns = _within(values[:, 2], pixels, height), _within(values[:, 1], pixels, width)
    hidden = (rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1)
    return torch.where(hidden, values[:, 3].to(torch.uint8).view(-1, 1, 1, 1), images)


def _within(middle: PerImage, pixels: PerImage, side: int) -> Tensor:
    """Which places along a side the square takes, bool (images, side)."""
    first = (middle * side).floor().clamp(max=side - 1) - (pixels / 2).floor()
    places = torch.arange(side, device=middle.device)
    return (places >= first.view(-1, 1)) & (places < (first + pixels).view(-1, 1))


def erase_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`erase` of one image."""
    channels, height, width = image.shape
    pixels = int(np.rint(values[0] * min(height, width)))
    left, right = covered(values[1], pixels, width)
    top, bottom = covered(values[2], pixels, height)
    copy_row(image.reshape(-1), out.reshape(-1))
    for channel in range(channels):
        for row in range(top, bottom):
            fill_row(out[channel, row, left:right], int(values[3]))


def covered(middle: float, pixels: int, side: int) -> tuple[int, int]:
    """The first place along a side that the square takes, and the first after it."""
    first = min(int(np.floor(middle * side)), side - 1) - pixels // 2
    return max(first, 0), min(first + pixels, side)


def erase_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`erase` of one image in plain numpy."""
    height, width = image.shape[1:]
    pixels = int(np.rint(values[0] * min(height, width)))
    left = min(int(np.floor(values[1] * width)), width - 1) - pixels // 2
    top = min(int(np.floor(values[2] * height)), height - 1) - pixels // 2
    out = image.copy()
    out[:, max(top, 0) : max(top + pixels, 0), max(left, 0) : max(left + pixels, 0)] = int(values[3])
    return out


def erase_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """Torchvision's erase, given what is left of the square within the image."""
    import math

    from torchvision.transforms.v2 import functional

    high, wide = image.shape[-2:]
    pixels = round(values[0] * min(high, wide))
    left, top = (min(math.floor(at * side), side - 1) - pixels // 2 for at, side in ((values[1], wide), (values[2], high)))
    right, bottom = min(left + pixels, wide), min(top + pixels, high)
    left, top = max(left, 0), max(top, 0)
    if right <= left or bottom <= top:
        return image
    level = image.new_full((1, 1, 1), int(values[3]))
    return functional.erase(image, i=top, j=left, h=bottom - top, w=right - left, v=level)


OPS = (
    Op(
        name="erase",
        elsewhere={
            "papers": "Cutout",
            "torchvision": "`RandomErasing`, an oblong that is wholly inside",
            "Albumentations": "`CoarseDropout`, `Erasing`, oblongs that are wholly inside",
        },
        meaning=(
            "level in the square of s = round(side min(W, H)) pixels whose columns are c - floor(s / 2) and the s - 1 after it, "
            "c = min(floor(x W), W - 1), and whose rows follow from y and H alike; what lies outside the image is cut off; "
            "v elsewhere"
        ),
        parameters=(
            Parameter("side", "of the shorter side", identity=0.0, low=0.0, high=1.0),
            Parameter("x", "of the width", identity=0.5, low=0.0, high=1.0),
            Parameter("y", "of the height", identity=0.5, low=0.0, high=1.0),
            Parameter("level", "levels", identity=0.0, low=0.0, high=255.0, whole=True),
        ),
        kind="texture",
        kernel=erase,
        fused=erase_fused,
        in_numpy=erase_in_numpy,
        source="DeVries and Taylor 2017, Improved Regularization of Convolutional Neural Networks with Cutout (arXiv 1708.04552)",
        reference=erase_reference,
        spans={"uniform": Span(0.0, 0.2, "UniformAugment's published code (tgilewicz/uniformaugment, augmentations.py), Cutout")},
    ),
)
