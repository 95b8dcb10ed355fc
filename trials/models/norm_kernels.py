"""Batch norm and ReLU in one, of bfloat16 images whose channels lie together, in the part of Python that numba compiles.

Collected and compiled by `compiled`, never called as it is. It checks nothing: `norm_relu` has done so. Levels are bfloat16 given
as their 16 bits; sums are float32 over at most 64 values, then float64. Everything else is float32, rounded once to
bfloat16 at its end (to even; a NaN stays one): the arithmetic of torch's own kernels, whose order of summing is another.

Loops are over tiles that fit the first cache, and write to so few arrays that the compiler can look whether any two of them
overlap: only such loops become vector instructions.
"""

from typing import Any

import numpy as np

from searchspaces.ops.compiled import compiled

TILE = 2048
"""Numbers that are worked on at once, or one pixel's channels if they are more."""
TILES_A_SUM = 64
"""Tiles that are summed in float32, place by place, before their sums go to float64."""


def as_number(bits: Any) -> Any:
    """The float32 number of these 32 bits; the compiled module has its own."""


def as_bits(number: Any) -> Any:
    """The 32 bits of this float32 number; the compiled module has its own."""


def train(bits: Any, weight: Any, bias: Any, epsilon: float, out: Any, mean: Any, variance: Any, inverse: Any) -> None:
    """Normalise by the batch's own statistics, which are written, and clip below 0.

    `bits` and `out` are all pixels one after the other, with as many channels each as `weight` has; `inverse` is 1 / deviation.
    """
    moments(bits, mean, variance)
    for channel in range(mean.size):
        inverse[channel] = 1.0 / np.sqrt(np.float64(variance[channel]) + epsilon)
    normalise(bits, weight, bias, mean, inverse, out)


