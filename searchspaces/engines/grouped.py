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
from searchspaces.sending import sent

ENGINE_NAME = "torch-grouped"
GROUP_BYTES = 2**18
"""On a CPU, images go through a kernel so many bytes at a time: its working arrays, up to 50 times larger, then fit the cache."""


def apply(images: ImageBatch, plan: Plan) -> ImageBatch:
    """New images (images, channels, height, width), each changed as its row of the plan says; the given ones stay as they are.

    They are as large as the given ones, but for a plan whose resolution is not 1.

    Raises BadInput for what `refusals` says can't be applied, before any kernel runs.
    """
    check(images, plan)
    done = images.clone(memory_format=torch.contiguous_format)
    return resized((in_groups if images.device.type == "cpu" else rearranged)(done, plan), plan.resolution)


def in_groups(done: ImageBatch, plan: Plan) -> ImageBatch:
    """The way on a CPU: each group is taken out, some images at a time, and put back; `done` is written over."""
    ops = tuple(find_op(name) for name in plan.code_book)
    # A copy, because torch can't take reversed rows and warns of read-only ones.
    values = torch.from_numpy(plan.values.copy())
    seeds = None if plan.seeds is None else torch.from_numpy(plan.seeds.copy())
    group_images = max(1, GROUP_BYTES // max(1, done[:1].numel()))
    for step, codes in enumerate(plan.codes.T):
        for code in np.unique(codes[codes != NO_OP]):
            op = ops[code]
            members = torch.from_numpy(np.flatnonzero(codes == code))
            for start in range(0, len(members), group_images):
                rows = members[start : start + group_images]
                given = values[rows, step, : len(op.parameters)]
                setting = plan.setting if seeds is None else replace(plan.setting, seeds=seeds[rows, step])
                done.index_copy_(0, rows, op.kernel(done.index_select(0, rows), given, setting))
    return done


def rearranged(done: ImageBatch, plan: Plan) -> ImageBatch:
    """The way elsewhere: at each step images are sorted by op, so that groups lie side by side, and brought back; as a whole.

    What the kernels need is sent at once, before the first runs. Nothing is written by index: a GPU that is to do so in the same
    order each time sorts the index first, for every group.
    """
    ops = tuple(find_op(name) for name in plan.code_book)
    order = np.argsort(plan.codes, axis=0, kind="stable")
    values = sent(np.take_along_axis(plan.values, order[:, :, np.newaxis], axis=0), done.device)
    seeds = None if plan.seeds is None else sent(np.take_along_axis(plan.seeds, order, axis=0), done.device)
    there, back = (sent(np.ascontiguousarray(places.T), done.device) for places in (order, np.argsort(order, axis=0)))
    for step, codes in enumerate(plan.codes.T):
        present, sizes = np.unique(codes, return_counts=True)
        if present.max(initial=NO_OP) == NO_OP:
            continue
        groups, start = list(torch.split(done.index_select(0, there[step]), sizes.tolist())), 0
        for place, (code, size) in enumerate(zip(present.tolist(), sizes.tolist(), strict=True)):
            rows, op = slice(start, start + size), ops[code]
            setting = plan.setting if seeds is None else replace(plan.setting, seeds=seeds[rows, step])
            if code != NO_OP:
                groups[place] = op.kernel(groups[place], values[rows, step, : len(op.parameters)], setting)
            start += size
        done = torch.cat(groups).index_select(0, back[step])
    return done
