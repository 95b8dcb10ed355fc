"""The optimisers of a recipe: SGD with Nesterov momentum, and AdamW, whose decay is decoupled from its gradients.

Weight decay is for matrices and kernels only, not for biases and the scales of norms. Refuses unknown names.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from trials.values import Recipe

ADAMW_EPSILON = 1e-8


def make_optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser over all of the net's weights; whoever steps sets the rate of its groups first."""
    kernels = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [{"params": kernels, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
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
