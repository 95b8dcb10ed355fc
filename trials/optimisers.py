"""The optimisers of a recipe: SGD with Nesterov momentum, and AdamW, whose decay is decoupled from its gradients.

What is trained, with which decay, is `trials.models.param_groups`. All weights of a group are stepped together, which gives the
same numbers as one after the other, sooner. Refuses unknown names.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from trials.models import param_groups
from trials.values import Recipe

ADAMW_EPSILON = 1e-8


def make_optimiser(model: nn.Module, recipe: Recipe, classes: int | None = None) -> torch.optim.Optimizer:
    """The recipe's optimiser over the net's weights that are trained; whoever steps sets the rate of each group first.

    A group's rate is the schedule's times its `learning_rate_factor`. `classes` say which layer is the head.
    """
    return OPTIMISERS[recipe.optimiser](param_groups(model, recipe, classes), recipe)


def _sgd(groups: Sequence[dict[str, Any]], recipe: Recipe) -> torch.optim.Optimizer:
    """As in Sutskever et al. 2013; the decay is an L2 penalty. Without momentum Nesterov's is plain SGD."""
    nesterov = recipe.momentum > 0
    return torch.optim.SGD(groups, lr=recipe.peak_learning_rate, momentum=recipe.momentum, nesterov=nesterov, foreach=True)


def _adamw(groups: Sequence[dict[str, Any]], recipe: Recipe) -> torch.optim.Optimizer:
    """As in Loshchilov and Hutter 2017, arXiv 1711.05101: each step takes rate times decay off a weight."""
    betas = (recipe.momentum, recipe.adamw_beta2)
    return torch.optim.AdamW(groups, lr=recipe.peak_learning_rate, betas=betas, eps=ADAMW_EPSILON, foreach=True)


OPTIMISERS: Mapping[str, Callable[[Sequence[dict[str, Any]], Recipe], torch.optim.Optimizer]] = {"sgd": _sgd, "adamw": _adamw}
