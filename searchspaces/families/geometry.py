"""The plain geometry itself as a space: how images are cropped, mirrored, turned, and how large they are trained on.

On photos this matters more than any op. It searches the base alone, so it goes with any other family: `randaugment+geometry`.
Geometry resamples bilinearly here, as is the custom with resized crops. On top of a base without flips (digits, letters) nothing
is mirrored or turned.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from searchspaces.families.family import Family
from searchspaces.levels import rounded
from searchspaces.policy import Base, PadCrop, Policy, ResizedCrop
from searchspaces.space import Categorical, Parameter, Real, SearchSpace, Whole

USUAL_PADDING = PadCrop(0.125)
_CHANCES = {"hflip": 0.5, "vflip": 0.5, "quarter_turns": 0.75}
"""The highest probabilities: each way up and each hand as likely as any other."""

_NOTE = "geometry resamples bilinearly here, that of the ops as that of the crop"


def build(channels: int, base: Base) -> SearchSpace:
    """The space on top of `base`, for images with any number of channels.

    `geometry.crop` is the base's own crop with padding ("pad": 12.5 % where it has none) or a resized one, whose windows take
    from `geometry.scale_low` (0.08 to 1) of the area to all of it, at an aspect from 1 / `geometry.aspect` to it (1 to 2).
    `geometry.hflip`, `geometry.vflip` and `geometry.quarter_turns` are probabilities, and `geometry.resolution_percent` (50 to
    100 in tens) the share of each side that is trained on.
    """
    crops = (
        Categorical("geometry.crop", ("pad", "resized")),
        Real("geometry.scale_low", 0.08, 1.0),
        Real("geometry.aspect", 1, 2),
    )
    mirrors = base.hflip > 0
    chances = tuple(Real(f"geometry.{name}", 0.0, highest) for name, highest in _CHANCES.items() if mirrors)
    parameters: tuple[Parameter, ...] = (*crops, *chances, Whole("geometry.resolution_percent", 50, 100, step=10))
    left_out = () if mirrors else (f"left out, because these images are not to be mirrored: {', '.join(_CHANCES)}",)
    return SearchSpace("geometry", parameters, partial(_decode, base), (_NOTE, *left_out))


def _decode(base: Base, params: Mapping[str, Any]) -> Policy:
    hflip, vflip, quarter_turns = (
        rounded(params[f"geometry.{name}"]) if f"geometry.{name}" in params else getattr(base, name) for name in _CHANCES
    )
    resolution = params["geometry.resolution_percent"] / 100
    return Policy(Base(_crop(base, params), hflip, "bilinear", base.fill, vflip, quarter_turns, resolution))


def _crop(base: Base, params: Mapping[str, Any]) -> PadCrop | ResizedCrop:
    if params["geometry.crop"] == "pad":
        return base.crop if isinstance(base.crop, PadCrop) else USUAL_PADDING
    widest = params["geometry.aspect"]
    return ResizedCrop(rounded(params["geometry.scale_low"]), 1.0, rounded(1 / widest), rounded(widest))


FAMILY = Family(
    name="geometry",
    summary="the base itself: kind of crop, its scale and aspect, flips, quarter turns, resolution; goes with any other family",
    source="Szegedy et al. 2014, arXiv 1409.4842 (resized crops); Touvron et al. 2019, arXiv 1906.06423 (training resolution)",
    build=build,
    searches_base=True,
)
