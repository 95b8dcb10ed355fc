"""Ops that stretch each channel's levels by what the image holds: autocontrast, equalize. Their amount is 0 or 1: off or on."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from searchspaces.arrays import ImageBatch, PerImageValues
from searchspaces.ops.levels import copy_levels
from searchspaces.ops.numpy_tones import autocontrast_in_numpy, equalize_in_numpy
from searchspaces.ops.op import Op, Parameter, Setting, Span
from searchspaces.ops.tables import LEVELS, ramp, through_tables, truncated


def autocontrast(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """Each channel stretched so that its darkest level becomes 0 and its brightest 255; a channel of one level stays."""
    darkest, brightest = images.amin(dim=(2, 3)).unsqueeze(2), images.amax(dim=(2, 3)).unsqueeze(2)
    scale = ((brightest - darkest).to(torch.float32) * (1.0 / 255)).clamp_(min=1e-3)
    tables = truncated((ramp(values) - darkest) / scale)
    return _unless(darkest == brightest, images, values, tables)


def equalize(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """Each channel's histogram made as even as a map of levels can, by PIL's rule; a channel with too few levels stays."""
    counts = _counts(images)
    # Integers, for torch adds up floats on a GPU in no fixed order and refuses to where that is asked of it; and a GPU divides by
    # multiplying, which is not exact. The last quotient may be one of float64: below 2 ** 53 its floor is the same, and sooner.
    below = counts.cumsum(2) - counts
    brightest = images.amax(dim=(2, 3)).unsqueeze(2).long()
    step = below.gather(2, brightest).div_(255, rounding_mode="floor")
    tables = truncated((below + (step >> 1)).to(torch.float64) / step.clamp(min=1))
    return _unless(step == 0, images, values, tables)


def _counts(images: ImageBatch) -> Tensor:
    """How many pixels have each level, int64 (images, channels, 256)."""
    count, channels = images.shape[:2]
    tables = torch.arange(count * channels, dtype=torch.int32, device=images.device) * LEVELS
    cells = images.reshape(count * channels, -1) + tables.view(-1, 1)
    return torch.bincount(cells.flatten(), minlength=count * channels * LEVELS).view(count, channels, LEVELS)


def _unless(stays: Tensor, images: ImageBatch, values: PerImageValues, tables: Tensor) -> ImageBatch:
    """The images through their tables, (images, channels, 256), but for channels that stay (images, channels, 1) and amount 0."""
    return through_tables(images, torch.where(stays | (values[:, :1, None] == 0), ramp(values).to(torch.uint8), tables))


def autocontrast_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`autocontrast` of one image."""
    channels, height, width = image.shape
    pixels = height * width
    planes, stretched = image.reshape(channels, pixels), out.reshape(channels, pixels)
    for channel in range(channels):
        darkest, brightest = _ends(planes[channel])
        if values[0] == 0 or darkest == brightest:
            copy_levels(planes[channel], stretched[channel])
        else:
            _stretch(planes[channel], darkest, brightest, stretched[channel])


def _ends(levels: Any) -> tuple[np.uint8, np.uint8]:
    """The lowest and the highest level."""
    darkest, brightest = levels[0], levels[0]
    for i in range(len(levels)):
        darkest, brightest = min(darkest, levels[i]), max(brightest, levels[i])
    return darkest, brightest


def _stretch(levels: Any, darkest: np.uint8, brightest: np.uint8, stretched: Any) -> None:
    lowest = np.float32(darkest)
    scale = (np.float32(brightest) - lowest) * np.float32(1.0 / 255)
    for i in range(len(levels)):
        level = np.int32((np.float32(levels[i]) - lowest) / scale)
        stretched[i] = np.uint8(min(level, np.int32(255)))


