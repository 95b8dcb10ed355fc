"""Writes the one module that is compiled: the kernels of all ops of the table that have one, and the program around them.

The text depends on the ops' sources alone, so the same ops give the same text, whoever writes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from searchspaces.engines.fused import program
from searchspaces.engines.fused.collecting import Collection
from searchspaces.ops import op_table
from searchspaces.ops.op import Op

ENTRY = "run"
_ARGUMENTS = "image, out, values, fill, bilinear, seed, scratch"
_HEADER = '''"""Generated from the op table by searchspaces/engines/fused. Not to be edited: it is made again from its sources."""

import base64
import math

import numpy as np
from numba import njit
from numba.extending import intrinsic


@intrinsic
def borrowed(typing_context, array):
    def build(context, builder, signature, arguments):
        made = context.make_array(signature.args[0])(context, builder, arguments[0])
        # Without an owner there is nothing to count.
        made.meminfo, made.parent = made.meminfo.type(None), made.parent.type(None)
        return made._getvalue()

    return array(array), build
'''
_TYPES = (
    "void(uint8[:,:,:,::1], int64[::1], int64[::1], int32[:,::1], float64[:,:,::1], int64[:,::1], int64, boolean, int64,"
    " uint8[:,:,:,::1], float32[:,::1], float32[::1], float32[::1], uint8[:,:,:,::1], int32[::1], int64, int64)"
)


@dataclass(frozen=True)
class Generated:
    """The module's text, and the number by which each op is called in it, from 1; 0 is no op."""

    text: str
    numbers: dict[str, int]


@cache
def generated() -> Generated:
    """The module of the op table of this process."""
    return generate(op_table())


def generate(ops: Sequence[Op]) -> Generated:
    """The module of these ops; those without a fused kernel are left out. Raises BadInput for one that can't be compiled."""
    collection = Collection()
    fused = [op for op in ops if op.fused is not None]
    kernels = [collection.add(op.fused) for op in fused if op.fused is not None]
    dispatch = _dispatch(kernels)
    entry = collection.add(program.run, stands_in={program.dispatch: "dispatch", program.borrowed: "borrowed"})
    # The entry is compiled as soon as it is defined, so all that it calls stands before it.
    text = f"{_HEADER}\n\n{dispatch}\n\n{collection.text}\n\n{_entry(entry)}\n"
    return Generated(text, {op.name: number for number, op in enumerate(fused, start=1)})


def _dispatch(kernels: Sequence[str]) -> str:
    lines = [f"def dispatch(number, {_ARGUMENTS}):"]
    for number, kernel in enumerate(kernels, start=1):
        lines += [f"    {'el' if number > 1 else ''}if number == {number}:", f"        {kernel}({_ARGUMENTS})"]
    return "\n".join(['@njit(nogil=True, error_model="numpy")', *lines, *(() if kernels else ("    pass",))])


def _entry(name: str) -> str:
    """The one function that is compiled when the module is imported, or loaded if it has been compiled before."""
    return f'{ENTRY} = njit("{_TYPES}", nogil=True, cache=True, error_model="numpy")({name}.py_func)'
