"""Ops that map levels by one curve all over the image: posterize, solarize, solarize_add, invert, gamma, brightness_shift,
contrast_about_128.

The last two round to the nearest level (half to even), so that a small shift has no bias; the others follow torchvision.
"""

import math
from typing import Any

import numpy as np
import torch

from searchspaces.arrays import ImageBatch, PerImageValues
from searchspaces.ops.levels import map_levels
from searchspaces.ops.numpy_tones import (
    brightness_shift_in_numpy,
    contrast_about_128_in_numpy,
    gamma_in_numpy,
    invert_in_numpy,
    posterize_in_numpy,
    solarize_add_in_numpy,
    solarize_in_numpy,
)
from searchspaces.ops.op import Op, Parameter, Setting, Span
from searchspaces.ops.tables import LEVELS, column, ramp, rounded, through_tables, truncated


def posterize(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """The lower bits of each level cleared, so that `bits_kept` remain."""
    lower = torch.pow(2.0, 8.0 - values[:, 0])
    mask = (256.0 - lower).round().to(torch.uint8)  # a GPU's power may be a last bit off
    return images & mask.view(-1, 1, 1, 1)


def solarize(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """Levels at or above the threshold inverted; 256 inverts none."""
    levels = ramp(values)
    inverted = torch.where(levels >= column(values[:, 0]), 255.0 - levels, levels)
    return through_tables(images, truncated(inverted))


def solarize_add(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """So many levels added to those below 128, up to 255 at most; the brighter half stays."""
    levels = ramp(values)
    return through_tables(images, truncated(torch.where(levels < 128, levels + column(values[:, 0]), levels)))


def invert(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """The negative, 255 - x, where the amount is 1."""
    mask = (255.0 * values[:, 0]).to(torch.uint8)
    return images ^ mask.view(-1, 1, 1, 1)  # 255 - x is x with every bit turned over


def gamma(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """255 * (x / 255) ** exponent; above 1 darkens."""
    share = ramp(values) * (1.0 / 255)
    exponent = column(values[:, 0])
    power = torch.pow(share, exponent)
    # torch takes these exponents by shorter ways when they come as a Python number, as torchvision gives them.
    for special, exact in ((0.5, share.sqrt()), (2.0, share * share), (3.0, share * share * share)):
        power = torch.where(exponent == special, exact, power)
    # torchvision's way back from [0, 1] to whole levels.
    return through_tables(images, truncated(power * (256.0 - 1e-3)))


def brightness_shift(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """So many levels added, or taken away where negative."""
    return through_tables(images, rounded(ramp(values) + column(values[:, 0])))


def contrast_about_128(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """Each level's distance from 128 times the factor."""
    return through_tables(images, rounded((ramp(values) - 128.0) * column(values[:, 0]) + 128.0))


def posterize_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`posterize` for one image."""
    mask = np.uint8(256 - (1 << (8 - int(values[0]))))
    source, target = image.reshape(-1), out.reshape(-1)
    for place in range(source.size):
        target[place] = source[place] & mask


def solarize_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`solarize` for one image."""
    threshold = np.int16(math.ceil(np.float32(values[0])))  # levels are whole, so at or above means at or above the next whole
    source, target = image.reshape(-1), out.reshape(-1)
    for place in range(source.size):
        level = source[place]
        target[place] = ~level if level >= threshold else level


def solarize_add_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`solarize_add` for one image."""
    more = np.int16(values[0])
    source, target = image.reshape(-1), out.reshape(-1)
    for place in range(source.size):
        level = np.int16(source[place])
        target[place] = np.uint8(min(np.int16(level + more), np.int16(255)) if level < 128 else level)


def invert_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`invert` for one image."""
    mask = np.uint8(255 * values[0])
    source, target = image.reshape(-1), out.reshape(-1)
    for place in range(source.size):
        target[place] = source[place] ^ mask


def gamma_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`gamma` for one image."""
    exponent = np.float32(values[0])
    table = scratch[:LEVELS]
    for level in range(LEVELS):
        share = np.float32(level) * np.float32(1.0 / 255)
        if exponent == 0.5:
            power = np.sqrt(share)
        elif exponent == 2.0:
            power = share * share
        elif exponent == 3.0:
            power = share * share * share
        else:
            power = share**exponent
        table[level] = int(power * np.float32(256.0 - 1e-3))
    map_levels(image, out, table)


def brightness_shift_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`brightness_shift` for one image."""
    source, target, shift = image.reshape(-1), out.reshape(-1), np.float32(values[0])
    for place in range(source.size):
        target[place] = to_level(np.float32(source[place]) + shift)


def contrast_about_128_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`contrast_about_128` for one image."""
    source, target, factor = image.reshape(-1), out.reshape(-1), np.float32(values[0])
    for place in range(source.size):
        target[place] = to_level((np.float32(source[place]) - np.float32(128)) * factor + np.float32(128))


def to_level(real: Any) -> np.uint8:
    """A real level clamped to 0..255 and rounded to the nearest whole one, half to even."""
    return np.uint8(np.int32(np.rint(min(max(real, np.float32(0)), np.float32(255)))))


def posterize_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """Torchvision's posterize."""
    from torchvision.transforms.v2 import functional

    return functional.posterize(image, bits=int(values[0]))


def solarize_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """Torchvision's solarize up to its highest threshold, 255; above it no level is reached, so nothing is inverted."""
    from torchvision.transforms.v2 import functional

    return functional.solarize(image, threshold=values[0]) if values[0] <= 255 else image


def invert_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """Torchvision's invert."""
    from torchvision.transforms.v2 import functional

    return functional.invert(image) if values[0] else image


def gamma_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """Torchvision's adjust_gamma with gain 1."""
    from torchvision.transforms.v2 import functional

    return functional.adjust_gamma(image, gamma=values[0], gain=1)


_RANDAUGMENT = "torchvision 0.29 transforms/v2/_auto_augment.py, RandAugment"
_TRIVIALAUGMENT = "torchvision 0.29 transforms/v2/_auto_augment.py, TrivialAugmentWide"
_UNIFORMAUGMENT = "UniformAugment's published code (tgilewicz/uniformaugment, augmentations.py)"
_SWITCH = Span(1.0, 1.0, "it has no strength")
_SOLARIZE = "; but level 0 inverts nothing, where torchvision's 255 turns white to black"
_SOURCE = "torchvision 0.29 transforms/v2/functional/_color.py"
_SOLARIZE_ADD = "RandAugment's published code (tensorflow/tpu, efficientnet/autoaugment.py, solarize_add; the same in timm)"
_PHOTOMETRIC = "the plain photometric model: shift by C, contrast C * (x - 128) + 128, on levels 0 to 255"

OPS = (
    Op(
        name="posterize",
        elsewhere={
            "papers": "Posterize",
            "timm": "`PosterizeIncreasing` (keeps 4 - 4 m/10 bits), `Posterize` (keeps 4 m/10: weaker with m)",
            "Albumentations": "`Posterize`",
        },
        meaning="v with its lowest 8 - bits_kept bits set to 0",
        parameters=(Parameter("bits_kept", "bits", identity=8.0, low=1.0, high=8.0, whole=True),),
        kind="tone",
        kernel=posterize,
        in_numpy=posterize_in_numpy,
        fused=posterize_fused,
        source=f"{_SOURCE}, posterize",
        reference=posterize_reference,
        spans={
            "standard": Span(8.0, 4.0, _RANDAUGMENT),
            "wide": Span(8.0, 2.0, _TRIVIALAUGMENT),
            "uniform": Span(8.0, 4.0, f"{_UNIFORMAUGMENT}; cut off to whole bits there, so 8 never comes"),
        },
    ),
    Op(
        name="solarize",
        elsewhere={
            "papers": "Solarize",
            "timm": "`SolarizeIncreasing` (threshold 256 - 256 m/10), `Solarize` (256 m/10: weaker with m)",
            "Albumentations": "`Solarize`, threshold as a fraction of 255",
        },
        meaning=(
            "255 - v where v >= threshold, else v: at 256 nothing is inverted "
            "(torchvision's strength 0, 255, turns white to black)"
        ),
        parameters=(Parameter("threshold", "levels", identity=256.0, low=0.0, high=256.0),),
        kind="tone",
        kernel=solarize,
        in_numpy=solarize_in_numpy,
        fused=solarize_fused,
        source=f"{_SOURCE}, solarize",
        reference=solarize_reference,
        spans={
            "standard": Span(256.0, 0.0, _RANDAUGMENT + _SOLARIZE),
            "wide": Span(256.0, 0.0, _TRIVIALAUGMENT + _SOLARIZE),
            "uniform": Span(256.0, 0.0, _UNIFORMAUGMENT),
        },
    ),
    Op(
        name="solarize_add",
        elsewhere={"papers": "SolarizeAdd", "timm": "`SolarizeAdd`"},
        meaning="cut(v + levels) where v < 128, else v",
        parameters=(Parameter("levels", "levels", identity=0.0, low=0.0, high=110.0, whole=True),),
        kind="tone",
        kernel=solarize_add,
        in_numpy=solarize_add_in_numpy,
        fused=solarize_add_fused,
        source=f"{_SOLARIZE_ADD}, threshold 128",
        spans={"standard": Span(0.0, 110.0, _SOLARIZE_ADD)},
    ),
    Op(
        name="invert",
        elsewhere={"papers": "Invert", "timm": "`Invert`", "Albumentations": "`InvertImg`"},
        meaning="with amount 1: 255 - v",
        parameters=(Parameter("amount", "0 or 1", identity=0.0, low=0.0, high=1.0, whole=True),),
        kind="tone",
        kernel=invert,
        in_numpy=invert_in_numpy,
        fused=invert_fused,
        source=f"{_SOURCE}, invert",
        reference=invert_reference,
        spans={"standard": _SWITCH, "uniform": _SWITCH},
    ),
    Op(
        name="gamma",
        elsewhere={"torchvision": "`adjust_gamma`", "Albumentations": "`RandomGamma`, in percent"},
        meaning="cut((v / 255) ^ exponent 255.999)",
        parameters=(Parameter("exponent", "power", identity=1.0, low=0.1, high=10.0),),
        kind="tone",
        kernel=gamma,
        in_numpy=gamma_in_numpy,
        fused=gamma_fused,
        source=f"{_SOURCE}, adjust_gamma",
        reference=gamma_reference,
    ),
    Op(
        name="brightness_shift",
        elsewhere={"Albumentations": "`RandomBrightnessContrast`, as a fraction of 255"},
        meaning="round(v + levels)",
        parameters=(Parameter("levels", "levels", identity=0.0, low=-255.0, high=255.0),),
        kind="tone",
        kernel=brightness_shift,
        in_numpy=brightness_shift_in_numpy,
        fused=brightness_shift_fused,
        source=_PHOTOMETRIC,
    ),
    Op(
        name="contrast_about_128",
        elsewhere={"Albumentations": "`RandomBrightnessContrast`, about 0"},
        meaning="round((v - 128) factor + 128)",
        parameters=(Parameter("factor", "times", identity=1.0, low=0.0, high=10.0),),
        kind="tone",
        kernel=contrast_about_128,
        in_numpy=contrast_about_128_in_numpy,
        fused=contrast_about_128_fused,
        source=_PHOTOMETRIC,
    ),
)
