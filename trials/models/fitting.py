"""Whether a net takes the images of a study, found out before it begins: a forward pass that computes shapes alone.

It is made on torch's meta device; where a net can't be built there, or fails there, a few black images on the CPU decide, and on
a GPU a step back too, for some nets have none that is deterministic. Refuses in one line that says what would go.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from searchspaces.errors import BadInput
from searchspaces.json_text import one_line
from trials.dropout import HeadDropout
from trials.lent import lent
from trials.models.asked import read_model
from trials.models.building import built
from trials.models.pretrained import fitted, read_state
from trials.models.stages import freeze
from trials.seeds import torch_generator
from trials.values import Recipe

CURE = "give another --image-size, or a net that takes any (small, resnet9, wideresnet-16)"


def check_fit(recipe: Recipe, channels: int, height: int, width: int, classes: int) -> None:
    """Raise BadInput unless the recipe's net, weights and frozen stages go with images and classes like these."""
    sides = (channels, height, width)
    model = _tried(recipe, sides, classes, "meta")
    if isinstance(model, Exception):
        model = _tried(recipe, sides, classes, "cpu")
    if isinstance(model, BadInput):
        raise model
    if isinstance(model, Exception):
        reason = one_line(f"{type(model).__name__}: {model}", 160)
        raise BadInput(
            f"model {recipe.model}: it can't take images of {height} x {width} px, {channels} channels ({reason}); {CURE}"
        )
    if recipe.weights:
        state = read_state(recipe.weights, recipe.weights_sha256, read_model(recipe.model))
        fitted(model, state, classes, recipe.weights)
    freeze(model, recipe.frozen_stages, classes)
    if recipe.dropout:
        HeadDropout(model, recipe.dropout)
    if recipe.device == "cuda":
        _step_back(recipe, sides, classes)


def _tried(recipe: Recipe, sides: tuple[int, int, int], classes: int, device: str) -> nn.Module | Exception:
    """The net after a forward pass in training and one in evaluation, or what it raised."""
    try:
        with _on(device):
            model = built(read_model(recipe.model), sides[0], classes)
            model.train()
            _check_outputs(recipe, model(torch.zeros(2, *sides)), classes)
            _check_one(recipe, model, sides)
            _check_outputs(recipe, model.eval()(torch.zeros(2, *sides)), classes)
            return model.train()
    except Exception as error:  # whatever a net raises that does not take such images
        return error


@contextmanager
def _on(device: str) -> Iterator[None]:
    with lent(torch_generator("only tried")), torch.device(device), torch.no_grad():
        yield


def _check_outputs(recipe: Recipe, outputs: object, classes: int) -> None:
    if not isinstance(outputs, Tensor):
        raise BadInput(
            f"model {recipe.model}: it gives a {type(outputs).__name__}; allowed is one tensor of logits, images x classes"
        )
    if tuple(outputs.shape) != (2, classes):
        raise BadInput(
            f"model {recipe.model}: it gives {_by(outputs.shape)} of 2 images; allowed is 2 x {classes}, a logit a class"
        )


def _check_one(recipe: Recipe, model: nn.Module, sides: tuple[int, int, int]) -> None:
    """Batches differ by one image at most, so only those of two leave an image alone, where batch norm has no statistics."""
    if recipe.batch_images > 2:
        return
    try:
        model(torch.zeros(1, *sides))
    except Exception as error:
        raise BadInput(
            f"batch_images {recipe.batch_images}: one image may be left for the last batch, and {recipe.model} can't train on one"
            f" ({one_line(str(error), 100)}); give 3 or more, or a net with norm=group"
        ) from error


def _by(shape: torch.Size) -> str:
    return " x ".join(map(str, shape))


def _step_back(recipe: Recipe, sides: tuple[int, int, int], classes: int) -> None:
    from trials.machine import reproducible

    try:
        with lent(torch_generator("only tried"), "cuda"), reproducible(recipe):
            model = built(read_model(recipe.model), sides[0], classes).to("cuda").train()
            logits = model(torch.zeros(2, *sides, device="cuda"))
            torch.autograd.backward(logits.sum())
    except RuntimeError as error:
        raise BadInput(
            f"model {recipe.model}: it can't be trained on this GPU with figures that repeat ({one_line(str(error), 160)});"
            " give another net"
        ) from error
