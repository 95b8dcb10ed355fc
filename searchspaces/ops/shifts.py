"""Ops that move an image by whole pixels or mirror it: translate (fraction or pixels), crop, hflip, vflip.

Exact on every device.
"""

from typing import Any

import torch
from torch import Tensor

from searchspaces.arrays import ImageBatch, PerImageValues
from searchspaces.ops.nearest import take_nearest
from searchspaces.ops.op import Op, Parameter, Setting, Span


def translate_x(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """Content moved right by int(fraction * width) pixels, left where negative; truncated towards zero as torchvision does."""
    return _moved(images, (values[:, 0] * images.shape[3]).trunc(), None, setting.fill)


def translate_y(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """Content moved down by int(fraction * height) pixels, up where negative; truncated towards zero as torchvision does."""
    return _moved(images, None, (values[:, 0] * images.shape[2]).trunc(), setting.fill)


def translate_x_px(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """Content moved right by so many pixels, left where negative."""
    return _moved(images, values[:, 0], None, setting.fill)


def translate_y_px(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """Content moved down by so many pixels, up where negative."""
    return _moved(images, None, values[:, 0], setting.fill)


def crop(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """A window of the image's own size whose upper left corner is at (x_px, y_px) of the image; what lies outside is fill."""
    return _moved(images, -values[:, 0], -values[:, 1], setting.fill)


def hflip(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """Left and right exchanged where the amount is 1."""
    return _mirrored(images, values, axis=3)


def vflip(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """Top and bottom exchanged where the amount is 1."""
    return _mirrored(images, values, axis=2)


def _mirrored(images: ImageBatch, values: PerImageValues, axis: int) -> ImageBatch:
    flipped = images.flip(axis)
    off = values[:, 0] == 0
    flipped[off] = images[off]
    return flipped


def _moved(images: ImageBatch, right: Tensor | None, down: Tensor | None, fill: int) -> ImageBatch:
    """Content moved by whole pixels per image; None: not along that axis."""
    rows = torch.arange(images.shape[2], device=images.device).view(1, -1, 1)
    columns = torch.arange(images.shape[3], device=images.device).view(1, 1, -1)
    source_y = rows if down is None else rows - down.long().view(-1, 1, 1)
    source_x = columns if right is None else columns - right.long().view(-1, 1, 1)
    return take_nearest(images, source_y, source_x, fill)


def translate_reference(image: Any, right: int, down: int, fill: int) -> Any:
    """Torchvision's affine, as its RandAugment calls it to translate."""
    from torchvision.transforms.v2 import functional

    return functional.affine(image, angle=0.0, translate=[right, down], scale=1.0, shear=[0.0, 0.0], fill=float(fill))


def translate_x_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """RandAugment's TranslateX of fraction * width."""
    return translate_reference(image, int(values[0] * image.shape[-1]), 0, setting.fill)


def translate_y_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """RandAugment's TranslateY of fraction * height."""
    return translate_reference(image, 0, int(values[0] * image.shape[-2]), setting.fill)


def translate_x_px_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """TrivialAugmentWide's TranslateX."""
    return translate_reference(image, int(values[0]), 0, setting.fill)


def translate_y_px_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """TrivialAugmentWide's TranslateY."""
    return translate_reference(image, 0, int(values[0]), setting.fill)


def crop_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """Torchvision's pad by as much as the window can leave the image, then its crop: what RandomCrop with padding does."""
    from torchvision.transforms.v2 import functional

    x_px, y_px = int(values[0]), int(values[1])
    height, width = image.shape[-2:]
    padded = functional.pad(image, [abs(x_px), abs(y_px)], fill=setting.fill)
    return functional.crop(padded, top=y_px + abs(y_px), left=x_px + abs(x_px), height=height, width=width)


def hflip_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """Torchvision's horizontal flip."""
    from torchvision.transforms.v2 import functional

    return functional.horizontal_flip(image) if values[0] else image


def vflip_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """Torchvision's vertical flip."""
    from torchvision.transforms.v2 import functional

    return functional.vertical_flip(image) if values[0] else image


_RANDAUGMENT = "torchvision 0.29 transforms/v2/_auto_augment.py, RandAugment"
_TRIVIALAUGMENT = "torchvision 0.29 transforms/v2/_auto_augment.py, TrivialAugmentWide"
_UNIFORMAUGMENT = "UniformAugment's published code (tgilewicz/uniformaugment, augmentations.py)"
_FRACTION = {
    "standard": Span(0.0, 150 / 331, f"{_RANDAUGMENT}: 150 of 331 pixels"),
    "uniform": Span(0.0, 0.45, _UNIFORMAUGMENT),
}
_PIXELS = {"wide": Span(0.0, 32.0, f"{_TRIVIALAUGMENT}: 32 pixels whatever the image's size")}
_FLIP = Span(1.0, 1.0, "it has no strength")


def _px(name: str) -> Parameter:
    return Parameter(name, "pixels", identity=0.0, low=-512.0, high=512.0, whole=True)


OPS = (
    Op(
        name="translate_x",
        meaning="taken from (x - d, y), d = fraction W without its decimals (towards 0)",
        parameters=(Parameter("fraction", "of the width", identity=0.0, low=-1.0, high=1.0),),
        kind="geometry",
        kernel=translate_x,
        source=_RANDAUGMENT,
        reference=translate_x_reference,
        signed=True,
        spans=_FRACTION,
    ),
    Op(
        name="translate_y",
        meaning="taken from (x, y - d), d = fraction H without its decimals (towards 0)",
        parameters=(Parameter("fraction", "of the height", identity=0.0, low=-1.0, high=1.0),),
        kind="geometry",
        kernel=translate_y,
        source=_RANDAUGMENT,
        reference=translate_y_reference,
        signed=True,
        spans=_FRACTION,
    ),
    Op(
        name="translate_x_px",
        meaning="taken from (x - pixels, y)",
        parameters=(_px("pixels"),),
        kind="geometry",
        kernel=translate_x_px,
        source=_TRIVIALAUGMENT,
        reference=translate_x_px_reference,
        signed=True,
        spans=_PIXELS,
    ),
    Op(
        name="translate_y_px",
        meaning="taken from (x, y - pixels)",
        parameters=(_px("pixels"),),
        kind="geometry",
        kernel=translate_y_px,
        source=_TRIVIALAUGMENT,
        reference=translate_y_px_reference,
        signed=True,
        spans=_PIXELS,
    ),
    Op(
        name="crop",
        meaning="taken from (x + x_px, y + y_px)",
        parameters=(_px("x_px"), _px("y_px")),
        kind="geometry",
        kernel=crop,
        source="the padded random crop of the CIFAR recipes; torchvision 0.29 RandomCrop with padding",
        reference=crop_reference,
    ),
    Op(
        name="hflip",
        meaning="with amount 1 taken from (W - 1 - x, y)",
        parameters=(Parameter("amount", "0 or 1", identity=0.0, low=0.0, high=1.0, whole=True),),
        kind="geometry",
        kernel=hflip,
        source="torchvision 0.29 transforms/v2/functional, horizontal_flip",
        reference=hflip_reference,
        spans={"standard": _FLIP, "wide": _FLIP},
    ),
    Op(
        name="vflip",
        meaning="with amount 1 taken from (x, H - 1 - y)",
        parameters=(Parameter("amount", "0 or 1", identity=0.0, low=0.0, high=1.0, whole=True),),
        kind="geometry",
        kernel=vflip,
        source="torchvision 0.29 transforms/v2/functional, vertical_flip",
        reference=vflip_reference,
        spans={"standard": _FLIP, "wide": _FLIP},
    ),
)
