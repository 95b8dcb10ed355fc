"""Ops of geometry in plain numpy, for one image: for exported files that have neither torch nor numba. Declares no op.

To the bit what the torch kernels of the same names do: places are computed in float32, in the same order.
"""

import math
from typing import Any

import numpy as np


def translate_x_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`translate_x` of one image."""
    return _moved(image, math.trunc(values[0] * image.shape[2]), 0, fill)


def translate_y_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`translate_y` of one image."""
    return _moved(image, 0, math.trunc(values[0] * image.shape[1]), fill)


def translate_x_px_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`translate_x_px` of one image."""
    return _moved(image, int(values[0]), 0, fill)


def translate_y_px_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`translate_y_px` of one image."""
    return _moved(image, 0, int(values[0]), fill)


def crop_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`crop` of one image."""
    return _moved(image, -int(values[0]), -int(values[1]), fill)


def hflip_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`hflip` of one image."""
    return (image[:, :, ::-1] if values[0] else image).copy()


def vflip_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`vflip` of one image."""
    return (image[:, ::-1] if values[0] else image).copy()


def shear_x_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`shear_x` of one image."""
    slope = values[0]
    return _resampled(image, (1.0, slope, slope * (0.5 * image.shape[1])), (0.0, 1.0, 0.0), fill, bilinear)


def shear_y_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`shear_y` of one image."""
    slope = values[0]
    return _resampled(image, (1.0, 0.0, 0.0), (slope, 1.0, slope * (0.5 * image.shape[2])), fill, bilinear)


def rotate_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`rotate` of one image."""
    angle = -(values[0] % 360.0) * (math.pi / 180.0)
    cosine, sine = math.cos(angle), math.sin(angle)
    return _resampled(image, (cosine, sine, 0.0), (-sine, cosine, 0.0), fill, bilinear)


def quarter_turns_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`quarter_turns` of one image."""
    return rotate_in_numpy(image, (90.0 * values[0],), fill, bilinear, seed)


def _moved(image: Any, right: int, down: int, fill: int) -> Any:
    """Content moved by whole pixels."""
    moved = np.full_like(image, fill)
    height, width = image.shape[1:]
    if abs(right) < width and abs(down) < height:
        to_rows, rows = _overlap(down, height)
        to_columns, columns = _overlap(right, width)
        moved[:, to_rows, to_columns] = image[:, rows, columns]
    return moved


def _overlap(shift: int, side: int) -> tuple[slice, slice]:
    """Where what stays in the picture goes, and where it comes from."""
    return slice(max(shift, 0), side + min(shift, 0)), slice(max(-shift, 0), side - max(shift, 0))


def _resampled(image: Any, to_x: tuple[float, ...], to_y: tuple[float, ...], fill: int, bilinear: bool) -> Any:
    """Pixel (x, y), counted from the image's centre, taken from `to_x` and `to_y` of (x, y, 1)."""
    height, width = image.shape[1:]
    x, y = _centred(width)[None, :], _centred(height)[:, None]
    source_y, source_x = _source(to_y, x, y, height), _source(to_x, x, y, width)
    if bilinear:
        return _between_four(image, source_y, source_x, fill)
    return _taken(image, np.rint(source_y), np.rint(source_x), fill)


def _centred(side: int) -> Any:
    return np.arange(side, dtype=np.float32) - np.float32(0.5 * (side - 1))


def _source(row: tuple[float, ...], x: Any, y: Any, side: int) -> Any:
    """One source coordinate in pixels, 0 the first one's centre."""
    half = np.float32(0.5 * side)
    a, b, c = (np.float32(entry) / half for entry in row)
    return ((x * a + y * b) + c + np.float32(1.0)) * half - np.float32(0.5)


def _between_four(image: Any, source_y: Any, source_x: Any, fill: int) -> Any:
    """Mixed from the four pixels around each place."""
    upper, left = np.floor(source_y), np.floor(source_x)
    down, right = source_y - upper, source_x - left
    one = np.float32(1)
    first, second, third, fourth = (
        _taken(image, rows, columns, fill).astype(np.float32)
        for rows, columns in ((upper, left), (upper, left + one), (upper + one, left), (upper + one, left + one))
    )
    above, below = first + (second - first) * right, third + (fourth - third) * right
    return np.rint(above + (below - above) * down).astype(np.uint8)


def _taken(image: Any, rows: Any, columns: Any, fill: int) -> Any:
    """Each pixel from a whole place, or fill where that lies outside; rows and columns (height, width)."""
    channels, height, width = image.shape
    bordered = np.full((channels, height + 2, width + 2), fill, image.dtype)
    bordered[:, 1:-1, 1:-1] = image
    row = np.clip(rows, -1, height).astype(np.int64) + 1
    column = np.clip(columns, -1, width).astype(np.int64) + 1
    return np.ascontiguousarray(bordered[:, row, column])
