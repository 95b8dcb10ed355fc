"""The nets a trial can train, by name. Each takes normalised images of any size from 1 pixel, any number of channels and classes.

Weights are drawn from a generator passed in; building a net leaves torch's global generator alone. Refuses unknown names.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from searchspaces.errors import BadInput


class SmallNet(nn.Module):
    """Five 3x3 convolutions on half the resolution: 144,000 weights for 3 channels and 10 classes.

    The stem trades resolution for channels (pixel unshuffle by 2), which is what makes it quick on a CPU.
    """

    def __init__(self, channels: int, classes: int, width: int = 32) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_block(4 * channels, width),
            *_block(width, width),
            nn.MaxPool2d(2, ceil_mode=True),
            *_block(width, 2 * width),
            *_block(2 * width, 2 * width),
            nn.MaxPool2d(2, ceil_mode=True),
            *_block(2 * width, 4 * width),
        )
        self.head = nn.Linear(4 * width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (images, classes) of float images (images, channels, height, width)."""
        height, width = images.shape[2:]
        even = functional.pad(images, (0, width % 2, 0, height % 2))
        features: Tensor = self.features(functional.pixel_unshuffle(even, 2))
        logits: Tensor = self.head(features.mean(dim=(2, 3)))
        return logits


MODELS: Mapping[str, Callable[[int, int], nn.Module]] = {"small": SmallNet}


def build_model(name: str, channels: int, classes: int, generator: torch.Generator) -> nn.Module:
    """A fresh net on the CPU in training mode, its weights drawn from `generator`. Raises BadInput for an unknown name."""
    if name not in MODELS:
        raise BadInput(f"model: {name!r}; allowed are {', '.join(sorted(MODELS))}")
    with torch.device("meta"):
        model = MODELS[name](channels, classes)
    model.to_empty(device="cpu")
    for module in model.modules():
        _initialise(module, generator)
    return model


def _block(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)


def _initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Convolutions start as torch's do, but hand on their input in as many channels as it has (Jordan 2024, arXiv 2404.00498)."""
    if isinstance(module, nn.BatchNorm2d):
        module.reset_parameters()
    elif isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, a=5**0.5, generator=generator)
        nn.init.dirac_(module.weight.data[: module.in_channels])
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=module.in_features**-0.5, generator=generator)
        nn.init.zeros_(module.bias)
