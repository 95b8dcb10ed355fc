"""What is done to each image of a batch, in the part of Python that numba compiles: its chain of ops, then where it goes.

Collected with the ops' kernels, never called as it is. It holds no randomness, and checks nothing: `carrying` has done so.
"""

from typing import Any

import numpy as np

from searchspaces.ops.levels import copy_levels

LEVELS, PLANES, PIXELS = 0, 1, 2
"""Where an image goes: to `out` as it is, to `floats` normalised channel by channel, or normalised pixel by pixel."""
SCRATCH_ENTRIES = 4096
"""At least so many, however small the image."""


def dispatch(number: int, image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """Run the kernel of this number; the generated module has its own, written from the table."""


def borrowed(array: Any) -> Any:
    """The array as one that nobody counts the users of; the generated module has its own.

    The caller of `run` holds all arrays while it runs. Counting, at every slice and every call of a kernel, took a quarter of the
    time of small images.
    """


def run(
    images: Any,
    index: Any,
    places: Any,
    numbers: Any,
    values: Any,
    seeds: Any,
    fill: int,
    bilinear: bool,
    layout: int,
    out: Any,
    floats: Any,
    means: Any,
    scales: Any,
    buffers: Any,
    scratch: Any,
    first: int,
    last: int,
) -> None:
    """Rows `first` to `last` (not included) of a plan: image `index[row]` through the ops of `numbers[row]`, to `places[row]`.

    `images` and `out` are uint8 (images, channels, height, width), `floats` float32 (images, numbers of an image); number 0 is no
    op. An image in the making lives in two `buffers` in turn, small enough for the cache; the last op writes straight to `out`.
    """
    images, values, out, floats = borrowed(images), borrowed(values), borrowed(out), borrowed(floats)
    buffers, scratch = borrowed(buffers), borrowed(scratch)
    ping, pong = buffers[0], buffers[1]
    for row in range(first, last):
        current = images[index[row]]
        left = 0
        for step in range(numbers.shape[1]):
            left += numbers[row, step] != 0
        if left == 0 and layout == LEVELS:
            copy_levels(current, out[places[row]])
        for step in range(numbers.shape[1]):
            if numbers[row, step] == 0:
                continue
            left -= 1
            target = pong if left % 2 else ping
            if left == 0 and layout == LEVELS:
                target = out[places[row]]
            dispatch(numbers[row, step], current, target, values[row, step], fill, bilinear, seeds[row, step], scratch)
            current = target
        if layout == PLANES:
            write_planes(current, floats[places[row]], means, scales)
        elif layout == PIXELS:
            write_pixels(current, floats[places[row]], means, scales)


def write_planes(image: Any, floats: Any, means: Any, scales: Any) -> None:
    """(level - mean) * scale in float32, in the order of the image."""
    size = image.shape[1] * image.shape[2]
    levels = image.reshape(-1)
    for channel in range(image.shape[0]):
        write_plane(levels[channel * size :], floats[channel * size :], size, means[channel], scales[channel])


def write_plane(levels: Any, floats: Any, size: int, mean: float, scale: float) -> None:
    """One channel."""
    source, target = levels[:size], floats[:size]
    for place in range(size):
        target[place] = (np.float32(source[place]) - mean) * scale


def write_pixels(image: Any, floats: Any, means: Any, scales: Any) -> None:
    """(level - mean) * scale in float32, the channels of a pixel side by side."""
    channels = image.shape[0]
    size = image.shape[1] * image.shape[2]
    levels = image.reshape(-1)
    if channels == 3:
        write_colours(levels[:size], levels[size : 2 * size], levels[2 * size :], floats, means, scales)
        return
    for channel in range(channels):
        source = levels[channel * size : (channel + 1) * size]
        mean, scale = means[channel], scales[channel]
        for place in range(size):
            floats[place * channels + channel] = (np.float32(source[place]) - mean) * scale


def write_colours(red: Any, green: Any, blue: Any, floats: Any, means: Any, scales: Any) -> None:
    """The usual three channels in one pass."""
    mean_red, mean_green, mean_blue = means[0], means[1], means[2]
    scale_red, scale_green, scale_blue = scales[0], scales[1], scales[2]
    for place in range(red.size):
        floats[3 * place] = (np.float32(red[place]) - mean_red) * scale_red
        floats[3 * place + 1] = (np.float32(green[place]) - mean_green) * scale_green
        floats[3 * place + 2] = (np.float32(blue[place]) - mean_blue) * scale_blue
