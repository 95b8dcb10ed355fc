"""The engine in plain torch: for each step, the images that meet the same op are gathered and go through its kernel together.

Works on any device. Refuses anything but a batch of uint8 images with one row of the plan each. Draws nothing.
"""

from dataclasses import replace

import numpy as np
import torch

from searchspaces.arrays import ImageBatch
from searchspaces.engines.checking import check
from searchspaces.engines.resizing import resized
from searchspaces.ops import find_op
from searchspaces.plan import NO_OP, Plan

ENGINE_NAME = "torch-grouped"
GROUP_BYTES = 2**18
"""On a CPU, images go through a kernel so many bytes at a time: its working arrays, up to 50 times larger, then fit the cache."""


def apply(images: ImageBatch, plan: Plan) -> ImageBatch:
    """New images (images, channels, height, width), each changed as its row of the plan says; the given ones stay as they are.

    They are as large as the given ones, but for a plan whose resolution is not 1.

    Raises BadInput for what `refusals` says can't be applied, before any kernel runs.
    """
    check(images, plan)
    ops = tuple(find_op(name) for name in plan.code_book)
    done = images.clone(memory_format=torch.contiguous_format)
    # A copy, because torch can't take reversed rows and warns of read-only ones.
    values = torch.from_numpy(plan.values.copy()).to(images.device)
    seeds = None if plan.seeds is None else torch.from_numpy(plan.seeds.copy()).to(images.device)
    group_images = max(1, GROUP_BYTES // max(1, images[:1].numel())) if images.device.type == "cpu" else len(images)
    for step, codes in enumerate(plan.codes.T):
        for code in np.unique(codes[codes != NO_OP]):
            op = ops[code]
            members = torch.from_numpy(np.flatnonzero(codes == code)).to(images.device)
            for start in range(0, len(members), group_images):
                rows = members[start : start + group_images]
                given = values[rows, step, : len(op.parameters)]
                setting = plan.setting if seeds is None else replace(plan.setting, seeds=seeds[rows, step])
                done.index_copy_(0, rows, op.kernel(done.index_select(0, rows), given, setting))
    return resized(done, plan.resolution)
