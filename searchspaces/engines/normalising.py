"""From a split's uint8 images to the float32 batch a net is given: picked, augmented and normalised in one go on a CPU.

The same to the bit as picking, `apply` and normalising one after the other, which is what happens where the fused engine can't.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from searchspaces.arrays import Images, PerChannel
from searchspaces.engines import grouped
from searchspaces.engines.checking import check, check_threads
from searchspaces.engines.choosing import FUSED, GROUPED, apply, fused_here
from searchspaces.engines.resizing import resized_side
from searchspaces.errors import BadInput
from searchspaces.plan import Plan


def apply_normalised(
    images: Images,
    index: np.ndarray,
    plan: Plan,
    mean: PerChannel,
    scale: PerChannel,
    channels_last: bool,
    out: Tensor | None = None,
    threads: int = 1,
    ran: set[str] | None = None,
) -> Tensor:
    """(level - mean) * scale of `images[index]`, each image changed first as its row of the plan says.

    Float32 (rows, channels, height, width) on the CPU, height and width those of the plan's resolution, in torch's channels-last
    layout if wished; written into `out`, a tensor of that shape and layout, where one is given. `mean` and `scale` are float32,
    one a channel, in levels. `plan` has a row for each entry of `index`. `images` may be mapped read-only. The names of the
    engines that ran are added to `ran`. Raises BadInput as `apply` does, and for what else is not as said here; IndexError for an
    index that names no image.
    """
    _check_index(index)
    check(images, plan, rows=len(index))
    check_threads(threads)
    if len(index) and not (index.min() >= 0 and index.max() < len(images)):
        raise IndexError(f"index: from {index.min()} to {index.max()}; there are {len(images)} images")
    _check_per_channel(images.shape[1], mean, scale)
    if out is not None:
        sides = (resized_side(side, plan.resolution) for side in images.shape[2:])
        _check_out(out, (len(index), images.shape[1], *sides), channels_last)
    names = ran if ran is not None else set()
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    if plan.resolution != 1 or not fused_here():
        levels = apply(torch.from_numpy(np.array(images[index])), plan, threads, names)
        out = torch.empty_like(levels, dtype=torch.float32, memory_format=memory_format) if out is None else out
        return out.copy_(levels).sub_(_column(mean)).mul_(_column(scale))
    if out is None:
        out = torch.empty((len(index), *images.shape[1:]), dtype=torch.float32, memory_format=memory_format)
    if out.numel():
        names |= _fused(images, np.ascontiguousarray(index, np.int64), plan, (mean, scale), channels_last, out, threads)
    return out


# What the compiled kernels are given has to be right: they look for no ends.
def _check_index(index: Any) -> None:
    if not isinstance(index, np.ndarray) or index.ndim != 1 or index.dtype.kind not in "iu":
        what = f"{index.dtype} of shape {index.shape}" if isinstance(index, np.ndarray) else type(index).__name__
        raise BadInput(f"index: {what}; allowed is a numpy array of whole numbers, one a row")


def _check_per_channel(channels: int, mean: PerChannel, scale: PerChannel) -> None:
    for name, given in (("mean", mean), ("scale", scale)):
        if np.shape(given) != (channels,):
            raise BadInput(f"{name}: of shape {np.shape(given)}; allowed is one number for each of the {channels} channels")


def _check_out(out: Tensor, shape: tuple[int, ...], channels_last: bool) -> None:
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    placed = out.device.type == "cpu" and out.dtype == torch.float32 and tuple(out.shape) == shape
    if not placed or not out.is_contiguous(memory_format=memory_format):
        layout = "channels-last" if channels_last else "contiguous"
        raise BadInput(
            f"out: {out.dtype} of shape {tuple(out.shape)} on {out.device}, strides {out.stride()}; allowed is {layout} "
            f"torch.float32 of shape {shape} on the CPU"
        )


def _fused(
    images: Images,
    index: np.ndarray,
    plan: Plan,
    mean_and_scale: tuple[PerChannel, PerChannel],
    channels_last: bool,
    out: Tensor,
    threads: int,
) -> set[str]:
    """Write `out`; the names of the engines that did."""
    from searchspaces.engines.fused import carrying

    floats = (out.permute(0, 2, 3, 1) if channels_last else out).view(len(out), -1).numpy()
    numbers = carrying.numbers_of(plan)
    alone = (numbers == carrying.MISSING).any(axis=1)
    rows, others = np.flatnonzero(~alone), np.flatnonzero(alone)
    rest = (floats, mean_and_scale, channels_last, threads)
    if not len(others):
        carrying.to_floats(images, index, plan, numbers, rows, *rest)
        return {FUSED}
    carrying.to_floats(images, index[rows], plan.rows(rows), numbers[rows], rows, *rest)
    levels = grouped.apply(torch.from_numpy(images[index[others]]), plan.rows(others)).numpy()
    carrying.to_floats(levels, np.arange(len(others)), plan.rows(others), np.zeros_like(numbers[others]), others, *rest)
    return {GROUPED} | ({FUSED} if len(rows) else set())


def _column(per_channel: PerChannel) -> Tensor:
    return torch.from_numpy(np.array(per_channel)).view(1, -1, 1, 1)
