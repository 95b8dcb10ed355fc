"""Blurs, edges and lenses borrowed from Albumentations: MedianBlur, MotionBlur, Defocus, ZoomBlur, Sharpen, UnsharpMask, Emboss,
RingingOvershoot, ChromaticAberration.

Each function is the op in plain numpy for one image; at its identity it leaves the image to the bit as it is. See `borrowed`.
"""

import math
from typing import Any

from searchspaces.ops.borrowed import borrowed, entry
from searchspaces.ops.op import Parameter


def median_blur(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """The median of the square around each pixel."""
    side = 2 * int(values[0]) + 1
    return borrowed(image, seed, "MedianBlur", blur_limit=(side, side)) if side > 1 else image.copy()


def motion_blur(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """The mean along a line through each pixel."""
    radius, degrees, direction = values
    if radius == 0:
        return image.copy()
    line = {"angle_range": (degrees, degrees), "direction_range": (direction, direction), "allow_shifted": False}
    return borrowed(image, seed, "MotionBlur", blur_limit=(2 * int(radius) + 1,) * 2, **line)


def defocus(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """The mean over a disk around each pixel."""
    radius, sigma = int(values[0]), values[1]
    return borrowed(image, seed, "Defocus", radius=(radius, radius), alias_blur=(sigma, sigma)) if radius else image.copy()


def zoom_blur(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """The mean of the image and its enlargements about its centre."""
    zoom, step = values
    return borrowed(image, seed, "ZoomBlur", max_factor=(zoom, zoom), step_factor=(step, step)) if zoom != 1 else image.copy()


def sharpen(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """Blended with its edges by a kernel of 3 x 3; another op than our `sharpness`."""
    alpha, lightness = values
    return borrowed(image, seed, "Sharpen", alpha=(alpha,) * 2, lightness=(lightness,) * 2) if alpha else image.copy()


def unsharp_mask(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """What a Gaussian blur takes away, added again where it is more than the threshold."""
    alpha, radius, sigma, threshold = values
    if alpha == 0:
        return image.copy()
    blur = {"blur_limit": (2 * int(radius) + 1,) * 2, "sigma_limit": (sigma, sigma), "threshold": int(threshold)}
    return borrowed(image, seed, "UnsharpMask", alpha=(alpha, alpha), **blur)


def emboss(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """Blended with a relief lit from one corner."""
    alpha, strength = values
    return borrowed(image, seed, "Emboss", alpha=(alpha, alpha), strength=(strength, strength)) if alpha else image.copy()


def ringing_overshoot(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """An ideal low-pass filter: edges ring, as in images that were scaled badly."""
    side, cutoff = 2 * int(values[0]) + 1, values[1]
    return borrowed(image, seed, "RingingOvershoot", blur_limit=(side,) * 2, cutoff=(cutoff,) * 2) if side > 1 else image.copy()


def chromatic_aberration(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """Red and blue bent apart from green, as by a cheap lens."""
    primary, secondary = values
    if primary == secondary == 0:
        return image.copy()
    limits = {"primary_distortion_limit": (primary,) * 2, "secondary_distortion_limit": (secondary,) * 2}
    return borrowed(image, seed, "ChromaticAberration", **limits)


def _radius(high: float) -> Parameter:
    return Parameter("radius_px", "pixels", identity=0.0, low=0.0, high=high, whole=True)


def _side(radius: float) -> tuple[int, int]:
    return (2 * int(radius) + 1,) * 2


_ALPHA = Parameter("alpha", "of the effect", identity=0.0, low=0.0, high=1.0)

OPS = (
    entry(
        "MedianBlur",
        median_blur,
        lambda a, radius: a.MedianBlur(_side(radius), 1.0) if radius else None,
        (_radius(7),),
        kind="texture",
        meaning="the median of the square of side 2 radius_px + 1 around each pixel",
        usual=(3.0, "MedianBlur's default range"),
    ),
    entry(
        "MotionBlur",
        motion_blur,
        lambda a, radius, degrees, direction: (
            a.MotionBlur(_side(radius), False, (degrees, degrees), (direction, direction), 1.0) if radius else None
        ),
        (
            _radius(15),
            Parameter("degrees", "degrees", identity=0.0, low=0.0, high=360.0),
            Parameter("direction", "-1 back to 1 forth", identity=0.0, low=-1.0, high=1.0),
        ),
        kind="texture",
        meaning="the mean along a line of radius_px to both sides of each pixel (to one side where direction is -1 or 1)",
        usual=(3.0, "MotionBlur's default range"),
    ),
    entry(
        "Defocus",
        defocus,
        lambda a, radius, sigma: a.Defocus((int(radius), int(radius)), (sigma, sigma), 1.0) if radius else None,
        (_radius(10), Parameter("alias_sigma_px", "pixels", identity=0.1, low=0.1, high=2.0)),
        kind="texture",
        meaning="the mean over a disk of radius_px, its edge softened by a Gaussian of alias_sigma_px",
        usual=(10.0, "Defocus's default range"),
    ),
    entry(
        "ZoomBlur",
        zoom_blur,
        lambda a, zoom, step: a.ZoomBlur((zoom, zoom), (step, step), 1.0) if zoom != 1 else None,
        (
            Parameter("max_zoom", "times", identity=1.0, low=1.0, high=2.0),
            Parameter("step", "times", identity=0.02, low=0.01, high=0.2),
        ),
        kind="texture",
        meaning="the mean of the image and of its enlargements about the centre, by 1, 1 + step and so on below max_zoom",
        usual=(1.31, "ZoomBlur's default range"),
    ),
    entry(
        "Sharpen",
        sharpen,
        lambda a, alpha, lightness: a.Sharpen((alpha, alpha), (lightness, lightness), p=1.0) if alpha else None,
        (_ALPHA, Parameter("lightness", "times", identity=1.0, low=0.0, high=3.0)),
        kind="texture",
        meaning="(1 - alpha) v + alpha e, e the pixel 8 + lightness times less its 8 neighbours",
        usual=(0.5, "Sharpen's default range"),
    ),
    entry(
        "UnsharpMask",
        unsharp_mask,
        lambda a, alpha, radius, sigma, threshold: (
            a.UnsharpMask(_side(radius), (sigma, sigma), (alpha, alpha), int(threshold), 1.0) if alpha else None
        ),
        (
            _ALPHA,
            Parameter("radius_px", "pixels", identity=3.0, low=1.0, high=15.0, whole=True),
            Parameter("sigma_px", "pixels", identity=1.0, low=0.1, high=10.0),
            Parameter("threshold", "levels", identity=10.0, low=0.0, high=255.0, whole=True),
        ),
        kind="texture",
        meaning="v plus alpha times its difference from a Gaussian blur (sigma_px, cut at radius_px) where above the threshold",
        usual=(0.5, "UnsharpMask's default range"),
    ),
    entry(
        "Emboss",
        emboss,
        lambda a, alpha, strength: a.Emboss((alpha, alpha), (strength, strength), 1.0) if alpha else None,
        (_ALPHA, Parameter("strength", "times", identity=0.5, low=0.0, high=2.0)),
        kind="texture",
        meaning="(1 - alpha) v + alpha r, r a relief: pixels below and right 1 + strength times less those above and left",
        usual=(0.5, "Emboss's default range"),
    ),
    entry(
        "RingingOvershoot",
        ringing_overshoot,
        lambda a, radius, cutoff: a.RingingOvershoot(_side(radius), (cutoff, cutoff), 1.0) if radius else None,
        (_radius(15), Parameter("cutoff", "radians a pixel", identity=math.pi / 2, low=0.1, high=math.pi)),
        kind="texture",
        meaning="convolved with a sinc filter of radius_px that passes frequencies below the cutoff",
        usual=(7.0, "RingingOvershoot's default range"),
    ),
    entry(
        "ChromaticAberration",
        chromatic_aberration,
        lambda a, first, second: (
            a.ChromaticAberration((first, first), (second, second), p=1.0) if (first, second) != (0, 0) else None
        ),
        (
            Parameter("primary", "radial distortion", identity=0.0, low=-0.5, high=0.5),
            Parameter("secondary", "radial distortion", identity=0.0, low=-0.5, high=0.5),
        ),
        kind="texture",
        meaning="red and blue resampled with radial distortions of these coefficients (green and purple fringes); the rest stays",
        usual=(0.02, "ChromaticAberration's default range"),
        channels=frozenset({3}),
    ),
)
