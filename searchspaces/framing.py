"""What a policy does to every image whatever its branches: the base (crop, flips, turns, resolution) and the batch part.

Holds values only, checked when they are made. Every length is a fraction of the image, so one policy serves all sizes. Refuses
numbers that are not finite. `policy` puts these values into the normal form, `draw_framing` draws from them.
"""

import math
from dataclasses import dataclass

from searchspaces.errors import BadInput
from searchspaces.json_text import shown
from searchspaces.ops.op import Interpolation

INTERPOLATIONS: tuple[Interpolation, ...] = ("nearest", "bilinear")
ASPECT_LIMIT = 10.0
"""The most that a crop's window may be wider than high, or higher than wide."""
LOWEST_SCALE = 0.01
"""The smallest share of an image's area that a crop may take."""
LOWEST_RESOLUTION = 0.1
WEAKEST_ALPHA, STRONGEST_ALPHA = 0.01, 10.0
"""Mixing: below, a Beta(alpha, alpha) is 0 or 1 in all but one draw of a hundred; above, it is always near one half."""


def check_number(thing: str, value: float) -> None:
    """BadInput, naming the thing, unless the value is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        raise BadInput(f"{thing}: {shown(value)}; allowed is a finite number")


def check_probability(thing: str, value: float) -> None:
    """BadInput, naming the thing, unless the value is a number from 0 to 1."""
    check_number(f"{thing} probability", value)
    if not 0 <= value <= 1:
        raise BadInput(f"{thing} probability: {value}; allowed is 0 to 1")


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond what a float holds
        return False


@dataclass(frozen=True)
class PadCrop:
    """A window of the image's own size at a uniform place in the image padded by `padding` (fraction of each side, 0 to 0.5)."""

    padding: float

    def __post_init__(self) -> None:
        check_number("crop padding", self.padding)
        if not 0 < self.padding <= 0.5:
            raise BadInput(f"crop padding: {self.padding}; allowed is above 0 and at most 0.5 of the side (or no crop)")

    def pixels(self, side: int) -> int:
        """The padding of a side of `side` pixels, rounded half up."""
        return math.floor(self.padding * side + 0.5)


@dataclass(frozen=True)
class ResizedCrop:
    """A window inside the image, resampled to the image's own size: the random resized crop of Szegedy et al., arXiv 1409.4842.

    The window's area is uniform on [`scale_low`, `scale_high`] of the image's, the logarithm of its width over its height (in
    pixels) uniform between those of `aspect_low` and `aspect_high`; `draw_framing` says how. The defaults are torchvision's.
    """

    scale_low: float = 0.08
    scale_high: float = 1.0
    aspect_low: float = 3 / 4
    aspect_high: float = 4 / 3

    def __post_init__(self) -> None:
        for name in ("scale_low", "scale_high", "aspect_low", "aspect_high"):
            check_number(f"crop {name}", getattr(self, name))
        if not LOWEST_SCALE <= self.scale_low <= self.scale_high <= 1:
            raise BadInput(
                f"crop scale: {self.scale_low} to {self.scale_high}; allowed is {LOWEST_SCALE:g} to 1 of the area, low <= high"
            )
        if not 1 / ASPECT_LIMIT <= self.aspect_low <= self.aspect_high <= ASPECT_LIMIT:
            raise BadInput(
                f"crop aspect: {self.aspect_low} to {self.aspect_high}; allowed is {1 / ASPECT_LIMIT:g} to {ASPECT_LIMIT:g}"
                " (width over height), low <= high"
            )


@dataclass(frozen=True)
class Base:
    """The plain geometry of every image: crop, flips, quarter turns, in this order; how geometry resamples; what it moves in.

    `hflip` and `vflip` are the probabilities of the mirror images, `quarter_turns` that of a turn by 1, 2 or 3 quarters, each
    as likely. `interpolation` and `fill` (a grey level, 0 to 255, for all channels) hold for the branches' geometry too.
    `resolution` is the size at which images are trained on: the fraction of each side that they are resized to, antialiased,
    after everything else; 1 leaves them as they are. Scoring always sees whole images.
    """

    crop: PadCrop | ResizedCrop | None = None
    hflip: float = 0.0
    interpolation: Interpolation = "nearest"
    fill: int = 0
    vflip: float = 0.0
    quarter_turns: float = 0.0
    resolution: float = 1.0

    def __post_init__(self) -> None:
        for name in ("hflip", "vflip", "quarter_turns"):
            check_probability(f"base {name}", getattr(self, name))
        if self.interpolation not in INTERPOLATIONS:
            allowed = ", ".join(map(repr, INTERPOLATIONS))
            raise BadInput(f"base interpolation: {shown(self.interpolation)}; allowed are {allowed}")
        if isinstance(self.fill, bool) or not isinstance(self.fill, int) or not 0 <= self.fill <= 255:
            raise BadInput(f"base fill: {shown(self.fill)}; allowed is a whole number from 0 to 255")
        check_number("base resolution", self.resolution)
        if not LOWEST_RESOLUTION <= self.resolution <= 1:
            raise BadInput(f"base resolution: {self.resolution}; allowed is {LOWEST_RESOLUTION:g} to 1 of the side")

    @property
    def ops(self) -> tuple[str, ...]:
        """The ops that the base is carried out with, in order."""
        crop = {PadCrop: "crop", ResizedCrop: "resized_crop"}.get(type(self.crop))
        chances = {"hflip": self.hflip, "vflip": self.vflip, "quarter_turns": self.quarter_turns}
        return (*((crop,) if crop else ()), *(name for name, chance in chances.items() if chance > 0))


@dataclass(frozen=True)
class Batch:
    """What is done last, after base and branches: a square cut out of each image, then images mixed with one another.

    `cutout` is the side of the square as a fraction of the image's shorter side, 0 to 1; it is centred anywhere in the image and
    takes the base's fill (DeVries and Taylor, arXiv 1708.04552). `mixup_alpha` (arXiv 1710.09412) and `cutmix_alpha` (arXiv
    1905.04899) are the parameters of Beta(alpha, alpha) from which each image's share is drawn; 0 is off, and where both are on
    each image meets one of them, as likely. Mixing is for training batches: `draw` and `apply` know nothing of it.
    """

    mixup_alpha: float = 0.0
    cutmix_alpha: float = 0.0
    cutout: float = 0.0

    def __post_init__(self) -> None:
        for name in ("mixup_alpha", "cutmix_alpha"):
            alpha = getattr(self, name)
            check_number(f"batch {name}", alpha)
            if alpha != 0 and not WEAKEST_ALPHA <= alpha <= STRONGEST_ALPHA:
                raise BadInput(f"batch {name}: {alpha}; allowed is 0 (off), or {WEAKEST_ALPHA:g} to {STRONGEST_ALPHA:g}")
        check_number("batch cutout", self.cutout)
        if not 0 <= self.cutout <= 1:
            raise BadInput(f"batch cutout: {self.cutout}; allowed is 0 (off) to 1 of the shorter side")

    @property
    def mixes(self) -> bool:
        """Whether images are mixed with one another, and so their labels."""
        return self.mixup_alpha > 0 or self.cutmix_alpha > 0

    @property
    def ops(self) -> tuple[str, ...]:
        """The ops that the part that is each image's own is carried out with."""
        return ("erase",) if self.cutout > 0 else ()