def moments(bits: Any, mean: Any, variance: Any) -> None:
    """Mean and (biased) variance of each channel, about the first pixel: no digits are lost where the mean is large."""
    channels, pixels = mean.size, bits.size // mean.size
    tile, centre = tile_of(channels), np.empty(channels, np.float32)
    for channel in range(channels):
        centre[channel] = wide(bits[channel])
    centres, sums, squares = tiled(centre, tile), np.zeros(tile, np.float32), np.zeros(tile, np.float32)
    sum_of, square_of = np.zeros(channels, np.float64), np.zeros(channels, np.float64)
    for start in range(0, bits.size, tile):
        add_moments(bits[start : start + tile], centres, sums, squares)
        if (start // tile + 1) % TILES_A_SUM == 0 or start + tile >= bits.size:
            collapse(sums, sum_of)
            collapse(squares, square_of)
    for channel in range(channels):
        beside = sum_of[channel] / pixels
        mean[channel] = centre[channel] + beside
        spread = square_of[channel] / pixels - beside * beside
        variance[channel] = 0.0 if spread < 0.0 else spread  # a NaN stays one


def normalise(bits: Any, weight: Any, bias: Any, mean: Any, inverse: Any, out: Any) -> None:
    """max(0, (x - mean) * inverse * weight + bias), with given statistics."""
    channels, tile = mean.size, tile_of(mean.size)
    times, plus = np.empty(channels, np.float32), np.empty(channels, np.float32)
    for channel in range(channels):
        times[channel] = inverse[channel] * weight[channel]
        plus[channel] = bias[channel] - mean[channel] * times[channel]
    all_times, all_plus = tiled(times, tile), tiled(plus, tile)
    for start in range(0, bits.size, tile):
        write_clipped(bits[start : start + tile], all_times, all_plus, out[start : start + tile])


def backward(
    bits: Any, above: Any, clipped: Any, weight: Any, mean: Any, inverse: Any, below: Any, of_weight: Any, of_bias: Any
) -> None:
    """The gradients of `train`: `above` is that of its output `clipped`; written are `below`, of `bits`, and the weights'."""
    channels, pixels, tile = mean.size, bits.size // mean.size, tile_of(mean.size)
    gradient_sums(bits, above, clipped, mean, of_weight, of_bias)
    times, plus, share = np.empty(channels, np.float32), np.empty(channels, np.float32), np.empty(channels, np.float32)
    for channel in range(channels):
        slope = np.float64(weight[channel]) * inverse[channel]
        falling = -slope * inverse[channel] * inverse[channel] * of_weight[channel] / pixels
        times[channel], share[channel] = slope, falling
        plus[channel] = -slope * of_bias[channel] / pixels - mean[channel] * falling
        of_weight[channel] *= inverse[channel]
    all_times, all_plus, all_share = tiled(times, tile), tiled(plus, tile), tiled(share, tile)
    for start in range(0, bits.size, tile):
        end = start + tile
        write_gradient(bits[start:end], above[start:end], clipped[start:end], all_times, all_plus, all_share, below[start:end])


def gradient_sums(bits: Any, above: Any, clipped: Any, mean: Any, products: Any, sums: Any) -> None:
    """Of each channel the sum of the gradients that ReLU lets through, and of their products with x - mean."""
    channels, tile = mean.size, tile_of(mean.size)
    some, some_products = np.zeros(tile, np.float32), np.zeros(tile, np.float32)
    all_of, products_of = np.zeros(channels, np.float64), np.zeros(channels, np.float64)
    for start in range(0, bits.size, tile):
        end = start + tile
        add_products(bits[start:end], above[start:end], clipped[start:end], some, some_products)
        if (start // tile + 1) % TILES_A_SUM == 0 or end >= bits.size:
            collapse(some, all_of)
            collapse(some_products, products_of)
    for channel in range(channels):
        sums[channel] = all_of[channel]
        products[channel] = products_of[channel] - mean[channel] * all_of[channel]


@compiled(contract=True)
def add_moments(bits: Any, centres: Any, sums: Any, squares: Any) -> None:
    """Add the numbers less `centres`, and their squares, place by place."""
    for place in range(bits.size):
        beside = wide(bits[place]) - centres[place]
        sums[place] += beside
        squares[place] += beside * beside


@compiled(contract=True)
def add_products(bits: Any, above: Any, clipped: Any, sums: Any, products: Any) -> None:
    """Add the gradients where `clipped` is not 0, and their products with the numbers, place by place."""
    for place in range(bits.size):
        gradient = wide(above[place] if clipped[place] > 0 else np.uint16(0))
        sums[place] += gradient
        products[place] += gradient * wide(bits[place])


def write_clipped(bits: Any, times: Any, plus: Any, out: Any) -> None:
    """Multiply, add and clip below 0, place by place."""
    for place in range(bits.size):
        number = wide(bits[place]) * times[place] + plus[place]
        out[place] = np.uint16(0) if number <= np.float32(0.0) else narrow(as_bits(number))  # a NaN is not clipped


@compiled(contract=True)
def write_gradient(bits: Any, above: Any, clipped: Any, times: Any, plus: Any, share: Any, below: Any) -> None:
    """The gradient of what was normalised, place by place."""
    for place in range(bits.size):
        gradient = wide(above[place] if clipped[place] > 0 else np.uint16(0))
        below[place] = narrow(as_bits(gradient * times[place] + (wide(bits[place]) * share[place] + plus[place])))


def wide(bits: Any) -> Any:
    """The float32 number of bfloat16's 16 bits."""
    return as_number(np.uint32(bits) << np.uint32(16))


def narrow(number: Any) -> Any:
    """The 16 bits of the nearest bfloat16 number (of two the even one) from the 32 of a float32.

    The NaNs that arithmetic makes, and those that were bfloat16 before, stay NaNs: their last bits are 0.
    """
    return np.uint16((number + np.uint32(0x7FFF) + ((number >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16))


def tile_of(channels: int) -> int:
    """How many numbers are worked on at once: those of whole pixels."""
    return channels * max(1, TILE // channels)


def collapse(sums: Any, of_channels: Any) -> None:
    """Add a tile's sums to those of its channels, and begin the tile's anew."""
    channels = of_channels.size
    for start in range(0, sums.size, channels):
        for channel in range(channels):
            of_channels[channel] += sums[start + channel]
    for place in range(sums.size):
        sums[place] = 0


def tiled(of_channels: Any, size: int) -> Any:
    """One number a channel, again and again, as far as a tile goes."""
    numbers = np.empty(size, np.float32)
    for place in range(size):
        numbers[place] = of_channels[place % of_channels.size]
    return numbers
