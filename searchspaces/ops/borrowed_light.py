"""Light and colour borrowed from Albumentations: CLAHE, HueSaturationValue, RGBShift, ToSepia, RandomToneCurve, RandomShadow.

Each function is the op in plain numpy for one image; at its identity it leaves the image to the bit as it is. See `borrowed`.
"""

from typing import Any

from searchspaces.ops.borrowed import borrowed, entry
from searchspaces.ops.op import Parameter


def clahe(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """Histograms of tiles equalised, none of their bins let grow beyond the limit."""
    clip, tiles = values
    if clip == 1:
        return image.copy()
    return borrowed(image, seed, "CLAHE", clip_limit=(clip, clip), tile_grid_size=(int(tiles), int(tiles)))


def hue_saturation_value(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """OpenCV's HSV of 8 bits with something added to each of the three; its hue counts steps of two degrees."""
    hue, saturation, value = values
    if hue == saturation == value == 0:
        return image.copy()
    limits = {"hue_shift_limit": (hue / 2,) * 2, "sat_shift_limit": (saturation,) * 2, "val_shift_limit": (value,) * 2}
    return borrowed(image, seed, "HueSaturationValue", **limits)


def rgb_shift(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """So many levels added to red, green and blue."""
    red, green, blue = values
    if red == green == blue == 0:
        return image.copy()
    limits = {"r_shift_limit": (red, red), "g_shift_limit": (green, green), "b_shift_limit": (blue, blue)}
    return borrowed(image, seed, "RGBShift", **limits)


def to_sepia(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """The brown of old photographs where the amount is 1."""
    return borrowed(image, seed, "ToSepia") if values[0] else image.copy()


def tone_curve(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """The levels through a random Bezier curve, one for all channels."""
    return borrowed(image, seed, "RandomToneCurve", scale=values[0]) if values[0] else image.copy()


def shadow(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """Random polygons in the lower half darkened."""
    darkening, shadows = values
    if darkening == 0:
        return image.copy()
    limits = {"shadow_intensity_range": (darkening, darkening), "num_shadows_limit": (int(shadows), int(shadows))}
    return borrowed(image, seed, "RandomShadow", **limits)


_RGB = frozenset({3})

OPS = (
    entry(
        "CLAHE",
        clahe,
        lambda a, clip, tiles: a.CLAHE((clip, clip), (int(tiles), int(tiles)), 1.0) if clip != 1 else None,
        (
            Parameter("clip_limit", "times the mean bin", identity=1.0, low=1.0, high=40.0),
            Parameter("tiles", "tiles a side", identity=8.0, low=1.0, high=16.0, whole=True),
        ),
        kind="tone",
        meaning="histograms of tiles x tiles parts equalised, bins cut at clip_limit times their mean; of RGB only the lightness",
        usual=(4.0, "CLAHE's default range"),
        channels=frozenset({1, 3}),
    ),
    entry(
        "HueSaturationValue",
        hue_saturation_value,
        lambda a, h, s, v: a.HueSaturationValue((h / 2, h / 2), (s, s), (v, v), 1.0) if (h, s, v) != (0, 0, 0) else None,
        (
            Parameter("hue_degrees", "degrees", identity=0.0, low=-360.0, high=360.0),
            Parameter("saturation_levels", "levels", identity=0.0, low=-255.0, high=255.0),
            Parameter("value_levels", "levels", identity=0.0, low=-255.0, high=255.0),
        ),
        kind="colour",
        meaning="RGB to HSV of 8 bits (hue in steps of 2 degrees), the three numbers added, hue around the circle, back to RGB",
        usual=(40.0, "HueSaturationValue's default hue, 20 of 180"),
        channels=_RGB,
    ),
    entry(
        "RGBShift",
        rgb_shift,
        lambda a, r, g, b: a.RGBShift((r, r), (g, g), (b, b), 1.0) if (r, g, b) != (0, 0, 0) else None,
        tuple(Parameter(f"{name}_levels", "levels", identity=0.0, low=-255.0, high=255.0) for name in ("red", "green", "blue")),
        kind="colour",
        meaning="red_levels, green_levels and blue_levels added to the three channels, kept within 0 to 255",
        usual=(20.0, "RGBShift's default range"),
        channels=_RGB,
    ),
    entry(
        "ToSepia",
        to_sepia,
        lambda a, amount: a.ToSepia(1.0) if amount else None,
        (Parameter("amount", "0 or 1", identity=0.0, low=0.0, high=1.0, whole=True),),
        kind="colour",
        meaning="with amount 1: the colours through the sepia matrix",
        usual=(1.0, "ToSepia; it has no strength"),
        channels=_RGB,
    ),
    entry(
        "RandomToneCurve",
        tone_curve,
        lambda a, scale: a.RandomToneCurve(scale, False, 1.0) if scale else None,
        (Parameter("scale", "of the range of levels", identity=0.0, low=0.0, high=1.0),),
        kind="tone",
        meaning="levels through a Bezier curve whose two inner points are normal about 1/4 and 3/4 with this deviation",
        usual=(0.1, "RandomToneCurve's default"),
        seeded=True,
    ),
    entry(
        "RandomShadow",
        shadow,
        lambda a, darkening, shadows: (
            a.RandomShadow((0, 0.5, 1, 1), (int(shadows), int(shadows)), 5, (darkening, darkening), 1.0) if darkening else None
        ),
        (
            Parameter("darkening", "of the level", identity=0.0, low=0.0, high=1.0),
            Parameter("shadows", "polygons", identity=1.0, low=1.0, high=8.0, whole=True),
        ),
        kind="texture",
        meaning="v (1 - darkening) inside random polygons of five corners in the lower half of the image",
        usual=(0.5, "RandomShadow's default"),
        seeded=True,
    ),
)
