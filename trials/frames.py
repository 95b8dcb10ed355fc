"""Random resized crops out of images of their own sizes: the first step of an augmentation whose images are kept whole.

The plan's windows are fractions of each image, so they hold for any size. Levels are those of torchvision's RandomResizedCrop of
the same window: cut out, then resized bilinearly with antialiasing where it shrinks, or to the nearest pixel where the base says
so. What a policy does before its crop is done to each whole image. Draws nothing; works on the CPU, whatever the net's device.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from searchspaces.engines import apply
from searchspaces.ops.resized_crop import window
from searchspaces.plan import NO_OP, Plan
from trials.data.whole import WholeImages

if TYPE_CHECKING:
    from searchspaces.arrays import ImageBatch

_WHOLE = (1.0, 1.0, 0.0, 0.0)


def framed(
    images: WholeImages, index: np.ndarray, plan: Plan, sides: tuple[int, int], ran: set[str], threads: int = 1
) -> ImageBatch:
    """The images at `index`, each cut and resized to `sides` (height, width) as its row of `plan` says up to its `whole_step`.

    uint8 on the CPU. `plan.after_whole()` is what is left to do. The names of the engines that ran are added to `ran`.
    """
    step = plan.whole_step
    assert step is not None
    before, out = plan.before_whole(), torch.empty((len(index), images.form["channels"], *sides), dtype=torch.uint8)
    # In the order of the op's parameters: width, height, x, y.
    windows = np.where((plan.codes[:, step] == NO_OP)[:, np.newaxis], _WHOLE, plan.values[:, step, :4])

    def take(place: int) -> None:
        levels = torch.from_numpy(np.array(images.image(int(index[place])))).permute(2, 0, 1)[None]
        if (before.codes[place] != NO_OP).any():
            levels = apply(levels.contiguous(), before.rows(slice(place, place + 1)), ran=ran)
        out[place] = cut(levels, windows[place], sides, plan.interpolation)[0]

    if threads == 1:
        for place in range(len(index)):
            take(place)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(take, range(len(index))))
    return out


def cut(image: ImageBatch, fractions: np.ndarray, sides: tuple[int, int], interpolation: str) -> Tensor:
    """The window (width, height, x, y), in fractions of one image (1, channels, height, width), resized to `sides`."""
    height, width = image.shape[2:]
    left, columns = window(float(fractions[2]), float(fractions[0]), width)
    top, rows = window(float(fractions[3]), float(fractions[1]), height)
    inside = image[:, :, top : top + rows, left : left + columns]
    if (rows, columns) == sides:
        return inside
    if interpolation == "nearest":
        return functional.interpolate(inside, sides, mode="nearest-exact")
    return functional.interpolate(inside, sides, mode="bilinear", antialias=True)
