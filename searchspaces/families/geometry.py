"""The plain geometry itself as a space: how images are cropped, mirrored, turned, and how large they are trained on.

On photos this matters more than any op. It searches the base alone, so it goes with any other family: `randaugment+geometry`.
Geometry resamples bilinearly here, as is the custom with resized crops. On top of a base without flips (digits, letters) nothing
is mirrored or turned.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from searchspaces.families.family import CROP, Family, without_moves
from searchspaces.levels import rounded
from searchspaces.policy import Base, PadCrop, Policy, ResizedCrop
from searchspaces.space import Categorical, Parameter, Real, SearchSpace, When, Whole

USUAL_PADDING = PadCrop(0.125)
_CHANCES = {"hflip": 0.5, "vflip": 0.5, "quarter_turns": 0.75}
"""The highest probabilities: each way up and each hand as likely as any other."""

_NOTE = "geometry resamples bilinearly here, that of the ops as that of the crop"


def build(channels: int, base: Base, forbid: tuple[str, ...] = ()) -> SearchSpace:
    """The space on top of `base`, for images with any number of channels.

    `geometry.crop` is the base's own crop with padding ("pad": 12.5 % where it has none) or a resized one, whose windows take
    from `geometry.scale_low` (0.08 to 1) of the area to all of it, at an aspect from 1 / `geometry.aspect` to it (1 to 2); these
    two exist for it alone.
    `geometry.hflip`, `geometry.vflip` and `geometry.quarter_turns` are probabilities, and `geometry.resolution_percent` (50 to
    100 in tens) the share of each side that is trained on. Where "crop" is forbidden nothing is
    cropped, and its parameters are gone.
    """
    resized = When("geometry.crop", ("resized",))
    crops = (
        Categorical("geometry.crop", ("pad", "resized")),
        Real("geometry.scale_low", 0.08, 1.0, when=resized),
        Real("geometry.aspect", 1, 2, when=resized),
    )
    allowed = {name: highest for name, highest in _CHANCES.items() if base.hflip > 0 and name not in forbid}
    chances = tuple(Real(f"geometry.{name}", 0.0, highest) for name, highest in allowed.items())
    kept = () if CROP in forbid else crops
    parameters: tuple[Parameter, ...] = (*kept, *chances, Whole("geometry.resolution_percent", 50, 100, step=10))
    left_out = ", ".join(name for name in _CHANCES if name not in allowed)
    reason = "they are forbidden" if base.hflip > 0 else "these images are not to be mirrored"
    notes = (_NOTE, f"left out, because {reason}: {left_out}") if left_out else (_NOTE,)
    return SearchSpace("geometry", parameters, partial(_decode, without_moves(base, forbid)), notes)


def _decode(base: Base, params: Mapping[str, Any]) -> Policy:
    hflip, vflip, quarter_turns = (
        rounded(params[f"geometry.{name}"]) if f"geometry.{name}" in params else getattr(base, name) for name in _CHANCES
    )
    resolution = params["geometry.resolution_percent"] / 100
    return Policy(Base(_crop(base, params), hflip, "bilinear", base.fill, vflip, quarter_turns, resolution))


def _crop(base: Base, params: Mapping[str, Any]) -> PadCrop | ResizedCrop | None:
    if "geometry.crop" not in params:  # it is forbidden
        return None
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
    leaves_out=True,
)
