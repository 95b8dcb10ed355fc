"""The scale "paper": a level M as RandAugment's published TPU code reads it. Level 10 is AutoAugment's maximum.

Each op follows a straight line through its values at level 0 and at level 10, and on beyond (the paper's EfficientNet-B7 has
M = 28), until it meets the op's hard limits; there it stops. Three maps run another way than on torchvision's scale: factors
go one way only, 0.1 at level 0, 1 at 5 and 1.9 at 10, so that low levels are strong and 5 is nothing; posterize keeps more
bits as levels rise, and solarize's threshold rises, so that both grow weaker and at last do nothing.

Lines are those of tensorflow/tpu, models/official/efficientnet/autoaugment.py (commit 181b860). That code moves images by 100
pixels at level 10 whatever their size; here it is the share that they are of 224, ResNet-50's input. It draws a sign for
rotate, shear and translate only.
"""

from dataclasses import dataclass

from searchspaces.ops.op import Op

MAXIMUM = 10
LAST = 67  # where the last op, shear, has met its limit
SOURCE = "tensorflow/tpu, models/official/efficientnet/autoaugment.py (181b860), level_to_arg"
TRANSLATE_PX = 100  # at level 10
SIDE = 224


@dataclass(frozen=True)
class Line:
    """An op's strength at levels 0 and 10, in its unit; everything between and beyond lies on the line through both."""

    at_0: float
    at_10: float

    def value(self, level: float) -> float:
        """Where the line is at a level. Whole-numbered lines begin at 0, and are cut off as the published code cuts them."""
        return self.at_0 + (self.at_10 - self.at_0) * (level / MAXIMUM)


_FACTOR, _SHEAR, _SHARE, _SWITCH = Line(0.1, 1.9), Line(0.0, 0.3), Line(0.0, TRANSLATE_PX / SIDE), Line(1.0, 1.0)

# RandAugment's 14 ops (section 3 of the paper), then those that only its code and AutoAugment's have.
LINES = {
    "identity": _SWITCH,
    "autocontrast": _SWITCH,
    "equalize": _SWITCH,
    "rotate": Line(0.0, 30.0),
    "solarize": Line(0.0, 256.0),
    "saturation": _FACTOR,
    "posterize": Line(0.0, 4.0),
    "contrast": _FACTOR,
    "brightness": _FACTOR,
    "sharpness": _FACTOR,
    "shear_x": _SHEAR,
    "shear_y": _SHEAR,
    "translate_x": _SHARE,
    "translate_y": _SHARE,
    "invert": _SWITCH,
    "solarize_add": Line(0.0, 110.0),
}
OPS = tuple(LINES)[:14]
_CUT = ("posterize", "solarize", "solarize_add")


def strength(op: Op, level: float) -> float:
    """The op's strength at a level, stopped at the op's hard limits."""
    value = LINES[op.name].value(level)
    whole = int(value) if op.name in _CUT else value
    return min(max(whole, op.strength.low), op.strength.high)


def is_signed(op: Op) -> bool:
    """Whether a sign is drawn: for what moves, not for factors."""
    return op.signed and op.kind == "geometry"


def stops(op: Op) -> int | None:
    """The first level from 10 on at which the op is at its hard limit, and stays; None for an op without a strength."""
    if LINES[op.name].at_0 == LINES[op.name].at_10:
        return None
    return next(level for level in range(MAXIMUM, LAST + 1) if strength(op, level) >= op.strength.high - 1e-9)
