"""The optimisers of a recipe: SGD with Nesterov momentum, and AdamW, whose decay is decoupled from its gradients.

What is trained, with which decay, is `trials.models.param_groups`. Refuses unknown names.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from trials.values import Recipe

ADAMW_EPSILON = 1e-8


def make_optimiser(groups: Sequence[dict[str, Any]], recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser over `groups` (`trials.models.param_groups`); whoever steps sets the rate of each first."""
    return OPTIMISERS[recipe.optimiser](groups, recipe)


def _sgd(groups: Sequence[dict[str, Any]], recipe: Recipe) -> torch.optim.Optimizer:
    """As in Sutskever et al. 2013; the decay is an L2 penalty. Without momentum Nesterov's is plain SGD."""
    nesterov = recipe.momentum > 0
    return torch.optim.SGD(groups, lr=recipe.peak_learning_rate, momentum=recipe.momentum, nesterov=nesterov)


def _adamw(groups: Sequence[dict[str, Any]], recipe: Recipe) -> torch.optim.Optimizer:
    """As in Loshchilov and Hutter 2017, arXiv 1711.05101: each step takes rate times decay off a weight."""
    betas = (recipe.momentum, recipe.adamw_beta2)
    return torch.optim.AdamW(groups, lr=recipe.peak_learning_rate, betas=betas, eps=ADAMW_EPSILON)


OPTIMISERS: Mapping[str, Callable[[Sequence[dict[str, Any]], Recipe], torch.optim.Optimizer]] = {"sgd": _sgd, "adamw": _adamw}
