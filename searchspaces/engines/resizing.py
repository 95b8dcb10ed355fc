"""The last step of every engine: images brought to the resolution they are trained at.

Bilinear with antialiasing, along the rows first, then along the columns, rounded to whole levels each time: torchvision's resize.
The same for every engine; a GPU's may be one level off, and in a few pixels two. It looks at one image at a time, so one comes
out the same in any batch.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from searchspaces.arrays import ImageBatch

BLOCK_BYTES = 2**22
"""Off the CPU so many bytes of images are resized at once, for the working arrays are four times as large."""


def resized_side(side: int, resolution: float) -> int:
    """The pixels that a side of so many becomes: rounded half up, at least one."""
    return max(1, math.floor(resolution * side + 0.5))


def resized(images: ImageBatch, resolution: float) -> ImageBatch:
    """Images (images, channels, height, width) with both sides at the fraction `resolution` (0 to 1) of what they were.

    With 1, or where no side would change, the very images that were given.
    """
    height, width = images.shape[2:]
    size = (resized_side(height, resolution), resized_side(width, resolution))
    if size == (height, width):
        return images
    done = images.new_empty((*images.shape[:2], *size))
    if images.numel() == 0:
        return done
    if images.device.type == "cpu":
        # As planes of one channel each where a side becomes one pixel: torch 2.14 fails there, or gives wrong levels.
        given = images.reshape(-1, 1, height, width) if 1 in size else images.contiguous()
        return functional.interpolate(given, size, mode="bilinear", antialias=True).view(done.shape)
    block_images = max(1, BLOCK_BYTES // images[:1].numel())
    for start in range(0, len(images), block_images):
        block = images[start : start + block_images].to(torch.float32)
        done[start : start + block_images] = _in_floats(_in_floats(block, (height, size[1])), size).to(torch.uint8)
    return done


def _in_floats(levels: Tensor, size: tuple[int, int]) -> Tensor:
    """Levels as floats, resized and rounded: torch has no whole-number kernel but on CPUs."""
    return functional.interpolate(levels, size, mode="bilinear", antialias=True).add_(0.5).floor_().clamp_(0, 255)


def resized_in_numpy(image: Any, resolution: float) -> Any:
    """`resized` of one image (channels, height, width), uint8, in plain numpy; equal to the bit to torch's on a CPU."""
    for axis in (2, 1):
        side = image.shape[axis]
        pixels = resized_side(side, resolution)
        if pixels != side:
            weights, bits = axis_weights(side, pixels)
            sums = np.moveaxis(image, axis, -1).astype(np.int64) @ weights.T + (1 << (bits - 1))
            image = np.moveaxis((sums >> bits).clip(0, 255).astype(np.uint8), -1, axis)
    return np.ascontiguousarray(image)


def axis_weights(side: int, pixels: int) -> tuple[Any, int]:
    """What each of `side` pixels weighs in each of the fewer `pixels`, int64 (pixels, side) in units of 1 / 2 ** bits; and bits.

    A triangle as wide as two new pixels; whole numbers as torch rounds them for its kernel of 16 bits.
    """
    scale = side / pixels
    middles = scale * (np.arange(pixels) + 0.5)[:, None]
    weights = np.maximum(0.0, 1.0 - np.abs((np.arange(side) - middles + 0.5) / scale))
    weights /= weights.sum(axis=1, keepdims=True)
    bits = 0
    while bits < 22 and int(0.5 + weights.max() * (1 << (bits + 1))) < 1 << 15:
        bits += 1
    return np.floor(weights * (1 << bits) + 0.5).astype(np.int64), bits
