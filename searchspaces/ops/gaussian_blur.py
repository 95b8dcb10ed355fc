"""Smoothing an image by a normal curve: gaussian_blur. Past its edges the image goes on as in a mirror on the last pixel.

Sums are float32 in one order of adding, so the engines agree to the bit; torchvision's convolution adds in another one, and
may be a level off where a sum lies half-way.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from searchspaces.arrays import ImageBatch, PerImage, PerImageValues
from searchspaces.ops.op import Op, Parameter, Setting, Tolerance
from searchspaces.ops.tables import rounded

_REACH = 3.0
"""How many sigma the curve is followed; beyond lie 0.3 % of it."""


def gaussian_blur(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """Each pixel the mean of those around it, weighted by a normal curve of `sigma` pixels cut off past ceil(3 sigma) pixels."""
    radius = int((_REACH * values[:, 0]).ceil().max()) if len(values) else 0
    if radius == 0:
        return images.clone()
    shares = _shares(values[:, 0], radius)
    across = _blurred(images.to(torch.float32), shares, 3)
    return rounded(_blurred(across, shares, 2))


def _shares(sigmas: PerImage, radius: int) -> Tensor:
    """The weight of a pixel so many places off, float32 (images, radius + 1); 1, then 0 where sigma is 0."""
    places = torch.arange(radius + 1, dtype=torch.float64, device=sigmas.device)
    wide = sigmas.clamp(min=1e-6).view(-1, 1)
    curve = torch.exp(-(places * places) / (2.0 * wide * wide)) * (places <= (_REACH * wide).ceil())
    return (curve / (2.0 * curve[:, 1:].sum(1, keepdim=True) + 1.0)).to(torch.float32)


def _blurred(levels: Tensor, shares: Tensor, axis: int) -> Tensor:
    """Float32 images smoothed along one axis: the middle first, then pairs of pixels, the nearest first."""
    side, radius = levels.shape[axis], shares.shape[1] - 1
    around = torch.arange(-radius, side + radius, device=levels.device).remainder(max(2 * side - 2, 1))
    mirrored = levels.index_select(axis, torch.minimum(around, (2 * side - 2 - around).abs()))
    columns = shares.view(*shares.shape, 1, 1, 1).unbind(1)
    total = levels * columns[0]
    for off in range(1, radius + 1):
        pair = mirrored.narrow(axis, radius - off, side) + mirrored.narrow(axis, radius + off, side)
        total.add_(pair.mul_(columns[off]))
    return total


def gaussian_blur_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`gaussian_blur` of one image.

    The scratch holds the shares, one mirrored row, a channel smoothed along its rows, and the sums of one row. Rows are told by
    where they begin: a slice costs as much as the work on a short row.
    """
    channels, height, width = image.shape
    radius = int(np.ceil(_REACH * values[0]))
    floats = scratch.view(np.float32)
    shares = floats[: radius + 1]
    fill_shares(shares, values[0])
    padded = radius + 1
    plane = padded + width + 2 * radius
    total = plane + height * width
    for channel in range(channels):
        for row in range(height):
            mirror_row(image, channel, row, radius, floats, padded)
            into = plane + row * width
            weigh(floats, padded + radius, shares[0], into, width)
            for off in range(1, radius + 1):
                add_pair(floats, padded + radius - off, padded + radius + off, shares[off], into, width)
        for row in range(height):
            weigh(floats, plane + row * width, shares[0], total, width)
            for off in range(1, radius + 1):
                above, below = plane + mirrored(row - off, height) * width, plane + mirrored(row + off, height) * width
                add_pair(floats, above, below, shares[off], total, width)
            round_row(floats, total, out[channel, row])


def fill_shares(shares: Any, sigma: float) -> None:
    """The weight of a pixel so many places off."""
    wide = max(sigma, 1e-6)
    total = 0.0
    for off in range(1, len(shares)):
        total += math.exp(-(float(off) * float(off)) / (2.0 * wide * wide))
    for off in range(len(shares)):
        shares[off] = np.float32(math.exp(-(float(off) * float(off)) / (2.0 * wide * wide)) / (2.0 * total + 1.0))


