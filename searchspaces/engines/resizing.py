"""The last step of every engine: images brought to the resolution they are trained at.

Bilinear with antialiasing, in single precision, rounded to whole levels (half to even): the same on every engine, and within one
level on every device. It looks at one image at a time, so an image comes out the same in any batch.
"""

import math

import torch
from torch.nn import functional

from searchspaces.arrays import ImageBatch

BLOCK_BYTES = 2**22
"""So many bytes of images are resized at once, for the working arrays are four times as large."""


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
    block_images = max(1, BLOCK_BYTES // max(1, images[:1].numel()))
    for start in range(0, len(images), block_images):
        block = images[start : start + block_images].to(torch.float32)
        small = functional.interpolate(block, size, mode="bilinear", antialias=True, align_corners=False)
        done[start : start + block_images] = small.round_().clamp_(0, 255).to(torch.uint8)
    return done
