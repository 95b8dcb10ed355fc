"""Mapping grey levels through a table of 256 entries per image or per channel: what every tone op shares. Declares no op."""

import torch
from torch import Tensor

from searchspaces.arrays import ImageBatch, PerImage

LEVELS = 256


def through_tables(images: ImageBatch, tables: Tensor) -> ImageBatch:
    """Each pixel replaced by its entry; `tables` is uint8, (images, 256) or, with one a channel, (images, channels, 256)."""
    count = len(images)
    per_table = tables.view(count, -1, LEVELS)
    pixels = images.reshape(count, per_table.shape[1], -1)
    return per_table.gather(2, pixels.long()).view(images.shape)


def ramp(per_image: PerImage) -> Tensor:
    """The grey levels 0 to 255 as float32 (1, 256), on the device of `per_image`."""
    return torch.arange(LEVELS, dtype=torch.float32, device=per_image.device).view(1, LEVELS)


def column(per_image: PerImage) -> Tensor:
    """One float32 a row, (images, 1): the precision that torchvision computes in."""
    return per_image.to(torch.float32).view(-1, 1)


def truncated(levels: Tensor) -> Tensor:
    """Real levels clamped to 0..255 and cut to whole ones, as torchvision stores them."""
    return levels.clamp(0, LEVELS - 1).to(torch.uint8)


def rounded(levels: Tensor) -> Tensor:
    """Real levels clamped to 0..255 and rounded to the nearest whole one, half to even."""
    return levels.clamp(0, LEVELS - 1).round().to(torch.uint8)
