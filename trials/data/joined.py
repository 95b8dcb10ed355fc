"""Some images of several mapped arrays, one after the other, without copying any until they are asked for.

Stands where an array of images stands, for what trainings do with one: shape, length, picking by whole numbers or a slice, and
copying all of it. Refuses to be written to, and what else arrays can.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from searchspaces.arrays import Images


class JoinedImages:
    """Image k is row `rows[k]` of `parts` put end to end; parts are (images, channels, height, width), alike but in number."""

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, parts: Sequence[Images], rows: np.ndarray) -> None:
        self._parts, self._rows = tuple(parts), rows
        self._starts = np.cumsum([0, *(len(part) for part in parts)])
        self.shape = (len(rows), *parts[0].shape[1:])

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: np.ndarray | slice) -> Images:
        """A copy of the images at `index`: an array of whole numbers (or bools), or a slice."""
        rows = self._rows[index]
        if rows.ndim != 1:
            raise TypeError(f"joined images are picked by a list of numbers or a slice, not by {index!r}")
        out = np.empty((len(rows), *self.shape[1:]), dtype=np.uint8)
        part_of = np.searchsorted(self._starts, rows, side="right") - 1
        for number, part in enumerate(self._parts):
            here = part_of == number
            out[here] = part[rows[here] - self._starts[number]]
        return out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("joined images can't be an array without being copied")
        return np.asarray(self[:], dtype=dtype)
