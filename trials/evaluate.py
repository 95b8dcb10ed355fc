"""Scoring a trained net: every image of a split once, in the split's order, never augmented.

Refuses logits that aren't finite: a net that gives them has no score.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from trials.data import Split
from trials.machine import reproducible
from trials.models import build_model
from trials.pixels import ImageStore, Normaliser
from trials.recipes import check_recipe
from trials.seeds import torch_generator
from trials.values import Recipe, Score
from trials.weights import load_weights

SCORE_BATCH_IMAGES = 500


class NotFinite(ArithmeticError):
    """A loss or a logit is NaN or infinite; the message says which, in one line."""


def score(model: nn.Module, split: Split, recipe: Recipe, mean: Sequence[float], std: Sequence[float]) -> Score:
    """Score `model` (on the recipe's device) over `split`, in evaluation mode; the mode it came in is put back.

    The same net and images give the same score however many threads the caller uses.
    `mean` and `std` are the training part's, per channel. Raises NotFinite when a logit is NaN or infinite.
    """
    was_training = model.training
    model.eval()
    try:
        with reproducible(recipe):
            logits = _logits(model, split, recipe, Normaliser(mean, std, recipe))
    finally:
        model.train(was_training)
    if not torch.isfinite(logits).all():
        raise NotFinite("the net's outputs on the scored images are not finite")
    return _score_of(logits, torch.from_numpy(np.array(split.labels)))


def load_model(weights_path: Path, sha256: str, channels: int, classes: int, recipe: Recipe) -> nn.Module:
    """The net that `weights_path` holds, in evaluation mode on the recipe's device.

    Raises BadInput when the file isn't the one hashed or holds another net, or this machine can't follow the recipe.
    """
    check_recipe(recipe)
    model = build_model(recipe.model, channels, classes, torch_generator("weights, to be replaced"))
    load_weights(model, weights_path, sha256)
    return placed(model, recipe).eval()


def placed(model: nn.Module, recipe: Recipe) -> nn.Module:
    """`model` on the recipe's device and in its memory format."""
    memory_format = torch.channels_last if recipe.channels_last else torch.contiguous_format
    return model.to(recipe.device).to(memory_format=memory_format)


def precision(recipe: Recipe) -> torch.autocast:
    """The context in which the net runs in the recipe's precision."""
    return torch.autocast(recipe.device, dtype=torch.bfloat16, enabled=recipe.precision == "bfloat16")


def _logits(model: nn.Module, split: Split, recipe: Recipe, normaliser: Normaliser) -> Tensor:
    """Float32 logits (images, classes) on the CPU. Batches are always cut alike: a net's rounding may depend on them."""
    store = ImageStore(split.images, recipe.device)
    parts = []
    with torch.inference_mode(), precision(recipe):
        for start in range(0, len(split.labels), SCORE_BATCH_IMAGES):
            index = np.arange(start, min(start + SCORE_BATCH_IMAGES, len(split.labels)))
            parts.append(model(normaliser(store.take(index))).float().cpu())
    return torch.cat(parts)


def _score_of(logits: Tensor, labels: Tensor) -> Score:
    """Count; the log-loss is summed in float64. Of equal logits the first class is taken."""
    classes = logits.shape[1]
    predicted = logits.argmax(dim=1)
    confusion = torch.bincount(labels * classes + predicted, minlength=classes * classes).view(classes, classes)
    log_loss = functional.cross_entropy(logits.double(), labels, reduction="sum")
    return Score(
        right=tuple((predicted == labels).tolist()),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        log_loss_sum=float(log_loss),
    )
