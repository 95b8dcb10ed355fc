"""All choices of a policy side by side, so that what each image drew is looked up at once, however many choices there are.

It draws nothing: numbers from [0, 1) are handed in.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int16, Int64

from searchspaces.ops import find_op
from searchspaces.policy import Choice, Levels, Step

Rows = Int64[np.ndarray, "rows"]
Draws = Float64[np.ndarray, "rows slots"]
Changes = Bool[np.ndarray, "rows"]
Cells = Float64[np.ndarray, "choices parameters"]


@dataclass(frozen=True)
class ChoiceTable:
    """One row a choice; ops with fewer parameters than the widest have cells that stay 0.

    A value is `low` + draw * (`high` - `low`), or, where `level_count` is above 0, one of so many `levels` from `first_level`
    on. Where `signed`, it is mirrored about the `identity` for half of the draws. `acts`: whether the op is more than nothing.
    """

    codes: Int16[np.ndarray, "choices"]
    acts: Bool[np.ndarray, "choices"]
    identity: Cells
    low: Cells
    high: Cells
    signed: Bool[np.ndarray, "choices parameters"]
    level_count: Int64[np.ndarray, "choices parameters"]
    first_level: Int64[np.ndarray, "choices parameters"]
    levels: Float64[np.ndarray, "levels"]

    def values(self, chosen: Rows, draws: Draws) -> Float64[np.ndarray, "rows parameters"]:
        """The values of one choice for each row, in its units. `draws` holds two numbers for each parameter: value and sign."""
        parameters = self.low.shape[1]
        share, mirrored = draws[:, : 2 * parameters : 2], draws[:, 1 : 2 * parameters : 2] < 0.5
        low, high = self.low[chosen], self.high[chosen]
        # Rounding must not carry a value past the upper end.
        values: Float64[np.ndarray, "rows parameters"] = np.minimum(low + share * (high - low), high)
        if self.levels.size:
            count = self.level_count[chosen]
            level = self.first_level[chosen] + np.floor(share * count).astype(np.int64)
            values = np.where(count > 0, self.levels[level], values)
        if self.signed.any():
            values = np.where(self.signed[chosen] & mirrored, 2 * self.identity[chosen] - values, values)
        return values

    def does_something(self, chosen: Rows, values: Float64[np.ndarray, "rows parameters"]) -> Changes:
        """Whether the op changes anything at these values."""
        does: Changes = (values != self.identity[chosen]).any(axis=1) & self.acts[chosen]
        return does


def choice_table(choices: tuple[Choice, ...], code_book: tuple[str, ...], parameters: int) -> ChoiceTable:
    """The table of these choices; `parameters` is the width of the widest op."""
    cells = [distribution for choice in choices for distribution in choice.values]
    shape = (len(choices), parameters)
    table = ChoiceTable(
        codes=np.array([code_book.index(choice.op) for choice in choices], dtype=np.int16),
        acts=np.array([find_op(choice.op).kind != "none" for choice in choices], dtype=bool),
        identity=np.zeros(shape),
        low=np.zeros(shape),
        high=np.zeros(shape),
        signed=np.zeros(shape, dtype=bool),
        level_count=np.zeros(shape, dtype=np.int64),
        first_level=np.zeros(shape, dtype=np.int64),
        levels=np.array([value for cell in cells if isinstance(cell, Levels) for value in cell.values], dtype=np.float64),
    )
    levels_before = 0
    for row, choice in enumerate(choices):
        table.identity[row, : len(choice.values)] = find_op(choice.op).identity
        for column, distribution in enumerate(choice.values):
            table.signed[row, column] = distribution.signed
            if isinstance(distribution, Levels):
                table.level_count[row, column] = len(distribution.values)
                table.first_level[row, column] = levels_before
                levels_before += len(distribution.values)
            else:
                table.low[row, column], table.high[row, column] = distribution.ends[0], distribution.ends[-1]
    return table


def chosen_of(step: Step, draws: Float64[np.ndarray, "rows"]) -> Rows:
    """Which of the step's choices each draw falls on."""
    return weighted([choice.weight for choice in step.choices], draws)


def weighted(weights: list[float], draws: Float64[np.ndarray, "rows"]) -> Rows:
    """The index that each draw falls on when the weights share out [0, 1)."""
    if len(weights) == 1:
        return np.zeros(len(draws), dtype=np.int64)
    ends = np.cumsum(weights)
    scaled = draws * ends[-1]
    # Equal weights of 1 end at whole numbers, so what follows is what the search would find, several times sooner.
    found = scaled.astype(np.int64) if set(weights) == {1.0} else np.searchsorted(ends, scaled, side="right")
    index: Rows = np.minimum(found, len(weights) - 1)
    return index
