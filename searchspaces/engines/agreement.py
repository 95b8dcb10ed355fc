"""Whether the engines give the same pixels on this machine: every op at values over its limits, on a fixed image of all levels.

What `policysearch doctor` shows. The tests do the same on more images; this asks the user's own CPU and GPU.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from searchspaces.arrays import ImageBatch
from searchspaces.engines import grouped
from searchspaces.engines.choosing import apply
from searchspaces.ops import op_table
from searchspaces.ops.op import Op, Tolerance
from searchspaces.plan import Plan

SHAPE = (3, 32, 44)
ROWS = 9
ON_GPU = {"geometry": Tolerance(255, 0.001)}
"""A GPU's last bit of a coordinate may choose the pixel beside it, on one in a thousand."""
ONE_LEVEL = Tolerance(1, 1.0)


@dataclass(frozen=True)
class Agreement:
    """How many ops were compared, how many of them were equal to the bit, and which were further apart than allowed."""

    ops: int
    equal: int
    apart: tuple[str, ...]

    def __str__(self) -> str:
        if self.apart:
            return f"NOT the same pixels: {'; '.join(self.apart)}"
        if self.equal == self.ops:
            return f"the same pixels, all {self.ops} ops"
        return f"the same pixels in {self.equal} of {self.ops} ops, in the others within what is allowed"


def fused_with_grouped() -> Agreement:
    """The compiled kernels against torch's, on the CPU: as near as each op says of itself, or within one level."""
    ops = [op for op in op_table() if op.runs == "fused"]
    return _agreement(ops, apply, grouped.apply, lambda op: max(op.tolerance, ONE_LEVEL, key=lambda allowed: allowed.levels))


def gpu_with_cpu() -> Agreement:
    """The GPU's kernels against the CPU's: at most one level, of geometry at most 0.1 % of the pixels."""

    def on_gpu(images: ImageBatch, plan: Plan) -> ImageBatch:
        return grouped.apply(images.cuda(), plan).cpu()

    ops = [op for op in op_table() if op.runs != "per image"]
    return _agreement(ops, on_gpu, grouped.apply, lambda op: ON_GPU.get(op.kind, ONE_LEVEL))


def _agreement(
    ops: list[Op],
    first: Callable[[ImageBatch, Plan], ImageBatch],
    second: Callable[[ImageBatch, Plan], ImageBatch],
    allowed: Callable[[Op], Tolerance],
) -> Agreement:
    equal, apart = 0, list[str]()
    for op in ops:
        found = [_apart(first(images, plan), second(images, plan)) for images, plan in _cases(op)]
        levels, share = max(level for level, _ in found), max(share for _, share in found)
        equal += levels == 0
        if levels > allowed(op).levels or share > allowed(op).share:
            apart.append(f"{op.name} (up to {levels} levels, {share:.2%} of the pixels)")
    return Agreement(len(ops), equal, tuple(apart))


def _apart(found: ImageBatch, wanted: ImageBatch) -> tuple[int, float]:
    difference = (found.int() - wanted.int()).abs()
    return int(difference.max()), float((difference > 0).double().mean())


def _cases(op: Op) -> Iterator[tuple[ImageBatch, Plan]]:
    """Batches of the same image, each with a plan of one op at values from one end of its limits to the other."""
    channels = SHAPE[0] if op.accepts(SHAPE[0]) else min(op.channels or {1})
    image = np.random.default_rng(0).integers(0, 256, (channels, *SHAPE[1:]), dtype=np.uint8)
    columns = [np.linspace(parameter.low, parameter.high, ROWS) for parameter in op.parameters]
    values = np.stack([np.rint(c) if p.whole else c for p, c in zip(op.parameters, columns, strict=True)], axis=1)[:, None]
    seeds = np.arange(ROWS, dtype=np.int64)[:, None] if op.seeded else None
    plan = Plan(("identity", op.name), np.ones((ROWS, 1), np.int16), values, 128, "nearest", seeds)
    images = torch.from_numpy(np.stack([image] * ROWS))
    yield images, plan
    if op.resamples:
        yield images, replace(plan, interpolation="bilinear")