def mirrored(place: int, side: int) -> int:
    """The place within the side that a place past its ends is the mirror image of."""
    if 0 <= place < side:
        return place
    place = place % max(2 * side - 2, 1)
    return min(place, abs(2 * side - 2 - place))


def mirror_row(image: Any, channel: int, row: int, radius: int, floats: Any, at: int) -> None:
    """A row as float32 from `at` on, with so many mirrored pixels before and after it."""
    side = image.shape[2]
    for column in range(side):
        floats[np.uint64(at + radius) + np.uint64(column)] = np.float32(image[channel, row, column])
    for off in range(radius):
        floats[at + off] = np.float32(image[channel, row, mirrored(off - radius, side)])
        floats[at + radius + side + off] = np.float32(image[channel, row, mirrored(side + off, side)])


def weigh(floats: Any, row: int, share: float, into: int, count: int) -> None:
    """So many numbers from `row` on, times their share. Places are unsigned, because signed ones may count from the end."""
    for place in range(np.uint64(count)):
        floats[np.uint64(into) + place] = floats[np.uint64(row) + place] * share


def add_pair(floats: Any, one: int, other: int, share: float, into: int, count: int) -> None:
    """The sums of two rows, times their share, added."""
    for place in range(np.uint64(count)):
        floats[np.uint64(into) + place] += (floats[np.uint64(one) + place] + floats[np.uint64(other) + place]) * share


def round_row(floats: Any, row: int, out: Any) -> None:
    """Float32 levels as whole ones, half to even."""
    for column in range(len(out)):
        out[column] = np.uint8(min(np.rint(floats[np.uint64(row) + np.uint64(column)]), np.float32(255.0)))


def gaussian_blur_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`gaussian_blur` of one image in plain numpy."""
    radius, wide = int(np.ceil(3.0 * values[0])), max(values[0], 1e-6)
    places = np.arange(radius + 1, dtype=np.float64)
    curve = np.exp(-(places * places) / (2.0 * wide * wide))
    shares = (curve / (2.0 * curve[1:].sum() + 1.0)).astype(np.float32)
    total = image.astype(np.float32)
    for axis in (2, 1):
        side = image.shape[axis]
        around = np.arange(-radius, side + radius) % max(2 * side - 2, 1)
        around = total.take(np.minimum(around, np.abs(2 * side - 2 - around)), axis)
        total = total * shares[0]
        for off in range(1, radius + 1):
            left, right = (np.arange(side) + radius + step for step in (-off, off))
            total += (around.take(left, axis) + around.take(right, axis)) * shares[off]
    return np.clip(total, 0, 255).round().astype(np.uint8)


def gaussian_blur_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """Torchvision's gaussian_blur of an image made larger by numpy's "reflect": its own can't reach past the other edge."""
    from torchvision.transforms.v2 import functional

    radius = math.ceil(3 * values[0])
    if radius == 0:
        return image
    larger = np.pad(image.numpy(), ((0, 0), (radius, radius), (radius, radius)), mode="reflect")
    size = 2 * radius + 1
    # In float32 the square of a sigma far below a pixel is 0, and theirs not a number.
    sigma = max(values[0], 1e-6)
    blurred = functional.gaussian_blur(torch.from_numpy(larger), [size, size], [sigma, sigma])
    return blurred[:, radius : radius + image.shape[1], radius : radius + image.shape[2]]


OPS = (
    Op(
        name="gaussian_blur",
        elsewhere={
            "torchvision": "`GaussianBlur`, with a window size of its own",
            "timm": "`GaussianBlur`",
            "Albumentations": "`GaussianBlur`",
        },
        meaning=(
            "round of the weighted mean of the pixels up to ceil(3 sigma) rows and columns away, the weight of a pixel i columns "
            "and j rows away in proportion to exp(-(i i + j j) / (2 sigma sigma)); past an edge the image is mirrored about its "
            "last pixel, again and again where it is small"
        ),
        parameters=(Parameter("sigma", "pixels", identity=0.0, low=0.0, high=10.0),),
        kind="texture",
        kernel=gaussian_blur,
        fused=gaussian_blur_fused,
        in_numpy=gaussian_blur_in_numpy,
        source="torchvision 0.29 transforms/v2/functional, gaussian_blur",
        reference=gaussian_blur_reference,
        tolerance=Tolerance(levels=1, share=0.05),
    ),
)
