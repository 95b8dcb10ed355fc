"""The small net, the usual one: for images of 28 to 64 pixels on a CPU. It takes any size from 1 pixel."""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from searchspaces.families.option import whole_number
from trials.models.model import Model
from trials.models.norms import BATCH, NORM, block, initialise_head


class SmallNet(nn.Module):
    """Five 3x3 convolutions on half the resolution: 144,000 weights for 3 channels and 10 classes.

    The stem trades resolution for channels (pixel unshuffle by 2), which is what makes it quick on a CPU.
    """

    def __init__(self, channels: int, classes: int, width: int = 32, norm: str = BATCH) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *block(4 * channels, width, norm),
            *block(width, width, norm),
            nn.MaxPool2d(2, ceil_mode=True),
            *block(width, 2 * width, norm),
            *block(2 * width, 2 * width, norm),
            nn.MaxPool2d(2, ceil_mode=True),
            *block(2 * width, 4 * width, norm),
        )
        self.head = nn.Linear(4 * width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (images, classes) of float images (images, channels, height, width)."""
        height, width = images.shape[2:]
        even = functional.pad(images, (0, width % 2, 0, height % 2))
        features: Tensor = self.features(functional.pixel_unshuffle(even, 2))
        logits: Tensor = self.head(features.mean(dim=(2, 3)))
        return logits


def _initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Convolutions start as torch's do, but hand on their input in as many channels as it has (Jordan 2024, arXiv 2404.00498)."""
    if isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
        module.reset_parameters()
    elif isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, a=5**0.5, generator=generator)
        nn.init.dirac_(module.weight.data[: module.in_channels])
    elif isinstance(module, nn.Linear):
        initialise_head(module, generator)


MODEL = Model(
    "small",
    "five convolutions, quick on a CPU; for 28 to 64 px",
    "this project, after Jordan 2024 (arXiv 2404.00498)",
    SmallNet,
    _initialise,
    (replace(whole_number("width", "channels of the first convolution", 8, 1024, 32), example="64"), NORM),
)
