"""Turning the colours of an image: hue. Refuses nothing that it can't see: grey images have no hue and stay as they are."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from searchspaces.arrays import ImageBatch, PerImageValues
from searchspaces.ops.levels import copy_levels
from searchspaces.ops.numpy_tones import hue_in_numpy
from searchspaces.ops.op import Op, Parameter, Setting

_SEXTANTS = ((0, 2, 1, 1, 3, 0, 0), (3, 0, 0, 2, 1, 1, 3), (1, 1, 3, 0, 0, 2, 1))
"""For red, green, blue: which of (value, p, q, t) each sixth of the colour circle takes; after the last comes the first again."""
_PACKED = tuple(sum(choice << 2 * sextant for sextant, choice in enumerate(row)) for row in _SEXTANTS)
"""The same, two bits a sixth: a shift is much quicker than a look-up per pixel."""
_BLOCK = 1024
_SMALL = 1e-3
"""Below any difference of two levels in [0, 1] but zero, so that it only keeps zeros from dividing."""


def hue(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """Hues turned by `turn` of a full circle, through float32 HSV as torchvision does it; a turn of 0 changes nothing."""
    if images.shape[1] == 1:
        return images.clone()
    turn = values[:, 0].to(torch.float32).view(-1, 1, 1)
    angle, saturation, value = _to_hsv(images.to(torch.float32) * (1.0 / 255))
    turned = _to_rgb(_wrapped(angle + turn), saturation, value)
    # torchvision's way back from [0, 1] to whole levels; it isn't always the way it came, so unturned images are kept.
    levels = turned.mul_(256.0 - 1e-3).to(torch.uint8)
    return torch.where(values[:, 0].view(-1, 1, 1, 1) == 0, images, levels)


def _to_hsv(shares: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Hue (of a circle), saturation and value of RGB in [0, 1], each (images, height, width), computed in torchvision's order."""
    value = shares.amax(1)
    spread = value - shares.amin(1)
    saturation = spread / value.clamp(min=_SMALL)
    distance = (value.unsqueeze(1) - shares) / spread.clamp(min=_SMALL).unsqueeze(1)
    from_red, from_green, from_blue = distance.unbind(1)
    when_green = (from_red + 2.0) - from_blue
    when_blue = (from_green + 4.0) - from_red
    # A distance is 0 for the greatest channel, so its sign chooses; lerp at 0 and 1 is exact and much quicker than where.
    when_not_red = torch.lerp(when_green, when_blue, from_green.sign())
    sixths = torch.lerp(from_blue - from_green, when_not_red, from_red.sign())
    return _wrapped(sixths * (1.0 / 6.0) + 1.0), saturation, value


def _wrapped(turns: Tensor) -> Tensor:
    """The part of a circle beyond whole turns, in [0, 1]."""
    return turns - turns.floor()