def equalize_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`equalize` of one image."""
    channels, height, width = image.shape
    pixels = height * width
    planes, evened = image.reshape(channels, pixels), out.reshape(channels, pixels)
    counts, table = scratch[: 4 * LEVELS], scratch[4 * LEVELS : 4 * LEVELS + LEVELS // 4].view(np.uint8)
    for channel in range(channels):
        step = 0
        if values[0] != 0:
            _count(planes[channel], counts)
            step = _write_below(counts, pixels)
        if step == 0:
            copy_levels(planes[channel], evened[channel])
        else:
            _write_table(counts[:LEVELS], np.int32(step), table)
            _through(planes[channel], table, evened[channel])


def _count(levels: Any, counts: Any) -> None:
    """Writes how many pixels have each level to `counts`: four numbers a level, 256 entries apart, to be added."""
    for i in range(len(counts)):
        counts[i] = 0
    # Four counts in turn, because adding to the same number again has to wait for the last time.
    first, second, third, fourth = counts[:256], counts[256:512], counts[512:768], counts[768:1024]
    quarter = len(levels) // 4
    for i in range(quarter):
        first[levels[4 * i]] += 1
        second[levels[4 * i + 1]] += 1
        third[levels[4 * i + 2]] += 1
        fourth[levels[4 * i + 3]] += 1
    for i in range(4 * quarter, len(levels)):
        first[levels[i]] += 1


def _write_below(counts: Any, pixels: int) -> Any:
    """Adds up the counts and writes to the first 256 how many pixels are darker; returns the step, 0 where the channel stays."""
    first, second, third, fourth = counts[:256], counts[256:512], counts[512:768], counts[768:1024]
    for level in range(256):
        first[level] += second[level] + third[level] + fourth[level]
    brightest = 255
    while first[brightest] == 0:
        brightest -= 1
    step = (pixels - first[brightest]) // 255
    below = 0
    for level in range(256):
        count = first[level]
        first[level] = np.int32(below)
        below += count
    return step


def _write_table(below: Any, step: np.int32, table: Any) -> None:
    """Whole quotients through float32, put right where its rounding shows: from 2 ** 24 pixels on."""
    half = np.int32(step // 2)
    for level in range(256):
        number = np.int32(below[level] + half)
        quotient = np.int32(np.float32(number) / np.float32(step))
        quotient += np.int32(np.int32(quotient + 1) * step <= number) - np.int32(quotient * step > number)
        table[level] = np.uint8(min(np.int32(quotient), np.int32(255)))


def _through(levels: Any, table: Any, mapped: Any) -> None:
    for i in range(len(levels)):
        mapped[i] = table[levels[i]]


def autocontrast_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """Torchvision's autocontrast."""
    from torchvision.transforms.v2 import functional

    return functional.autocontrast(image) if values[0] else image


def equalize_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """Torchvision's equalize."""
    from torchvision.transforms.v2 import functional

    return functional.equalize(image) if values[0] else image


_AMOUNT = Parameter("amount", "0 or 1", identity=0.0, low=0.0, high=1.0, whole=True)
_SPAN = Span(1.0, 1.0, "it has no strength")
_SOURCE = "torchvision 0.29 transforms/v2/functional/_color.py"

OPS = (
    Op(
        name="autocontrast",
        elsewhere={
            "papers": "AutoContrast",
            "timm": "`AutoContrast`",
            "Albumentations": "`AutoContrast`, another op: up to 13 levels off",
        },
        meaning=(
            "with amount 1 and the channel's lowest and highest level a < b: cut((v - a) / ((b - a) / "
            "255)); a channel of one level stays"
        ),
        parameters=(_AMOUNT,),
        kind="tone",
        kernel=autocontrast,
        in_numpy=autocontrast_in_numpy,
        fused=autocontrast_fused,
        source=f"{_SOURCE}, autocontrast",
        reference=autocontrast_reference,
        spans={"standard": _SPAN, "wide": _SPAN, "uniform": _SPAN},
    ),
    Op(
        name="equalize",
        elsewhere={
            "papers": "Equalize",
            "timm": "`Equalize`",
            "Albumentations": "`Equalize`, up to 64 levels off (its `pil` mode: 5)",
        },
        meaning=(
            "with amount 1: n(v) pixels of the channel are below v, b is its highest level, s = "
            "floor(n(b) / 255); cut((n(v) + floor(s / 2)) / s); if s is 0 the channel stays"
        ),
        parameters=(_AMOUNT,),
        kind="tone",
        kernel=equalize,
        in_numpy=equalize_in_numpy,
        fused=equalize_fused,
        source=f"{_SOURCE}, equalize",
        reference=equalize_reference,
        spans={"standard": _SPAN, "wide": _SPAN, "uniform": _SPAN},
    ),
)
