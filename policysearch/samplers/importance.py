"""How much each parameter of a space had to do with the error, by two of Optuna's methods that may disagree.

fANOVA (Hutter, Hoos and Leyton-Brown 2014) asks how much of the error's variance over the space a parameter explains; it knows
only parameters that every trial had. PED-ANOVA (Watanabe, Bansal and Hutter 2023), Optuna's default, asks how the best tenth of
the trials differs from all in that parameter. Neither is a measurement with few trials; refuses fewer than `FEWEST`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optuna

FEWEST = 8
MOST = 150  # trials told, evenly spread over a longer search: a forest of more would take minutes
TREES = 16  # a quarter of Optuna's default: a report waits for it
BEST_SHARE = 0.1
SEED = 0
FANOVA, PED_ANOVA = "fANOVA", "PED-ANOVA"


@dataclass(frozen=True)
class Importance:
    """Shares (0 to 1) by parameter's name for each method, the most important first in the mean of the two.

    `shares[name]` has a method's share, or None where it has nothing to say of the parameter. `trials` were asked.
    """

    shares: Mapping[str, Mapping[str, float | None]]
    trials: int

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters, the most important first."""
        return tuple(self.shares)


def importance(parameters: Sequence[Mapping[str, Any]], tried: Sequence[tuple[Mapping[str, Any], float]]) -> Importance | None:
    """Of the parameters (as `SearchSpace.to_dict` says them), by points with their errors (0 to 1).

    None for fewer than `FEWEST` points, and where all points or all errors are alike: nothing made a difference.
    """
    step = max(1, -(-len(tried) // MOST))
    return measured(json.dumps([list(parameters), [[dict(point), error] for point, error in tried[::step]]]))


@lru_cache(maxsize=16)
def measured(asked: str) -> Importance | None:
    """What the two methods say of so much JSON: the same for the same, and a report may be written twice."""
    parameters, told = json.loads(asked)
    names = [str(each["name"]) for each in parameters if len({str(point.get(each["name"])) for point, _ in told}) > 1]
    if len(told) < FEWEST or not names or len({error for _, error in told}) < 2:
        return None
    study = _study([each for each in parameters if each["name"] in names], told)
    everywhere = [name for name in names if all(name in point for point, _ in told)]
    by_method = {FANOVA: _fanova(study, everywhere), PED_ANOVA: _ped_anova(study, names)}
    shares = {name: {method: found.get(name) for method, found in by_method.items()} for name in names}
    ranked = sorted(names, key=lambda name: -sum(share or 0.0 for share in shares[name].values()))
    return Importance({name: shares[name] for name in ranked}, len(told))


def _study(parameters: Sequence[Mapping[str, Any]], tried: Sequence[tuple[Mapping[str, Any], float]]) -> "optuna.Study":
    """An Optuna study in memory that holds these points and no other parameter."""
    import optuna

    from policysearch.samplers.telling import quiet

    known = {str(each["name"]): _distribution(each) for each in parameters}
    with quiet():
        study = optuna.create_study(direction="minimize", study_name="importance")
        for point, error in tried:
            params = {name: point[name] for name in known if name in point}
            distributions = {name: known[name] for name in params}
            study.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, value=error))
    return study


def _distribution(parameter: Mapping[str, Any]) -> "optuna.distributions.BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    match parameter["kind"]:
        case "real":
            return FloatDistribution(parameter["low"], parameter["high"], log=parameter["log"])
        case "whole":
            return IntDistribution(parameter["low"], parameter["high"], step=parameter["step"])
        case _:
            return CategoricalDistribution(parameter["choices"])


def _fanova(study: "optuna.Study", names: list[str]) -> dict[str, float]:
    """Shares by fANOVA; {} where no parameter is in every trial, or its forest's library is missing."""
    from optuna.importance import FanovaImportanceEvaluator

    try:
        return _shares(study, FanovaImportanceEvaluator(n_trees=TREES, seed=SEED), names) if names else {}
    except ImportError:  # scikit-learn, which comes with mlflow and not with optuna
        return {}


def _ped_anova(study: "optuna.Study", names: list[str]) -> dict[str, float]:
    from optuna.importance import PedAnovaImportanceEvaluator

    return _shares(study, PedAnovaImportanceEvaluator(target_quantile=BEST_SHARE), names)


def _shares(study: "optuna.Study", evaluator: Any, names: list[str]) -> dict[str, float]:
    """What the evaluator says, made to add up to 1; {} where all is 0."""
    from policysearch.samplers.telling import quiet

    with quiet():
        found = evaluator.evaluate(study, params=names)
    total = sum(found.values())
    return {name: float(share / total) for name, share in found.items()} if total > 0 else {}
