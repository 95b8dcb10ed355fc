"""Taking each pixel from another place of its image, the nearest one: what every geometric op shares. Declares no op.

Places outside the image give `fill`; nothing is interpolated.
"""

from typing import Any

import numpy as np
from torch import Tensor

from searchspaces.arrays import ImageBatch
from searchspaces.ops.packing import PACKED_CHANNELS, gather, pack, unpack


def take_nearest(images: ImageBatch, source_y: Tensor, source_x: Tensor, fill: int) -> ImageBatch:
    """Images whose pixel (y, x) comes from row `source_y` and column `source_x`, or is `fill` where that lies outside.

    Both sources are whole numbers (in a tensor of any dtype) that broadcast to (images, height, width); row 0 is the upper
    one, column 0 the left one.
    """
    count, channels, height, width = images.shape
    # Every place outside clamps to a border of fill one pixel wide, so no mask is needed.
    bordered = images.new_full((count, channels, height + 2, width + 2), fill)
    bordered[:, :, 1:-1, 1:-1] = images
    rows = source_y.clamp(-1, height).long() + 1
    columns = source_x.clamp(-1, width).long() + 1
    index = (rows * (width + 2) + columns).expand(count, height, width).reshape(count, 1, height * width)
    taken = bordered.view(count, channels, -1).gather(2, index.expand(-1, channels, -1))
    return taken.view(count, channels, height, width)


def fused_nearest(image: Any, out: Any, index: Any, fill: int, spare: Any) -> None:
    """Writes `out` (channels, height, width) so that pixel i, counted row by row, is pixel index[i] of `image`.

    `index` is int32 (pixels) and overwritten; where it is the number of pixels the fill is taken. `spare` is int32, twice the
    pixels and one more.
    """
    channels, height, width = image.shape
    pixels = height * width
    planes, taken_planes = image.reshape(channels, pixels), out.reshape(channels, pixels)
    words, taken = spare[: pixels + 1], spare[pixels + 1 : 2 * pixels + 1]
    for first in range(0, channels, PACKED_CHANNELS):
        end = min(first + PACKED_CHANNELS, channels)
        # The last time the index isn't needed any more, and one array less stays nearer to the processor.
        found = index if end == channels else taken
        pack(planes[first:end], fill, words)
        gather(words, index, found)
        unpack(found, taken_planes[first:end])


def index_or_outside(x: np.int32, y: np.int32, width: np.int32, height: np.int32) -> np.int32:
    """The pixel at column `x` and row `y`, counted row by row; the number of pixels where there is none."""
    inside = (np.uint32(x) < np.uint32(width)) & (np.uint32(y) < np.uint32(height))
    return np.int32(y * width + x) if inside else np.int32(width * height)
