"""Up to three channels of an image in one word a pixel, for fused kernels: a pixel is then moved in one go. Declares no op.

The words of an image are followed by one word of fill, so that a place outside is just another index: the number of pixels.
"""

from typing import Any

import numpy as np

PACKED_CHANNELS = 3


def pack(planes: Any, fill: int, words: Any) -> None:
    """Writes uint8 `planes` (1 to 3 channels, pixels) to int32 `words` (pixels + 1), the first channel in the lowest byte."""
    channels, pixels = planes.shape
    if channels == 3:
        red, green, blue = planes[0], planes[1], planes[2]
        for i in range(pixels):
            words[i] = np.int32(red[i]) | (np.int32(green[i]) << np.int32(8)) | (np.int32(blue[i]) << np.int32(16))
    elif channels == 2:
        red, green = planes[0], planes[1]
        for i in range(pixels):
            words[i] = np.int32(red[i]) | (np.int32(green[i]) << np.int32(8))
    else:
        grey = planes[0]
        for i in range(pixels):
            words[i] = np.int32(grey[i])
    words[pixels] = np.int32(fill * 0x010101)


def unpack(words: Any, planes: Any) -> None:
    """Writes int32 `words` (pixels) to uint8 `planes` (1 to 3 channels, pixels): the way back."""
    channels, pixels = planes.shape
    if channels == 3:
        red, green, blue = planes[0], planes[1], planes[2]
        for i in range(pixels):
            red[i] = np.uint8(words[i])
            green[i] = np.uint8(words[i] >> np.int32(8))
            blue[i] = np.uint8(words[i] >> np.int32(16))
    elif channels == 2:
        red, green = planes[0], planes[1]
        for i in range(pixels):
            red[i] = np.uint8(words[i])
            green[i] = np.uint8(words[i] >> np.int32(8))
    else:
        grey = planes[0]
        for i in range(pixels):
            grey[i] = np.uint8(words[i])


def gather(words: Any, index: Any, taken: Any) -> None:
    """Writes the words at int32 `index` (all of them 0 or above) to `taken`, which may be `index` itself."""
    for i in range(len(index)):
        # An unsigned index needs no test for being counted from the end.
        taken[i] = words[np.uint32(index[i])]
