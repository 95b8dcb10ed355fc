"""Two readers of changed images that err in different ways: a trained net, and the nearest training images.

What a net makes of images unlike all it has met is arbitrary; that the nearest training images are of the same class is not.
Holds no judgement of what the readings mean. Nothing is drawn at random.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor, nn
from torch.nn import functional

from searchspaces.arrays import ImageBatch, Images, Labels
from searchspaces.engines.grouped import apply  # a few seconds' work, which need not wait for a compiler
from searchspaces.ops import find_op
from searchspaces.plan import Plan
from trials.data import Split
from trials.evaluate import SCORE_BATCH_IMAGES, precision
from trials.pixels import Normaliser
from trials.values import Recipe

KNOWN_IMAGES, NEIGHBOURS, COARSE_SIDE = 2_000, 5, 14
UNTYPICAL = 0.05
"""An image is typical of a class if it is as like a training image as all but this share of that class's own images are."""
BLANK_LEVELS = 2
"""Of an image whose channels span no more grey levels than this, nothing is left."""
NO_CLASS = -1


@dataclass(frozen=True)
class Read:
    """What each image was read as: by the net, and by the neighbours; `near` by those of the neighbours that are typical ones.

    `NO_CLASS` where the neighbours are too unlike. `blank`: nothing is left to read.
    """

    net: Int64[np.ndarray, "images"]
    far: Int64[np.ndarray, "images"]
    near: Int64[np.ndarray, "images"]
    blank: np.ndarray


class Readers:
    """Both readers, who know `train`; `learn_typical` teaches them how like is like enough."""

    def __init__(self, model: nn.Module, train: Split, recipe: Recipe, normaliser: Normaliser) -> None:
        self._model, self._recipe, self._normaliser = model, recipe, normaliser
        rows = stratified_rows(train.labels, KNOWN_IMAGES)
        self._known = torch.cat([_coarse(part) for part in self._on_device(train.images, rows)])
        self._labels = torch.from_numpy(np.array(train.labels[rows])).long().to(recipe.device)
        self._classes = len(train.classes)
        self._least = torch.zeros(self._classes, device=recipe.device)

    def _on_device(self, images: Images, rows: Int64[np.ndarray, "images"]) -> Iterator[ImageBatch]:
        for start in range(0, len(rows), SCORE_BATCH_IMAGES):
            yield torch.from_numpy(np.array(images[rows[start : start + SCORE_BATCH_IMAGES]])).to(self._recipe.device)

    def read(self, images: Images, rows: Int64[np.ndarray, "images"], op: str = "identity", value: float = 1.0) -> Read:
        """What the images at `rows` are read as after an op at one strength."""
        reads = [self._read(applied(part, op, value)) for part in self._on_device(images, rows)]
        return Read(*(np.concatenate([getattr(read, name) for read in reads]) for name in ("net", "far", "near", "blank")))

    def learn_typical(self, images: Images, rows: Int64[np.ndarray, "images"], labels: Labels) -> None:
        """Note for each class how like a training image its own images are, but for the least like of them."""
        likeness = torch.cat([self._neighbours(part)[1] for part in self._on_device(images, rows)])
        of_class = torch.from_numpy(np.array(labels)).to(likeness.device)
        for one in range(self._classes):
            own = likeness[of_class == one]
            self._least[one] = torch.quantile(own, UNTYPICAL) if len(own) else 1.0

    def _read(self, images: ImageBatch) -> Read:
        with torch.inference_mode(), precision(self._recipe):
            net = self._model(self._normaliser(images)).float().argmax(1)
        far, likeness = self._neighbours(images)
        near = torch.where(likeness >= self._least[far], far, NO_CLASS)
        levels = images.flatten(2).int()
        blank = (levels.amax(2) - levels.amin(2) <= BLANK_LEVELS).all(1)
        return Read(*(found.cpu().numpy() for found in (net, far, near, blank)))

    def _neighbours(self, images: ImageBatch) -> tuple[Int64[Tensor, "images"], Float32[Tensor, "images"]]:
        """The class that the nearest training images vote for, each by its likeness, and the likeness of the nearest."""
        likeness, nearest = (_coarse(images) @ self._known.T).topk(min(NEIGHBOURS, len(self._labels)), dim=1)
        votes = functional.one_hot(self._labels[nearest], self._classes) * likeness[:, :, None]
        return votes.sum(1).argmax(1), likeness[:, 0]


def applied(images: ImageBatch, op: str, value: float) -> ImageBatch:
    """The images after the op at one strength: its other values do nothing, noise has a fixed seed for each image."""
    found, shape = find_op(op), (len(images), 1)
    values = np.tile(np.array((value, *found.identity[1:]), dtype=np.float64), (*shape, 1))
    seeds = np.arange(len(images), dtype=np.int64)[:, None] if found.seeded else None
    codes = np.full(shape, ("identity", op).index(op), dtype=np.int16)
    return apply(images, Plan(tuple(dict.fromkeys(("identity", op))), codes, values, seeds=seeds))


def stratified_rows(labels: Labels, most: int) -> Int64[np.ndarray, "images"]:
    """At most so many rows, ascending, the first of each class and as many of each as there are; at least one of each."""
    classes = np.unique(labels)
    each = max(1, most // len(classes))
    return np.sort(np.concatenate([np.flatnonzero(labels == one)[:each] for one in classes])).astype(np.int64)


def _coarse(images: ImageBatch) -> Float32[Tensor, "images cells"]:
    """Each image in 14 x 14 cells a channel, without its mean and of length one, so that the product of two is their likeness."""
    cells = functional.adaptive_avg_pool2d(images.float(), COARSE_SIDE).flatten(1)
    return functional.normalize(cells - cells.mean(1, keepdim=True), dim=1)
