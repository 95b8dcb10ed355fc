"""What normalises inside the built-in nets: statistics of the batch, or of the image alone with standardised weights.

Group norm (Wu and He 2018, arXiv 1803.08494) with weight standardisation (Qiao et al. 2019, arXiv 1903.10520) does not depend on
the other images of a batch, so it takes batches of any size, of one image too. Refuses nothing; draws nothing.
"""

from typing import Any

import torch
from torch import Tensor, nn

from searchspaces.families.option import one_of
from trials.models.norm_relu import BatchNormReLU, GroupNormReLU

BATCH, GROUP = "batch", "group"
GROUP_CHANNELS = 16
"""Channels a group has at least: 16 is as good as any number that the paper tried (its table 3, right)."""

NORM = one_of("norm", "batch norm, or group norm with weight standardisation", (BATCH, GROUP))


class StandardisedConv2d(nn.Conv2d):
    """A convolution whose kernels have mean 0 and variance 1 / fan-in, whatever its weights are."""

    def forward(self, images: Tensor) -> Tensor:
        """As `nn.Conv2d`."""
        centred = self.weight - self.weight.mean(dim=(1, 2, 3), keepdim=True)
        spread = centred.pow(2).sum(dim=(1, 2, 3), keepdim=True)
        found: Tensor = self._conv_forward(images, centred * torch.rsqrt(spread + 1e-8), self.bias)
        return found


def convolution(inputs: int, outputs: int, norm: str, size: int = 3, stride: int = 1) -> nn.Conv2d:
    """A convolution without a bias, padded so that stride 1 keeps the size; standardised where `norm` is "group"."""
    kind = StandardisedConv2d if norm == GROUP else nn.Conv2d
    return kind(inputs, outputs, size, stride=stride, padding=size // 2, bias=False)


def normalisation(channels: int, norm: str) -> nn.Module:
    """The layer that follows a convolution, or comes before one, with its ReLU."""
    return GroupNormReLU(groups_of(channels), channels) if norm == GROUP else BatchNormReLU(channels)


def groups_of(channels: int) -> int:
    """The most groups of at least 16 channels that divide them evenly; one group where there are fewer."""
    most = max(1, channels // GROUP_CHANNELS)
    return next(groups for groups in range(most, 0, -1) if channels % groups == 0)


def block(inputs: int, outputs: int, norm: str) -> tuple[nn.Module, ...]:
    """A 3x3 convolution, its normalisation and a ReLU; the third keeps the names that weights had with a ReLU of its own."""
    return convolution(inputs, outputs, norm), normalisation(outputs, norm), nn.Identity()


def initialise_as_he(module: nn.Module, generator: torch.Generator) -> None:
    """Convolutions by He et al. 2015 (arXiv 1502.01852, of their outputs), the head small, scales 1 and shifts 0."""
    if isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
        module.reset_parameters()
    elif isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
    elif isinstance(module, nn.Linear):
        initialise_head(module, generator)


def initialise_head(module: nn.Linear, generator: torch.Generator) -> None:
    """Logits of about the size of what the layer is given; no bias."""
    nn.init.normal_(module.weight, std=module.in_features**-0.5, generator=generator)
    bias: Any = module.bias
    if bias is not None:
        nn.init.zeros_(bias)
