"""From 16 bits to 8 by a window that the user states: nothing is rescaled by a rule of our own.

`--levels LOW:HIGH` (grey levels): LOW and below become 0, HIGH and above 255, what lies between in proportion, rounded to the
nearest (halves up). `full` is 0:65535. Refuses other windows, 16-bit images without one, and a window where no image has 16 bits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from searchspaces.errors import BadInput

MOST_LEVEL = 65_535
WAYS = f"LOW:HIGH with 0 <= LOW < HIGH <= {MOST_LEVEL}, or full"


@dataclass(frozen=True)
class Levels:
    """A window of grey levels, `low` < `high`."""

    low: int
    high: int

    @staticmethod
    def parse(text: str) -> Levels:
        """`BadInput` for what is no window."""
        if text == "full":
            return Levels(0, MOST_LEVEL)
        found = re.fullmatch(r"([0-9]{1,5}):([0-9]{1,5})", text, re.ASCII)
        low, high = (int(found[1]), int(found[2])) if found else (0, 0)
        if not low < high <= MOST_LEVEL:
            raise BadInput(f"--levels {text!r}: no window of grey levels; allowed are {WAYS}")
        return Levels(low, high)

    @cached_property
    def _table(self) -> np.ndarray:
        span = self.high - self.low
        inside = np.clip(np.arange(MOST_LEVEL + 1, dtype=np.int64), self.low, self.high) - self.low
        return ((inside * 510 + span) // (2 * span)).astype(np.uint8)

    def to_bytes(self, values: np.ndarray) -> np.ndarray:
        """uint8 of the same shape; `values` are whole numbers from 0 to 65535."""
        out = np.empty(values.shape, dtype=np.uint8)
        for start in range(0, len(values), 1024):  # what indexes a table is made 8 bytes wide: not all of it at once
            out[start : start + 1024] = self._table[values[start : start + 1024]]
        return out


def no_window(where: str, low: int, high: int) -> BadInput:
    """Of images with 16 bits, `low` and `high` their least and largest level, and no window given."""
    return BadInput(
        f"{where}: 16-bit pixels (more than 8 bits a channel), from {low} to {high}; they are not rescaled in silence: convert "
        f"them yourself, or say the window, such as --levels {low}:{max(high, low + 1)}, or --levels full for 0:{MOST_LEVEL}"
    )


def needless_window(where: str, levels: Levels) -> BadInput:
    """Of 8-bit images with a window."""
    return BadInput(f"--levels {levels.low}:{levels.high}: {where} has 8-bit pixels, which are taken as they are; leave it out")
