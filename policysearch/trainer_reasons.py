"""Why a trainer of the user's own failed, in one line for whoever reads the result, with the place in the user's file.

Knows errors of torch by their names: it need not be imported for that.
"""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from searchspaces.json_text import one_line

LONGEST_REASON = 400


def reason_of(failure: BaseException, fn: Callable[..., Any]) -> str:
    """One line for what the function raised: memory said plainly, all else by type and message, and where in the user's file."""
    names = {kind.__name__ for kind in type(failure).__mro__}
    message = " ".join(str(failure).split())
    if "OutOfMemoryError" in names:
        return f"out of memory on the GPU; give smaller batches, or fewer trials a GPU ({one_line(message, 120)})"
    if isinstance(failure, MemoryError) or "can't allocate memory" in message:
        return "out of memory; give smaller batches or images"
    if "AcceleratorError" in names or (isinstance(failure, RuntimeError) and message.startswith("CUDA error")):
        return f"the GPU failed ({one_line(message, 160)}); a label out of range is the usual cause{_place(failure, fn)}"
    said = f"{type(failure).__name__}: {message}" if message else type(failure).__name__
    return one_line(said, LONGEST_REASON - 80) + _place(failure, fn)


def _place(failure: BaseException, fn: Callable[..., Any]) -> str:
    """The last line of the function's own file that the failure came through, as " (train.py, line 12)"."""
    file = getattr(getattr(fn, "__code__", None), "co_filename", None)
    lines = [frame.lineno for frame in traceback.extract_tb(failure.__traceback__) if frame.filename == file]
    return f" ({Path(str(file)).name}, line {lines[-1]})" if lines else ""
