"""Taking each pixel from a place between four pixels of its image: what geometric ops do when they interpolate. Declares no op.

The image goes on for ever in the fill's level, so at its edge the outermost pixels fade into the fill. torchvision does so where
it is given no fill, which is black; where it is given one, it lets the outermost pixels fade twice as fast.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from searchspaces.arrays import ImageBatch
from searchspaces.ops.nearest import index_or_outside, take_nearest
from searchspaces.ops.packing import PACKED_CHANNELS, gather, pack


def take_bilinear(images: ImageBatch, source_y: Tensor, source_x: Tensor, fill: int) -> ImageBatch:
    """Images whose pixel (y, x) comes from row `source_y` and column `source_x`, mixed from the four pixels around that place.

    Both sources are float32 that broadcast to (images, height, width). Whole numbers are centres of pixels; row 0 is the upper
    one, column 0 the left one. What is mixed is rounded, half to even.
    """
    upper, left = source_y.floor(), source_x.floor()
    down, right = (source_y - upper).unsqueeze(1), (source_x - left).unsqueeze(1)

    def neighbours(rows: Tensor, columns: Tensor) -> Tensor:
        return take_nearest(images, rows, columns, fill).to(torch.float32)

    above = _between(neighbours(upper, left), neighbours(upper, left + 1), right)
    below = _between(neighbours(upper + 1, left), neighbours(upper + 1, left + 1), right)
    return _between(above, below, down).round_().to(torch.uint8)


def _between(first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    return first + (second - first) * share


def fused_bilinear(image: Any, out: Any, source_x: Any, source_y: Any, fill: int, spare: Any) -> None:
    """Writes `out` (channels, height, width) as `take_bilinear` does.

    `source_x` and `source_y` are float32 (pixels), row by row. `spare` is int32, with 5 entries more than there are pixels or
    as many above that as there are: the image is done in blocks of what fits.
    """
    channels, height, width = image.shape
    pixels = height * width
    planes, mixed = image.reshape(channels, pixels), out.reshape(channels, pixels)
    words = spare[: pixels + 1]
    block = min((len(spare) - pixels - 1) // 4, pixels)
    for first in range(0, channels, PACKED_CHANNELS):
        end = min(first + PACKED_CHANNELS, channels)
        pack(planes[first:end], fill, words)
        for start in range(0, pixels, block):
            stop = min(start + block, pixels)
            four = spare[pixels + 1 : pixels + 1 + 4 * (stop - start)].reshape(4, stop - start)
            x, y = source_x[start:stop], source_y[start:stop]
            _neighbours(words, x, y, width, height, four)
            for channel in range(first, end):
                _mix(four, x, y, np.int32(8 * (channel - first)), mixed[channel, start:stop])


def _neighbours(words: Any, x: Any, y: Any, width: int, height: int, four: Any) -> None:
    """Writes the words of the four pixels around each place: upper left, upper right, lower left, lower right."""
    across, down = np.int32(width), np.int32(height)
    for corner in range(4):
        right, below = np.int32(corner & 1), np.int32(corner >> 1)
        index = four[corner]
        for i in range(len(x)):
            column, row = np.int32(np.floor(x[i])) + right, np.int32(np.floor(y[i])) + below
            index[i] = index_or_outside(np.int32(column), np.int32(row), across, down)
        gather(words, index, index)


def _mix(four: Any, x: Any, y: Any, shift: np.int32, mixed: Any) -> None:
    """Writes one channel, the byte of the words that lies `shift` bits up."""
    for i in range(len(x)):
        right, down = x[i] - np.floor(x[i]), y[i] - np.floor(y[i])
        above = _mixed(_level(four[0, i], shift), _level(four[1, i], shift), right)
        below = _mixed(_level(four[2, i], shift), _level(four[3, i], shift), right)
        mixed[i] = np.uint8(np.rint(_mixed(above, below, down)))


def _level(word: np.int32, shift: np.int32) -> np.float32:
    return np.float32(np.int32((word >> shift) & np.int32(255)))


def _mixed(first: np.float32, second: np.float32, share: np.float32) -> np.float32:
    return first + (second - first) * share
