"""The batch part of a policy as a `collate_fn` for torch's DataLoader: a batch is put together, then its images are mixed.

It reads torch's default generator, as the transform does, so `torch.manual_seed` reproduces a run. Refuses levels: images have
to be floats by then, normalised or not.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate

from searchspaces.errors import BadInput
from searchspaces.framing import Batch
from searchspaces.mixing import draw_mixing, mix_images, mix_labels


class MixingCollate:
    """Puts samples (image, label) together to a batch: images, and labels as shares of each class, float32 (images, classes).

    `batch` is the batch part of a policy; where it mixes nothing, the images are only put together. Labels are whole, 0 to
    `classes` - 1. What comes out goes into `torch.nn.functional.cross_entropy` as it is.
    """

    def __init__(self, batch: Batch, classes: int) -> None:
        if isinstance(classes, bool) or not isinstance(classes, int) or classes < 1:
            raise BadInput(f"classes: {classes!r}; allowed is a whole number from 1, the number of classes")
        self.batch, self.classes = batch, classes

    def __call__(self, samples: Sequence[tuple[Any, Any]]) -> tuple[Tensor, Tensor]:
        """The batch of these samples: tensors or arrays (channels, height, width) of floats, all as large, with their labels.

        Each call takes one number from torch's default generator. BadInput for other images and labels.
        """
        images, labels = default_collate([tuple(sample) for sample in samples])
        generator = np.random.default_rng(int(torch.randint(2**63 - 1, ())))
        mixing = draw_mixing(self.batch, len(images), (images.shape[-2], images.shape[-1]), generator)
        return mix_images(images, mixing), mix_labels(labels, self.classes, mixing)

    def __repr__(self) -> str:
        return f"MixingCollate({self.batch}, classes={self.classes})"
