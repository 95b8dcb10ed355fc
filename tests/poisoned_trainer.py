"""A trainer that a GPU fails, without one: its first trial's kernel asserts, and nothing can be run in that process any more."""

import os
import sys
from pathlib import Path
from typing import Any


def poisoned(context: Any, notes: str) -> tuple[int, int]:
    """3 of 10 images wrong, unless it is the first trial or runs in that one's process; each notes its process in `notes`."""
    with Path(notes).open("a") as file:
        file.write(f"{os.getpid()}\n")
    if getattr(sys, "poisoned", False):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")
    if len(Path(notes).read_text().split()) == 1:
        sys.poisoned = True  # type: ignore[attr-defined]
        raise RuntimeError("CUDA error: device-side assert triggered")
    return 3, 10
