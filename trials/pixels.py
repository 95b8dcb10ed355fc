"""The way from a split's uint8 images to what a net sees: picked by row, on the recipe's device, normalised.

Holds no randomness and changes no image. On the CPU images stay where they are mapped; a GPU gets them all once.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from searchspaces.arrays import ImageBatch, Images
from trials.values import Recipe


class ImageStore:
    """The images of a split, uint8 (images, channels, height, width), ready to be picked from."""

    def __init__(self, images: Images, device: str) -> None:
        self._images = images
        self._on_device = torch.from_numpy(np.array(images)).to(device) if device != "cpu" else None

    def take(self, index: np.ndarray) -> ImageBatch:
        """A copy of the images at `index`, in its order."""
        if self._on_device is None:
            return torch.from_numpy(np.asarray(self._images[index]))
        return self._on_device[torch.from_numpy(index).to(self._on_device.device)]


class Normaliser:
    """Maps uint8 images to float32 ones with the training part's mean 0 and deviation 1 per channel.

    `mean` and `std` (above 0) are per channel, of pixels / 255.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], recipe: Recipe) -> None:
        self._mean = (255 * torch.tensor(mean, dtype=torch.float32, device=recipe.device)).view(1, -1, 1, 1)
        self._scale = (1 / (255 * torch.tensor(std, dtype=torch.float32, device=recipe.device))).view(1, -1, 1, 1)
        self._memory_format = torch.channels_last if recipe.channels_last else torch.contiguous_format

    def __call__(self, images: ImageBatch) -> Tensor:
        """Float32 images of the same shape, in the recipe's memory format."""
        return images.to(torch.float32, memory_format=self._memory_format).sub_(self._mean).mul_(self._scale)
