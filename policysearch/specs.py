"""The spec of a trial, as plain JSON values: of a training of ours, or of a function of the user's own.

It says all that the trial depends on, and nothing of where or when it runs.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from searchspaces.policy import Policy
from searchspaces.policy_json import policy_to_dict
from searchspaces.words import policy_in_words
from trials.values import TrialSpec

if TYPE_CHECKING:
    from policysearch.setting import Setting


def trial_uid_for(study_uid: str, number: int) -> str:
    """The uid of a study's trial of that number."""
    return hashlib.sha256(f"{study_uid}/{number}".encode()).hexdigest()[:32]


def training_in_words(policy: Policy, overrides: Mapping[str, Any]) -> str:
    """The policy in words, and what is changed in the recipe."""
    changed = (f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in overrides.items())
    return "; ".join((policy_in_words(policy), *changed))


def trial_spec(
    setting: "Setting",
    trial_uid: str,
    policy: Policy,
    params: Mapping[str, Any],
    overrides: Mapping[str, Any],
    budget_epochs: int,
    replicate: int = 0,
    split: str = "search",
    budget_steps: int | None = None,
) -> dict[str, Any]:
    """The spec of one trial of a study. `params` are its point of the space ({} for policies from elsewhere), `overrides` what
    that changes in the recipe: all that a user's own trainer is told of one. The others are as `TrialSpec` says.
    """
    if setting.objective is None:
        assert setting.data is not None, "our own training has data"
        recipe = replace(setting.recipe, **overrides)
        how: tuple[Any, ...] = (budget_epochs, replicate, split, budget_steps)
        if budget_epochs < setting.budget_epochs and budget_steps is None and setting.by != "epochs":
            how += (setting.by, setting.budget_epochs)
        return TrialSpec(trial_uid, policy, recipe, setting.data, setting.seed, *how).to_dict()
    return {
        "trial_uid": trial_uid,
        "objective": setting.objective,
        "policy": policy_to_dict(policy),
        "params": dict(params),
        "recipe": dict(overrides),
        "data": None if setting.data is None else asdict(setting.data),
        "seed": setting.seed,
        "budget_epochs": budget_epochs,
        "replicate": replicate,
        "split": split,
        "budget_steps": budget_steps,
    }


def placed(spec: Mapping[str, Any], setting: "Setting") -> dict[str, Any]:
    """A recorded spec with the place where the prepared data lies by now; what it holds has not changed."""
    return {**spec, "data": None if setting.data is None else asdict(setting.data)}
