"""The training loop: the recipe's optimiser on the recipe's schedule, one epoch at a time.

Refuses to go on from a loss that isn't finite. What augmentation does is drawn before (`Plan`); the loop only has it carried out.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle, islice
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from searchspaces.mixing import Mixing, mix_images, mix_labels
from searchspaces.plan import Plan
from searchspaces.sending import sent
from trials.averaging import WeightMean
from trials.data import Split
from trials.dropout import HeadDropout
from trials.evaluate import NotFinite, precision
from trials.optimisers import make_optimiser
from trials.pixels import ImageStore, Normaliser
from trials.schedule import learning_rate
from trials.share import ALONE, Share
from trials.spans import Spans
from trials.values import Recipe

FEWEST_IMAGES = 2  # of a part of a batch: the statistics of one image are none
DrawMixing: TypeAlias = Callable[[int, tuple[int, int]], Mixing]
"""How to mix a batch of so many images with these sides (height, width)."""


class Trainer:
    """A net in training for `epochs` epochs over the split `train`.

    `spans` receives the time of augmenting and of stepping, `ran` the engines that augmented. With a `share` other processes
    train the same net on their parts of each batch (`trials.sharing`).
    """

    def __init__(
        self,
        model: nn.Module,
        train: Split,
        normaliser: Normaliser,
        recipe: Recipe,
        epochs: int,
        spans: Spans,
        ran: set[str],
        share: Share = ALONE,
    ) -> None:
        self._model, self._normaliser, self._recipe, self._spans = model, normaliser, recipe, spans
        self._ran, self._classes, self._share = ran, len(train.classes), share
        self._images = ImageStore(train.images, recipe.device, train.whole)
        self._labels = torch.from_numpy(np.array(train.labels)).to(recipe.device)
        self._mean = WeightMean(model, recipe.ema_decay) if recipe.ema_decay else None
        self._dropout = HeadDropout(model, recipe.dropout) if recipe.dropout else None
        self._optimiser = make_optimiser(model, recipe, self._classes)
        self._steps = epochs * batches_per_epoch(len(train.labels), recipe.batch_images)
        self._step = 0

    @property
    def net(self) -> nn.Module:
        """The net that is scored and kept: the running mean of the one in training, where the recipe wishes that."""
        return self._model if self._mean is None else self._mean.model

    def drop_by(self, generator: torch.Generator) -> None:
        """Have this generator, on the recipe's device, draw the dropout of the steps that follow."""
        if self._dropout is not None:
            self._dropout.generator = generator

    def train_epoch(self, order: np.ndarray, plan: Plan, draw_mixing: DrawMixing | None = None) -> float:
        """One pass over the images in `order` (a permutation), augmented by `plan` (in image order); the mean loss of its images.

        `draw_mixing` is called once for each batch, in order; None: none are mixed. Raises NotFinite when the
        loss is NaN or infinite.
        """
        return self._run(self._batches(order), plan, draw_mixing, self._spans)

    def rehearse(self, order: np.ndarray, plan: Plan, draw_mixing: DrawMixing | None, steps: int, warm_up: int) -> float:
        """`train_epoch` ended after so many steps, where an epoch is shorter with its batches met again; the mean loss.

        The first `warm_up` steps (fewer than `steps`) have a span of their own, so that those of the others are what steps take.
        """
        self._steps = max(self._steps, steps)
        batches = list(islice(cycle(self._batches(order)), steps))
        with self._spans.timed("warm_up"):
            self._run(batches[:warm_up], plan, draw_mixing, Spans())
        return self._run(batches[warm_up:], plan, draw_mixing, self._spans)

    def state(self) -> dict[str, Any]:
        """What training goes on from at the end of an epoch: plain values and tensors, the live ones, by name."""
        mean = {} if self._mean is None else {"mean": self._mean.state()}
        return {"model": self._model.state_dict(), "optimiser": self._optimiser.state_dict(), "step": self._step, **mean}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` said, of a trainer made alike. Raises RuntimeError, LookupError or ValueError for another's."""
        self._model.load_state_dict(state["model"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._step = state["step"]
        if self._mean is not None:
            self._mean.restore(state["mean"])

    def _batches(self, order: np.ndarray) -> list[np.ndarray]:
        return np.array_split(order, batches_per_epoch(len(order), self._recipe.batch_images))

    def _run(self, batches: Sequence[np.ndarray], plan: Plan, draw_mixing: DrawMixing | None, spans: Spans) -> float:
        loss_sum = torch.zeros((), dtype=torch.float64, device=self._recipe.device)
        for block in _blocks(batches, max(1, self._images.block_images // self._recipe.batch_images)):
            with spans.timed("augment"):
                # Mixed images may have partners in another process's part.
                mine = block if draw_mixing is not None else [index[self._share.part(len(index))] for index in block]
                ready = self._images.augmented(mine, plan, self._normaliser, self._ran)
            with spans.timed("step"):
                for index, images in zip(block, ready, strict=True):
                    labels = self._labels[sent(index, self._labels.device)]
                    if draw_mixing is not None:
                        mixing = draw_mixing(len(index), (images.shape[2], images.shape[3]))
                        images, labels = mix_images(images, mixing), mix_labels(labels, self._classes, mixing)
                        images = images[self._share.part(len(index))]
                    loss_sum += self._one_step(images, labels)
        self._share.agree([self._model] if self._mean is None else [self._model, self._mean.model])
        loss = float(self._share.add_up(loss_sum)) / sum(map(len, batches))
        if not math.isfinite(loss):
            raise NotFinite(f"training loss is {loss}")
        return loss

    def _one_step(self, images: Tensor, labels: Tensor) -> Tensor:
        """Take one optimiser step; the summed loss of the images: this process's part of a batch, normalised. Labels are the
        whole batch's: classes, or shares of each class.
        """
        rate = learning_rate(self._step, self._steps, self._recipe)
        for group in self._optimiser.param_groups:
            group["lr"] = rate * group["learning_rate_factor"]
        self._optimiser.zero_grad(set_to_none=True)
        loss_sum = self._gather_gradients(images, labels)
        self._share.add_up_gradients(self._model)
        if self._recipe.gradient_clip:
            nn.utils.clip_grad_norm_(self._model.parameters(), self._recipe.gradient_clip)
        self._optimiser.step()
        if self._mean is not None:
            self._mean.update(self._model)
        self._step += 1
        return loss_sum

    def _gather_gradients(self, images: Tensor, labels: Tensor) -> Tensor:
        """Their part of the gradients of the batch's mean loss, in parts where the recipe wishes that; their summed loss."""
        whole, labels = len(labels), labels[self._share.part(len(labels))]
        parts = max(1, min(self._recipe.batch_parts, len(labels) // FEWEST_IMAGES))
        loss_sums = []
        for some, theirs in zip(images.tensor_split(parts), labels.tensor_split(parts), strict=True):
            with precision(self._recipe):
                logits = self._model(some)
            loss = functional.cross_entropy(logits.float(), theirs, label_smoothing=self._recipe.label_smoothing)
            torch.autograd.backward(loss if len(theirs) == whole else loss * (len(theirs) / whole))
            loss_sums.append(loss.detach() * len(theirs))
        return sum(loss_sums[1:], loss_sums[0])


def batches_per_epoch(images: int, batch_images: int) -> int:
    """Batches in a pass, each of at most `batch_images` and all as large to within one image, so that no statistics are poor."""
    return max(1, math.ceil(images / batch_images))


def _blocks(batches: Sequence[np.ndarray], size: int) -> Iterator[Sequence[np.ndarray]]:
    for start in range(0, len(batches), size):
        yield batches[start : start + size]
