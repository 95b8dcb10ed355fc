"""The draws of a policy's base and of its cutout: which op with which values each image meets there.

Takes tables of uniform numbers and gives values in physical units; holds no generator. Every slot of a table has one meaning,
used or not, so that the same numbers mean the same crop, flip or turn in every policy.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from searchspaces.framing import Base, PadCrop, ResizedCrop
from searchspaces.ops import find_op

Draws = Float64[np.ndarray, "images slots"]
"""Uniform on [0, 1), one row an image."""
Rows = Int64[np.ndarray, "some"]
Columns = dict[str, np.ndarray]
"""Values by the name of the op's parameter, one an image."""
OwnSides = Int64[np.ndarray, "images 2"]
"""Each image's own height and width in pixels."""

CROP_AND_FLIP = 3
"""Slots of the first table: crop x, crop y, horizontal flip."""
CROP_TRIES = 10
"""As in torchvision: so often an area and an aspect are drawn until the window fits into the image."""
TURNS_AND_WINDOWS = 7 + 2 * CROP_TRIES
"""Slots of the second: vertical flip, turn, which turn, cutout x and y, window x and y, then area and aspect of each try."""


@dataclass(frozen=True)
class PlannedOp:
    """One op for the images `rows`, with their values (images, parameters) in the order of the op's parameters."""

    op: str
    rows: Rows
    values: Float64[np.ndarray, "some parameters"]


def planned_base(
    base: Base, sides: tuple[int, int], crops: Draws, turns: Draws | None, own_sides: OwnSides | None = None
) -> list[PlannedOp]:
    """The ops of the base in order, one for each of `base.ops`; `sides` are height and width.

    `turns` is the second table; None where the base has neither a resized crop, nor a vertical flip, nor quarter turns.
    `own_sides`: those of the image that each window of a resized crop is taken from, where they differ from `sides`.
    """
    everyone = np.arange(len(crops))
    planned = []
    if isinstance(base.crop, PadCrop):
        planned.append(_planned("crop", everyone, _corners(base.crop, sides, crops)))
    elif base.crop is not None:
        assert turns is not None
        taken_from = np.array([sides]) if own_sides is None else own_sides
        planned.append(_planned("resized_crop", everyone, _windows(base.crop, taken_from, turns[:, 5:])))
    if base.hflip > 0:
        planned.append(_mirrored("hflip", everyone[crops[:, 2] < base.hflip]))
    if base.vflip > 0:
        assert turns is not None
        planned.append(_mirrored("vflip", everyone[turns[:, 0] < base.vflip]))
    if base.quarter_turns > 0:
        assert turns is not None
        turned = everyone[turns[:, 1] < base.quarter_turns]
        planned.append(_planned("quarter_turns", turned, {"turns": 1 + np.floor(3 * turns[turned, 2])}))
    return planned


def planned_cutout(side: float, fill: int, sides: tuple[int, int], turns: Draws) -> PlannedOp:
    """A square for every image: its middle anywhere in the image, its side that fraction of the shorter one."""
    count = len(turns)
    middles = {"x": turns[:, 3], "y": turns[:, 4]}
    return _planned("erase", np.arange(count), {**middles, "side": np.full(count, side), "level": np.full(count, float(fill))})


def _planned(name: str, rows: Rows, columns: Columns) -> PlannedOp:
    identity = {parameter.name: parameter.identity for parameter in find_op(name).parameters}
    values = [columns.get(parameter, np.full(len(rows), rest)) for parameter, rest in identity.items()]
    return PlannedOp(name, rows, np.stack(values, axis=1).astype(np.float64))


def _mirrored(name: str, rows: Rows) -> PlannedOp:
    return _planned(name, rows, {"amount": np.ones(len(rows))})


def _corners(crop: PadCrop, sides: tuple[int, int], draws: Draws) -> Columns:
    """Where each window's upper left corner is, in pixels of the image: whole, uniform over what the padding allows."""
    height, width = sides
    paddings = np.array([crop.pixels(width), crop.pixels(height)])
    corners = np.floor(draws[:, :2] * (2 * paddings + 1)) - paddings
    return {"x_px": corners[:, 0], "y_px": corners[:, 1]}


def _windows(crop: ResizedCrop, sides: OwnSides, draws: Draws) -> Columns:
    """Each window's place and size as fractions of the image. They are whole pixels, by torchvision's rule: the first that fits.

    `sides` has a row for each image, or one for all. Slots: x, y, then area and aspect of each try. No window is smaller than the
    op allows.
    """
    height, width = sides[:, :1], sides[:, 1:]
    least_tall, least_wide = _smallest_window(sides)
    areas = crop.scale_low + draws[:, 2::2] * (crop.scale_high - crop.scale_low)
    low, high = np.log(crop.aspect_low), np.log(crop.aspect_high)
    aspects = np.exp(low + draws[:, 3::2] * (high - low))
    wide, tall = (np.rint(np.sqrt(areas * width * height * ratio)) for ratio in (aspects, 1 / aspects))
    fits = (wide >= least_wide) & (wide <= width) & (tall >= least_tall) & (tall <= height)
    first, rows = fits.argmax(axis=1), np.arange(len(draws))
    none = ~fits.any(axis=1)
    last_wide, last_tall = _largest_window(crop, sides)
    wide, tall = np.where(none, last_wide, wide[rows, first]), np.where(none, last_tall, tall[rows, first])
    height, width = sides.T
    x = np.where(none, (width - wide) // 2, np.floor(draws[:, 0] * (width - wide + 1)))
    y = np.where(none, (height - tall) // 2, np.floor(draws[:, 1] * (height - tall + 1)))
    return {"x": x / width, "y": y / height, "width": wide / width, "height": tall / height}


def _smallest_window(sides: OwnSides) -> tuple[np.ndarray, np.ndarray]:
    """Heights and widths in pixels, a column each."""
    low = {parameter.name: parameter.low for parameter in find_op("resized_crop").parameters}
    return np.ceil(low["height"] * sides[:, :1]), np.ceil(low["width"] * sides[:, 1:])


def _largest_window(crop: ResizedCrop, sides: OwnSides) -> tuple[np.ndarray, np.ndarray]:
    """Widths and heights in pixels of what is taken, from the middle, where no try fits: all that the aspect allows."""
    height, width = sides.T
    least_tall, least_wide = (least[:, 0] for least in _smallest_window(sides))
    slim, flat = width / height < crop.aspect_low, width / height > crop.aspect_high
    wide = np.where(flat, np.maximum(least_wide, np.rint(height * crop.aspect_high)), width)
    tall = np.where(slim, np.maximum(least_tall, np.rint(width / crop.aspect_low)), height)
    return wide, tall
