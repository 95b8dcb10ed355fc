"""Every policy of a finite space once. Keeps no state; refuses a space without end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from policysearch.samplers.tried import Points, Tried, keys
from searchspaces.errors import BadInput
from searchspaces.space import SearchSpace, Value
from trials.seeds import numpy_generator


@dataclass(frozen=True)
class GridSampler:
    """The cells in an order shuffled by the seed, so that a grid cut short is no corner of it.

    In a space with conditions the cells are those of the parameters that exist together.
    """

    points: Points
    seed: int
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_cells("grid", self.points.space)

    def suggest(self, history: Sequence[Tried], number: int) -> Mapping[str, Value] | None:
        """As `Sampler.suggest` says; `number` makes no difference."""
        assert self.points.cells is not None
        cells = list(self.points.cells.items())
        seen = keys(history)
        order = numpy_generator("sampler", self.seed, "grid").permutation(len(cells))
        return next((cells[place][1] for place in order if cells[place][0] not in seen), None)


def require_cells(name: str, space: SearchSpace) -> None:
    """Raise BadInput for a space that can't be listed."""
    if space.cells() is None:
        raise BadInput(f"sampler {name!r}: the space {space.name} is not a finite grid; allowed for it are tpe, random")
