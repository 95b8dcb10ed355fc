"""Hands a batch and its plan to the compiled kernels, in as many threads as asked for. Checks nothing that `engines` has checked.

Threads share the rows out; numba lets go of Python's lock, and every thread has buffers of its own.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float32, Int32, Int64

from searchspaces.arrays import Images, PerChannel
from searchspaces.engines.fused import program
from searchspaces.engines.fused.loading import kernels
from searchspaces.plan import Plan

Index = Int64[np.ndarray, "rows"]
Numbers = Int32[np.ndarray, "rows steps"]
Floats = Float32[np.ndarray, "images numbers"]
MISSING = -1


def numbers_of(plan: Plan) -> Numbers:
    """The kernel of every row and step; 0 is no op, MISSING one that has no fused kernel."""
    known = kernels().numbers
    book = np.array([0, *(known.get(name, MISSING) for name in plan.code_book[1:])], dtype=np.int32)
    numbers: Numbers = book[plan.codes]
    return numbers


def to_levels(images: Images, index: Index, plan: Plan, numbers: Numbers, places: Index, out: Images, threads: int) -> None:
    """Image `index[i]` as row i of the plan says into `out[places[i]]`."""
    no_floats, no_scale = np.empty((0, 0), np.float32), np.empty(0, np.float32)
    _share_out(threads, len(index), images, index, places, plan, numbers, program.LEVELS, out, no_floats, no_scale, no_scale)


def to_floats(
    images: Images,
    index: Index,
    plan: Plan,
    numbers: Numbers,
    places: Index,
    floats: Floats,
    mean_and_scale: tuple[PerChannel, PerChannel],
    channels_last: bool,
    threads: int,
) -> None:
    """The same into `floats[places[i]]`: (level - mean) * scale, planes after each other or the channels of a pixel together."""
    layout = program.PIXELS if channels_last else program.PLANES
    out = np.empty((0, *images.shape[1:]), np.uint8)
    scaling = (np.ascontiguousarray(per_channel, np.float32) for per_channel in mean_and_scale)
    _share_out(threads, len(index), images, index, places, plan, numbers, layout, out, floats, *scaling)


def _share_out(
    threads: int, rows: int, images: Images, index: Index, places: Index, plan: Plan, numbers: Numbers, layout: int, *rest: Any
) -> None:
    seeds = np.zeros(plan.codes.shape, np.int64) if plan.seeds is None else np.ascontiguousarray(plan.seeds)
    values = _for_numba(plan.values)
    given = (_for_numba(images), index, places, _for_numba(numbers), values, _for_numba(seeds), plan.fill)
    given = (*given, plan.interpolation == "bilinear", layout, *rest)
    run, shape = kernels().run, images.shape[1:]
    if threads == 1 or rows < 2:
        run(*given, *_buffers(*shape), 0, rows)
        return
    ends = np.linspace(0, rows, min(threads, rows) + 1).astype(np.int64).tolist()
    for done in [_pool(threads, os.getpid()).submit(run, *given, *_buffers(*shape), *part) for part in pairwise(ends)]:
        done.result()


def _buffers(channels: int, height: int, width: int) -> tuple[Images, np.ndarray]:
    """What a thread needs to work in: two images, and the kernels' scratch."""
    scratch = np.empty(max(program.SCRATCH_ENTRIES, 4 * (height + 2) * (width + 2)), np.int32)
    return np.empty((2, channels, height, width), np.uint8), scratch


@cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    """Threads that wait for work without turning; a forked process has none of its parent's."""
    return ThreadPoolExecutor(threads, thread_name_prefix="policysearch-kernels")


def _for_numba(array: np.ndarray) -> np.ndarray:
    """The array in the one type that the kernels are compiled for: contiguous and, as far as numpy knows, not read-only.

    Kernels only read what they are given; mapped files are read-only, and a type of their own would be compiled once more.
    """
    array = np.ascontiguousarray(array)
    if array.flags.writeable or array.size == 0:
        return array if array.flags.writeable else array.copy()
    view: np.ndarray = np.asarray(_Address(array))
    return view


class _Address:
    """An array's memory without its read-only flag; keeps the array alive."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        pointer, _ = array.__array_interface__["data"]
        self.__array_interface__ = {**array.__array_interface__, "data": (pointer, False)}
