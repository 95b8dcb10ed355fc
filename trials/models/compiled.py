"""The kernels of nets that are compiled, in this process: made into a module as those of the ops are, and kept beside them.

Where those can't be used (no numba, or `$POLICYSEARCH_ENGINE` is `grouped`), nets run on torch alone.
"""

import os
from collections.abc import Callable
from functools import cache
from typing import Any

from searchspaces.engines.choosing import DECIDING, fused_here
from trials.models import norm_kernels

_NUMBERS, _BITS = "float32[::1]", "uint16[::1]"
_ENTRIES: tuple[tuple[Callable[..., None], str], ...] = (
    (norm_kernels.train, ", ".join((_BITS, _NUMBERS, _NUMBERS, "float64", _BITS, _NUMBERS, _NUMBERS, _NUMBERS))),
    (norm_kernels.normalise, ", ".join((_BITS, _NUMBERS, _NUMBERS, _NUMBERS, _NUMBERS, _BITS))),
    (norm_kernels.backward, ", ".join((_BITS, _BITS, _BITS, *(_NUMBERS,) * 3, _BITS, _NUMBERS, _NUMBERS))),
)
_CASTS = """
def _cast(given, wanted):
    @intrinsic
    def cast(typing_context, number):
        def build(context, builder, signature, arguments):
            return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))

        return wanted(given), build

    return cast


as_number = _cast(types.uint32, types.float32)
as_bits = _cast(types.float32, types.uint32)
"""
WHAT = "the kernels of the built-in nets, some seconds"


def compiled_kernels() -> dict[str, Callable[..., None]] | None:
    """`norm_kernels`' functions by name; None where they can't be had, or are not wished for. Compiled once a machine."""
    return _kernels(*(os.environ.get(name) for name in DECIDING))


@cache
def _kernels(*wishes: str | None) -> dict[str, Callable[..., None]] | None:
    """The same, looked for once for each of the wishes."""
    if not fused_here():
        return None
    from searchspaces.engines.fused.keeping import kernel_home
    from searchspaces.engines.fused.loading import load_module

    module: Any = load_module(_text(), kernel_home(), WHAT).module
    return {function.__name__: getattr(module, function.__name__) for function, _ in _ENTRIES}


def _text() -> str:
    from searchspaces.engines.fused.collecting import Collection
    from searchspaces.engines.fused.generating import HEADER, entry

    collection, own = Collection(), {norm_kernels.as_number: "as_number", norm_kernels.as_bits: "as_bits"}
    names = [collection.add(function, stands_in=own) for function, _ in _ENTRIES]
    entries = [entry(function.__name__, name, f"void({types})") for (function, types), name in zip(_ENTRIES, names, strict=True)]
    return "\n\n".join((HEADER, "from numba import types", _CASTS, collection.text, *entries)) + "\n"
