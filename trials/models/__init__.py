"""The nets a trial can train: built in, torchvision's, timm's and the user's own, all asked for by one grammar.

What they start from, how they are fitted to the images, and what of them learns. Weights are drawn from a generator passed in;
building a net leaves torch's global generator alone. docs/models.md says it for users. Refuses unknown names.
"""

import torch
from torch import nn

from trials.models.asked import read_model
from trials.models.building import checked, drawn, model_table
from trials.models.pretrained import read_state, start_from
from trials.models.stages import freeze, param_groups, stages
from trials.values import Recipe

__all__ = ["build_model", "check_model", "fresh_model", "model_table", "param_groups", "spoken_model", "stages"]


def spoken_model(wish: str) -> str:
    """The net in text as a recipe has it: one text for one net. BadInput for one that there is not."""
    return checked(read_model(wish))


def check_model(wish: str) -> None:
    """Raise BadInput, with what is allowed, where there is no such net."""
    spoken_model(wish)


def build_model(name: str, channels: int, classes: int, generator: torch.Generator) -> nn.Module:
    """A fresh net on the CPU in training mode, its weights drawn from `generator`. Raises BadInput for an unknown name."""
    return drawn(read_model(name), channels, classes, generator)


def fresh_model(recipe: Recipe, channels: int, classes: int, generator: torch.Generator) -> nn.Module:
    """The net that a trial of `recipe` begins with: drawn, given the recipe's weights, its first stages frozen.

    Raises BadInput where the weights are not those recorded, or don't fit.
    """
    model = build_model(recipe.model, channels, classes, generator)
    if recipe.weights:
        state = read_state(recipe.weights, recipe.weights_sha256, read_model(recipe.model))
        start_from(model, state, classes, recipe.weights)
    if recipe.frozen_stages:
        freeze(model, recipe.frozen_stages, classes)
    return model
