"""Fitting a net to the images: its first convolution to their channels, by the rule that timm has, and which layer is its head.

Kernels are summed over the channels for one channel, as an image whose channels are all the same would meet them; for N channels
they are repeated in turn and scaled by (channels had) / N, which keeps the size of what comes out (`adapt_input_conv` in timm's
`models/_manipulate.py`). Refuses nets whose first layer is no plain convolution.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from searchspaces.errors import BadInput


def with_channels(model: nn.Module, channels: int) -> nn.Module:
    """`model`, fresh, with a new first convolution for so many channels; its weights are as spread as they were meant to be.

    Draws from torch's global generator (`trials.lent`). BadInput where the first layer is no plain convolution.
    """
    first = first_convolution(model)
    if first is None:
        raise BadInput(f"channels {channels}: the net's first layer is no plain convolution to change; give images with 3")
    name, old = first
    shape: Any = (old.kernel_size, old.stride, old.padding, old.dilation)
    new = nn.Conv2d(channels, old.out_channels, *shape, bias=old.bias is not None)
    with torch.no_grad():
        wanted = old.weight.std() * math.sqrt(old.in_channels / channels)
        new.weight.mul_(wanted / new.weight.std())
        if new.bias is not None and old.bias is not None:
            new.bias.copy_(old.bias)
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, new)
    return model


def first_convolution(model: nn.Module) -> tuple[str, nn.Conv2d] | None:
    """The convolution that meets the images, with its name: the first that the net has, if that is not one in groups."""
    convolutions = ((name, module) for name, module in model.named_modules() if isinstance(module, nn.Conv2d))
    found = next(convolutions, None)
    return found if found is not None and found[1].groups == 1 else None


def for_channels(weight: Tensor, channels: int) -> Tensor:
    """A first convolution's weight (outputs, channels had, height, width) for so many channels, by the rule above."""
    had = weight.shape[1]
    if channels == had:
        return weight
    if channels == 1:
        return weight.float().sum(dim=1, keepdim=True).to(weight.dtype)
    repeated = weight.float().repeat(1, math.ceil(channels / had), 1, 1)[:, :channels]
    return (repeated * (had / channels)).to(weight.dtype)


def head_name(model: nn.Module, classes: int | None = None) -> str | None:
    """The name of the layer that tells the classes apart: the last linear one, or convolution, with as many outputs.

    Without `classes` the last one, whatever its outputs are; None where there is none.
    """
    layers = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    heads = [name for name, layer in layers if classes in (None, _outputs(layer))]
    return heads[-1] if heads else None


def _outputs(layer: nn.Linear | nn.Conv2d) -> int:
    return layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels
