"""Ops of tone and colour in plain numpy, for one image: for exported files that have neither torch nor numba. Declares no op.

To the bit what the torch kernels of the same names do, so in float32 where they are.
"""

from typing import Any

import numpy as np

_SEXTANTS = np.array(((0, 2, 1, 1, 3, 0, 0), (3, 0, 0, 2, 1, 1, 3), (1, 1, 3, 0, 0, 2, 1)))
"""For red, green, blue: which of (value, p, q, t) each sixth of the colour circle takes; after the last comes the first again."""
_SMALL = np.float32(1e-3)


def keep_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`identity` of one image."""
    return image.copy()


def posterize_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`posterize` of one image."""
    return image & np.uint8(256 - 2 ** (8 - int(values[0])))


def solarize_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`solarize` of one image."""
    return np.where(image >= np.float32(values[0]), 255 - image, image)


def solarize_add_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`solarize_add` of one image."""
    levels = _levels()
    return _cut(np.where(levels < 128, levels + np.float32(values[0]), levels))[image]


def invert_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`invert` of one image."""
    return image ^ np.uint8(255 * values[0])


def gamma_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`gamma` of one image."""
    share, exponent = _levels() * np.float32(1.0 / 255), np.float32(values[0])
    if exponent == 2 or exponent == 3:
        power = share * share if exponent == 2 else share * share * share
    else:
        # The root is rounded right whatever the precision; other powers are taken in float64 and rounded once.
        power = np.sqrt(share) if exponent == 0.5 else np.power(share, exponent, dtype=np.float64).astype(np.float32)
    return _cut(power * np.float32(256.0 - 1e-3))[image]


def brightness_shift_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`brightness_shift` of one image."""
    return _rounded(_levels() + np.float32(values[0]))[image]


def contrast_about_128_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`contrast_about_128` of one image."""
    return _rounded((_levels() - np.float32(128)) * np.float32(values[0]) + np.float32(128))[image]


def brightness_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`brightness` of one image."""
    return _cut(_levels() * np.float32(values[0]))[image]


def saturation_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`saturation` of one image."""
    if len(image) == 1:
        return image.copy()
    return _cut(_mixed(image.astype(np.float32) * np.float32(values[0]), _grey(image), values[0]))


def contrast_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`contrast` of one image."""
    grey = image if len(image) == 1 else _grey(image)
    mean = np.float32(grey.sum(dtype=np.float64)) / np.float32(grey.size)
    return _cut(_mixed(_levels() * np.float32(values[0]), mean, values[0]))[image]


def sharpness_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`sharpness` of one image."""
    sharp = image.copy()
    if image.shape[1] <= 2 or image.shape[2] <= 2:
        return sharp
    whole = image.astype(np.int16)
    columns = whole[:, :-2] + whole[:, 1:-1] + whole[:, 2:]
    sums = columns[..., :-2] + columns[..., 1:-1] + columns[..., 2:] + 4 * whole[:, 1:-1, 1:-1]
    own = whole[:, 1:-1, 1:-1].astype(np.float32)
    smooth = np.rint(sums.astype(np.float32) * np.float32(1 / 13))
    sharp[:, 1:-1, 1:-1] = _cut(_mixed(own, smooth - own, values[0]))
    return sharp


def autocontrast_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`autocontrast` of one image."""
    return np.stack([_stretched(plane) if values[0] else plane.copy() for plane in image])


def equalize_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`equalize` of one image."""
    return np.stack([_evened(plane) if values[0] else plane.copy() for plane in image])


def hue_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`hue` of one image."""
    if len(image) == 1 or values[0] == 0:
        return image.copy()
    angle, saturation, value = _to_hsv(image.astype(np.float32) * np.float32(1.0 / 255))
    turned = _to_rgb(_wrapped(angle + np.float32(values[0])), saturation, value)
    return (turned * np.float32(256.0 - 1e-3)).astype(np.uint8)


def _to_hsv(shares: Any) -> tuple[Any, Any, Any]:
    """Hue (of a circle), saturation and value of RGB in [0, 1]."""
    value = shares.max(axis=0)
    spread = value - shares.min(axis=0)
    saturation = spread / np.maximum(value, _SMALL)
    from_red, from_green, from_blue = (value - shares) / np.maximum(spread, _SMALL)
    when_green = (from_red + np.float32(2.0)) - from_blue
    when_blue = (from_green + np.float32(4.0)) - from_red
    sixths = np.where(from_red == 0, from_blue - from_green, np.where(from_green == 0, when_green, when_blue))
    return _wrapped(sixths * np.float32(1.0 / 6.0) + np.float32(1.0)), saturation, value


def _to_rgb(angle: Any, saturation: Any, value: Any) -> Any:
    """RGB in [0, 1]."""
    sixths = angle * np.float32(6)
    sextant = np.floor(sixths)
    scaled, rest = saturation * (sixths - sextant), np.float32(1.0) - saturation
    shades = [value, *(np.clip(part * value, 0, 1) for part in (rest, np.float32(1.0) - scaled, scaled + rest))]
    return np.stack([np.choose(choice[sextant.astype(np.int64)], shades) for choice in _SEXTANTS])


def _wrapped(turns: Any) -> Any:
    return turns - np.floor(turns)


def _stretched(plane: Any) -> Any:
    darkest, brightest = plane.min(), plane.max()
    if darkest == brightest:
        return plane.copy()
    scale = np.float32(int(brightest) - int(darkest)) * np.float32(1.0 / 255)
    return _cut((_levels() - np.float32(darkest)) / scale)[plane]


def _evened(plane: Any) -> Any:
    counts = np.bincount(plane.reshape(-1), minlength=256)
    below = counts.cumsum() - counts
    step = int(below[plane.max()]) // 255
    if step == 0:
        return plane.copy()
    return np.minimum((below + step // 2) // step, 255).astype(np.uint8)[plane]


def _grey(image: Any) -> Any:
    """Whole grey levels of an RGB image; each product is added before it is rounded, as torch does."""
    red, green, blue = image.astype(np.float64)
    two = np.float64(np.float32(0.587)) * green + (red.astype(np.float32) * np.float32(0.2989))
    return np.floor((two.astype(np.float32) + np.float64(np.float32(0.114)) * blue).astype(np.float32))


def _mixed(own: Any, other: Any, factor: float) -> Any:
    """The sum own + other * (1 - factor) of float32 numbers, rounded to float32 once."""
    weight = np.float64(np.float32(1.0 - factor))
    return (np.asarray(own, np.float64) + np.asarray(other, np.float64) * weight).astype(np.float32)


def _levels() -> Any:
    return np.arange(256, dtype=np.float32)


def _cut(levels: Any) -> Any:
    """Real levels clamped to 0..255 and cut to whole ones."""
    return np.clip(levels, 0, 255).astype(np.uint8)


def _rounded(levels: Any) -> Any:
    """Real levels clamped to 0..255 and rounded to the nearest whole one, half to even."""
    return np.rint(np.clip(levels, 0, 255)).astype(np.uint8)
