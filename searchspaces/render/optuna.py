"""A search space in Optuna's words. Both ends of every range are included, as in ours."""

from typing import TYPE_CHECKING, assert_never

from searchspaces.space import Categorical, Parameter, Real, SearchSpace, Value, Whole

if TYPE_CHECKING:
    import optuna


def distributions(space: SearchSpace) -> dict[str, "optuna.distributions.BaseDistribution"]:
    """One distribution for each parameter, by our names, whether or not it exists at every point."""
    return {parameter.name: distribution(parameter) for parameter in space.parameters}


def suggest(space: SearchSpace, trial: "optuna.trial.BaseTrial") -> dict[str, Value]:
    """The params that a trial suggests: those that exist, asked for in the space's order, and no others.

    A parameter's distribution is the same wherever it exists: Optuna allows no other, and a sampler learns across conditions.
    """
    point: dict[str, Value] = {}
    for parameter in space.parameters:
        if parameter.when is None or parameter.when.holds(point):
            point[parameter.name] = _suggested(parameter, trial)
    return point


def distribution(parameter: Parameter) -> "optuna.distributions.BaseDistribution":
    """A parameter as Optuna says it."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    match parameter:
        case Real():
            return FloatDistribution(parameter.low, parameter.high, log=parameter.log)
        case Whole():
            return IntDistribution(parameter.low, parameter.high, step=parameter.step)
        case Categorical():
            return CategoricalDistribution(parameter.choices)
        case _:
            assert_never(parameter)


def _suggested(parameter: Parameter, trial: "optuna.trial.BaseTrial") -> Value:
    match parameter:
        case Real():
            return trial.suggest_float(parameter.name, parameter.low, parameter.high, log=parameter.log)
        case Whole():
            return trial.suggest_int(parameter.name, parameter.low, parameter.high, step=parameter.step)
        case Categorical():
            # Optuna gives back one of what it was given; its type allows None.
            return parameter.checked(trial.suggest_categorical(parameter.name, parameter.choices))
        case _:
            assert_never(parameter)
