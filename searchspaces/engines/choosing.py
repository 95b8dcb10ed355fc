"""Which engine carries a plan out: on a CPU the fused one; on a GPU, for ops it has not and without numba the grouped.

`$POLICYSEARCH_ENGINE` says otherwise: `grouped` uses that alone; `fused` refuses to do without numba. All give the same pixels.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import torch

from searchspaces.arrays import ImageBatch
from searchspaces.engines import grouped
from searchspaces.engines.checking import check, check_threads
from searchspaces.engines.resizing import resized
from searchspaces.errors import BadInput
from searchspaces.plan import Plan

VARIABLE = "POLICYSEARCH_ENGINE"
DECIDING = (VARIABLE, "NUMBA_DISABLE_JIT")  # the variables that `fused_here` goes by
FUSED, GROUPED = "numba-fused", grouped.ENGINE_NAME


def fused_here() -> bool:
    """Whether plans for images on the CPU go to the fused engine here. Raises BadInput for a wish that can't be met."""
    wish = os.environ.get(VARIABLE, "")
    if wish not in ("", "fused", "grouped"):
        raise BadInput(f"${VARIABLE}: {wish!r}; allowed are fused and grouped, or leave it away")
    missing = find_spec("numba") is None or find_spec("fcntl") is None
    disabled = os.environ.get(DECIDING[1], "0") != "0"
    if wish == "fused" and (missing or disabled):
        why = "numba can't be used here" if missing else "$NUMBA_DISABLE_JIT is set"
        raise BadInput(f"${VARIABLE}: {wish!r}, but {why}; leave it away, or install numba")
    return wish != "grouped" and not missing and not disabled


def engine_name(ran: Sequence[str] | set[str]) -> str:
    """The engines that ran, as a trial's result names them: in order of the alphabet, with + between."""
    return "+".join(sorted(ran))


def apply(images: ImageBatch, plan: Plan, threads: int = 1, ran: set[str] | None = None) -> ImageBatch:
    """New images (images, channels, height, width), each changed as its row of the plan says; the given ones stay as they are.

    They are as large as the given ones, but for a plan whose resolution is not 1; such are resized in torch, whatever engine ran.
    `threads` share the images out, on a CPU. The names of the engines that ran are added to `ran`. Raises BadInput for
    what `refusals` says can't be applied, before any kernel runs.
    """
    check(images, plan)
    check_threads(threads)
    names = ran if ran is not None else set()
    if images.device.type != "cpu" or not fused_here():
        names.add(GROUPED)
        return grouped.apply(images, plan)
    from searchspaces.engines.fused import carrying

    out = torch.empty(images.shape, dtype=torch.uint8)
    if images.numel() == 0:
        return resized(out, plan.resolution)
    numbers = carrying.numbers_of(plan)
    alone = (numbers == carrying.MISSING).any(axis=1)
    rows, others = np.flatnonzero(~alone), np.flatnonzero(alone)
    if len(rows):
        names.add(FUSED)
        part, given = (plan, numbers) if len(rows) == len(plan) else (plan.rows(rows), numbers[rows])
        carrying.to_levels(images.contiguous().numpy(), rows, part, given, rows, out.numpy(), threads)
    if len(others):
        names.add(GROUPED)
        as_large = replace(plan.rows(others), resolution=1.0)
        out[torch.from_numpy(others)] = grouped.apply(images[torch.from_numpy(others)], as_large)
    return resized(out, plan.resolution)
