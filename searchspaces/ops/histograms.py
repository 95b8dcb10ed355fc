"""Ops that stretch each channel's levels by what the image holds: autocontrast, equalize. Their amount is 0 or 1: off or on."""

from typing import Any

import torch
from torch import Tensor

from searchspaces.arrays import ImageBatch, PerImageValues
from searchspaces.ops.op import Op, Parameter, Setting, Span
from searchspaces.ops.tables import LEVELS, ramp, through_tables, truncated


def autocontrast(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """Each channel stretched so that its darkest level becomes 0 and its brightest 255; a channel of one level stays."""
    darkest, brightest = images.amin(dim=(2, 3)).unsqueeze(2), images.amax(dim=(2, 3)).unsqueeze(2)
    scale = ((brightest - darkest).to(torch.float32) * (1.0 / 255)).clamp_(min=1e-3)
    tables = truncated((ramp(values) - darkest) / scale)
    return _unless(darkest == brightest, images, values, tables)


def equalize(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """Each channel's histogram made as even as a map of levels can, by PIL's rule; a channel with too few levels stays."""
    # Whole numbers below 2 ** 53, for which float64 gives the same floors as integers do, and sooner.
    counts = _counts(images).to(torch.float64)
    below = counts.cumsum(2) - counts
    brightest = images.amax(dim=(2, 3)).unsqueeze(2).long()
    step = (below.gather(2, brightest) / 255).floor_()
    tables = truncated((below + (step / 2).floor_()) / step.clamp(min=1))
    return _unless(step == 0, images, values, tables)


def _counts(images: ImageBatch) -> Tensor:
    """How many pixels have each level, int64 (images, channels, 256)."""
    count, channels = images.shape[:2]
    tables = torch.arange(count * channels, dtype=torch.int32, device=images.device) * LEVELS
    cells = images.reshape(count * channels, -1) + tables.view(-1, 1)
    return torch.bincount(cells.flatten(), minlength=count * channels * LEVELS).view(count, channels, LEVELS)


def _unless(stays: Tensor, images: ImageBatch, values: PerImageValues, tables: Tensor) -> ImageBatch:
    """The images through their tables, (images, channels, 256), but for channels that stay (images, channels, 1) and amount 0."""
    tables[(stays | (values[:, :1, None] == 0)).squeeze(2)] = ramp(values).to(torch.uint8)
    return through_tables(images, tables)


def autocontrast_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """Torchvision's autocontrast."""
    from torchvision.transforms.v2 import functional

    return functional.autocontrast(image) if values[0] else image


def equalize_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """Torchvision's equalize."""
    from torchvision.transforms.v2 import functional

    return functional.equalize(image) if values[0] else image


_AMOUNT = Parameter("amount", "0 or 1", identity=0.0, low=0.0, high=1.0, whole=True)
_SPAN = Span(1.0, 1.0, "it has no strength")
_SOURCE = "torchvision 0.29 transforms/v2/functional/_color.py"

OPS = (
    Op(
        name="autocontrast",
        elsewhere={
            "papers": "AutoContrast",
            "timm": "`AutoContrast`",
            "Albumentations": "`AutoContrast`, another op: up to 13 levels off",
        },
        meaning=(
            "with amount 1 and the channel's lowest and highest level a < b: cut((v - a) / ((b - a) / "
            "255)); a channel of one level stays"
        ),
        parameters=(_AMOUNT,),
        kind="tone",
        kernel=autocontrast,
        source=f"{_SOURCE}, autocontrast",
        reference=autocontrast_reference,
        spans={"standard": _SPAN, "wide": _SPAN, "uniform": _SPAN},
    ),
    Op(
        name="equalize",
        elsewhere={
            "papers": "Equalize",
            "timm": "`Equalize`",
            "Albumentations": "`Equalize`, up to 64 levels off (its `pil` mode: 5)",
        },
        meaning=(
            "with amount 1: n(v) pixels of the channel are below v, b is its highest level, s = "
            "floor(n(b) / 255); cut((n(v) + floor(s / 2)) / s); if s is 0 the channel stays"
        ),
        parameters=(_AMOUNT,),
        kind="tone",
        kernel=equalize,
        source=f"{_SOURCE}, equalize",
        reference=equalize_reference,
        spans={"standard": _SPAN, "wide": _SPAN, "uniform": _SPAN},
    ),
)
