"""A few training images of a source, to be looked at before anything is prepared: nothing is written, no test image is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trials.data.chosen import told_apart
from trials.data.source import Source, understand
from trials.data.splits import choose_parts

if TYPE_CHECKING:
    from searchspaces.arrays import Images, Labels
    from trials.data.pools import Rows


def example_images(source: Source, count: int) -> tuple[Images, tuple[str, ...]]:
    """At most `count` training images (images, channels, height, width) and their classes: one of each class, then others.

    Training images are those that a search with this source's seed trains on, as far as that is known before
    near copies are. `BadInput` for data that can't be used.
    """
    pools = understand(source).load()
    part = choose_parts(pools, source.train_images, source.val_images, source.seed, told_apart(pools, source))["train"]
    labels = part.pool.labels[part.rows]
    shown = one_of_each_class(labels, count)
    rows = part.rows[shown]
    images = np.empty((len(rows), *part.pool.shape(rows)), dtype=np.uint8)
    part.pool.read(rows, images, lambda done: None)
    return images, tuple(pools.classes[label] for label in labels[shown])


def one_of_each_class(labels: Labels, count: int) -> Rows:
    """At most `count` rows: the first of each class, in the classes' order, then the others in theirs."""
    first = np.unique(labels, return_index=True)[1]
    others = np.setdiff1d(np.arange(len(labels)), first)
    return np.concatenate([first, others])[:count].astype(np.int64)
