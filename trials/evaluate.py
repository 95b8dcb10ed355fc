"""Scoring a trained net: every image of a split, in the split's order, as it is or by several views of it (`trials.views`).

The views' predictions are averaged as probabilities, not as logits: the mean of distributions is one, whose log-loss is never
above the mean of theirs, and a view can say no worse of a class than that it is impossible. Nothing depends on chance. Refuses
logits that aren't finite: a net that gives them has no score.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from searchspaces.views import IDENTITY, views_count
from trials.data import Split
from trials.machine import reproducible
from trials.models import build_model
from trials.pixels import ImageStore, Normaliser
from trials.places import Location
from trials.recipes import check_recipe
from trials.seeds import torch_generator
from trials.share import ALONE, Share
from trials.values import Recipe, Score
from trials.views import Show, showings
from trials.weights import load_weights

SCORE_BATCH_IMAGES = 250  # what a net makes of so many fits the cache: a small net takes half the time that it takes for 500


class NotFinite(ArithmeticError):
    """A loss or a logit is NaN or infinite; the message says which, in one line."""


def score(
    model: nn.Module,
    split: Split,
    recipe: Recipe,
    mean: Sequence[float],
    std: Sequence[float],
    views: str = IDENTITY,
    share: Share = ALONE,
) -> Score:
    """Score `model` (on the recipe's device) over `split`, in evaluation mode; the mode it came in is put back.

    `views` is not read from the recipe: a trial's own score, and whoever scores its net as the trial was judged, gives
    `views=recipe.views`; without it every image is shown once, as it is. The same net, images and views give the same score
    however many threads the caller uses. `mean` and `std` are the training part's, per channel. Raises NotFinite when a logit is
    NaN or infinite, BadInput for unknown views.
    """
    with evaluating(model), reproducible(recipe):
        outputs = _outputs(model, split, recipe, Normaliser(mean, std, recipe), views, share)
    return _score_of(outputs, torch.from_numpy(np.array(split.labels)))


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Inside, the net is in evaluation mode; then each of its modules is in its own again: frozen ones never train."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def load_model(weights_path: Location, sha256: str, channels: int, classes: int, recipe: Recipe) -> nn.Module:
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


def _outputs(model: nn.Module, split: Split, recipe: Recipe, normaliser: Normaliser, views: str, share: Share) -> Tensor:
    """What the net says of each image: the logits of one view, or the logarithms of the mean of several views' probabilities."""
    store = ImageStore(split.images, recipe.device)
    count = views_count(views)
    total: Tensor | None = None
    for show in showings(views, split.images.shape):
        logits = _logits(model, store, (len(split.labels), len(split.classes)), recipe, normaliser, show, share)
        if not torch.isfinite(logits).all():
            raise NotFinite("the net's outputs on the scored images are not finite")
        if count == 1:
            return logits
        likely = logits.double().log_softmax(dim=1)
        total = likely if total is None else torch.logaddexp(total, likely)
    assert total is not None, "there is at least one view"
    return total - math.log(count)


def _logits(
    model: nn.Module, store: ImageStore, shape: tuple[int, int], recipe: Recipe, normaliser: Normaliser, show: Show, share: Share
) -> Tensor:
    """Float32 logits (images, classes) on the CPU, of one view. Batches are always cut alike: rounding may depend on them."""
    # Gathered on the device: to fetch each batch's would be to wait for it.
    logits = torch.zeros(shape, device=recipe.device)
    with torch.inference_mode(), precision(recipe):
        for number, start in enumerate(range(0, shape[0], SCORE_BATCH_IMAGES)):
            if share.is_mine(number):
                index = np.arange(start, min(start + SCORE_BATCH_IMAGES, shape[0]))
                logits[start : start + len(index)] = model(normaliser(show(store.take(index), index))).float()
    return share.add_up(logits).cpu()  # of each image one process has the logits, and the others zeros


def _score_of(logits: Tensor, labels: Tensor) -> Score:
    """Count; the log-loss is summed in float64. Of equal logits the first class is taken. Logarithms of probabilities will do."""
    classes = logits.shape[1]
    predicted = logits.argmax(dim=1)
    confusion = torch.bincount(labels * classes + predicted, minlength=classes * classes).view(classes, classes)
    log_loss = functional.cross_entropy(logits.double(), labels, reduction="sum")
    return Score(
        right=tuple((predicted == labels).tolist()),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        log_loss_sum=float(log_loss),
    )