def _to_rgb(angle: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """RGB in [0, 1], (images, 3, height, width)."""
    sixths = angle * 6
    sextant = torch.floor(sixths)
    along = sixths - sextant
    scaled, rest = saturation * along, 1.0 - saturation
    p = (rest * value).clamp_(0.0, 1.0)
    q = ((1.0 - scaled) * value).clamp_(0.0, 1.0)
    t = ((scaled + rest) * value).clamp_(0.0, 1.0)
    packed = torch.tensor(_PACKED, dtype=torch.int32, device=angle.device).view(1, 3, 1, 1)
    choice = (packed >> sextant.to(torch.int32).mul_(2).unsqueeze(1)).bitwise_and_(3)
    # One index into the four planes laid end to end: gathering along the last dimension is the quick way.
    place = torch.arange(value[0].numel(), dtype=torch.int32, device=angle.device).view(value.shape[1:])
    index = choice.mul_(value[0].numel()).add_(place).long().flatten(1)
    return torch.stack((value, p, q, t), dim=1).flatten(1).gather(1, index).view(choice.shape)


def hue_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`hue` of one image in the same float32 steps, some hundred pixels at a time so that they stay near the processor."""
    channels, height, width = image.shape
    if channels == 1 or values[0] == 0:
        copy_levels(image, out)
        return
    pixels = height * width
    planes, turned = image.reshape(channels, pixels), out.reshape(channels, pixels)
    turn = np.float32(values[0])
    for start in range(0, pixels, _BLOCK):
        end = min(start + _BLOCK, pixels)
        red, green, blue = planes[0, start:end], planes[1, start:end], planes[2, start:end]
        circle = scratch[: end - start].view(np.float32)
        saturation, value = scratch[_BLOCK : _BLOCK + end - start].view(np.float32), scratch[2 * _BLOCK :].view(np.float32)
        _write_angle(red, green, blue, turn, circle)
        _write_saturation(red, green, blue, saturation)
        _write_value(red, green, blue, value)
        for channel in range(3):
            _write_levels(np.int32(_PACKED[channel]), circle, saturation, value, turned[channel, start:end])


# One array is written in each of these loops: with more the compiler gives up proving that they don't overlap.
def _write_angle(red: Any, green: Any, blue: Any, turn: np.float32, circle: Any) -> None:
    """The hue of every pixel, turned."""
    for i in range(len(circle)):
        r, g, b = _share(red[i]), _share(green[i]), _share(blue[i])
        value = max(r, g, b)
        divisor = max(value - min(r, g, b), np.float32(_SMALL))
        from_red, from_green, from_blue = (value - r) / divisor, (value - g) / divisor, (value - b) / divisor
        when_green = (from_red + np.float32(2)) - from_blue
        when_blue = (from_green + np.float32(4)) - from_red
        when_not_red = when_green if from_green == 0 else when_blue
        sixths = from_blue - from_green if from_red == 0 else when_not_red
        circle[i] = _part(_part(sixths * np.float32(1.0 / 6.0) + np.float32(1)) + turn)


def _write_saturation(red: Any, green: Any, blue: Any, saturation: Any) -> None:
    for i in range(len(saturation)):
        r, g, b = _share(red[i]), _share(green[i]), _share(blue[i])
        value = max(r, g, b)
        saturation[i] = (value - min(r, g, b)) / max(value, np.float32(_SMALL))


def _write_value(red: Any, green: Any, blue: Any, value: Any) -> None:
    for i in range(len(red)):
        value[i] = _share(max(red[i], green[i], blue[i]))


def _write_levels(packed: np.int32, circle: Any, saturation: Any, value: Any, out: Any) -> None:
    """One channel of the way back, as `_to_rgb`."""
    for i in range(len(out)):
        sixths = circle[i] * np.float32(6)
        sextant = np.floor(sixths)
        scaled, rest = saturation[i] * (sixths - sextant), np.float32(1) - saturation[i]
        choice = (packed >> (np.int32(2) * np.int32(sextant))) & np.int32(3)
        # One of value, p, q, t, the three of them before they are multiplied by the value.
        share = np.float32(1) - scaled if choice == 2 else scaled + rest if choice == 3 else rest
        mixed = min(max(share * value[i], np.float32(0)), np.float32(1))
        out[i] = np.uint8(np.int32((value[i] if choice == 0 else mixed) * np.float32(256.0 - 1e-3)))


def _share(level: int) -> np.float32:
    """A level in [0, 1]."""
    return np.float32(np.float32(level) * np.float32(1.0 / 255))


def _part(turns: np.float32) -> np.float32:
    """The part of a circle beyond whole turns."""
    return np.float32(turns - np.floor(turns))


def hue_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """Torchvision's adjust_hue; unlike it, a turn of 0 is the identity here."""
    from torchvision.transforms.v2 import functional

    return functional.adjust_hue(image, values[0]) if values[0] else image


OPS = (
    Op(
        name="hue",
        elsewhere={"torchvision": "`ColorJitter(hue=...)`", "Albumentations": "`ColorJitter(hue=...)`"},
        meaning=(
            "RGB to HSV, hue plus turn (1 is the full circle), back to RGB in 0..1, times 255.999, cut; "
            "a turn of 0 changes nothing; grey images stay"
        ),
        parameters=(Parameter("turn", "of a full circle", identity=0.0, low=-0.5, high=0.5),),
        kind="colour",
        kernel=hue,
        in_numpy=hue_in_numpy,
        fused=hue_fused,
        source="torchvision 0.29 transforms/v2/functional/_color.py, adjust_hue",
        reference=hue_reference,
        channels=frozenset({1, 3}),
    ),
)
