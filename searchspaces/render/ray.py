"""A search space in Ray Tune's words.

Ray's `randint` leaves the upper bound out and its `qrandint` counts steps from 0 instead of from the lower bound; so bounds are
raised by one here, and stepped whole numbers become choices. Ray's own generators know no conditions: every parameter is there,
and `SearchSpace.check` drops those that don't exist.
"""

from typing import Any, assert_never

from searchspaces.space import Categorical, Parameter, Real, SearchSpace, Whole


def param_space(space: SearchSpace, grid: bool = False) -> dict[str, Any]:
    """A `param_space` for `tune.Tuner`: one domain for each parameter, by our names; with `grid`, all values of finite ones."""
    return {parameter.name: _all_values(parameter) if grid else _domain(parameter) for parameter in space.parameters}


def _all_values(parameter: Parameter) -> Any:
    from ray import tune

    return _domain(parameter) if parameter.points is None else tune.grid_search(list(parameter.points))


def _domain(parameter: Parameter) -> Any:
    from ray import tune

    match parameter:
        case Real():
            return (tune.loguniform if parameter.log else tune.uniform)(parameter.low, parameter.high)
        case Whole(step=1):
            return tune.randint(parameter.low, parameter.high + 1)
        case Whole():
            return tune.choice(list(parameter.points))
        case Categorical():
            return tune.choice(list(parameter.choices))
        case _:
            assert_never(parameter)
