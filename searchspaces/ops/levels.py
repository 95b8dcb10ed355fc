"""Writing levels one after the other: what most fused kernels are made of. Declares no op.

Loops, because numba assigns one array to another some ten times slower. Arrays of any shape are taken as the levels in a row.
"""

from typing import Any


def copy_levels(source: Any, target: Any) -> None:
    """Every level of `source` to the same place of `target`, an array of the same size."""
    given, taken = source.reshape(-1), target.reshape(-1)
    for place in range(given.size):
        taken[place] = given[place]


def fill_levels(target: Any, level: int) -> None:
    """`level` everywhere."""
    taken = target.reshape(-1)
    for place in range(taken.size):
        taken[place] = level


def map_levels(source: Any, target: Any, table: Any) -> None:
    """Every level of `source` replaced by its entry in `table`, 256 of them."""
    given, taken = source.reshape(-1), target.reshape(-1)
    for place in range(given.size):
        taken[place] = table[given[place]]
