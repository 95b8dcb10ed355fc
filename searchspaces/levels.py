"""What a level means: RandAugment's M as physical values, by the name of its scale.

Both scales run from an op's weakest to its strongest value in 30 equal steps: "torchvision" over its standard span
(v2.RandAugment), "trivialaugment-wide" over its wide one (v2.TrivialAugmentWide); tested against torchvision's own tables.
Refuses levels outside 0 to 30 and ops that a scale lacks. Two deviations, both meant: at level 0 torchvision solarizes at 255,
which turns white black, and here level 0 is the identity, 256; and the noise of its float32 tables is not copied, which
moves the solarize threshold by one grey level at the even levels but a few, and makes 15 pixels of 16 at level 15.
"""

from typing import Literal

from searchspaces.errors import BadInput
from searchspaces.ops import find_op
from searchspaces.ops.op import Op, Span
from searchspaces.policy import Constant, Levels

Scale = Literal["torchvision", "trivialaugment-wide"]

MAX_LEVEL = 30
SIGNIFICANT_DIGITS = 6

_EVERYWHERE = (
    "autocontrast",
    "brightness",
    "contrast",
    "equalize",
    "identity",
    "posterize",
    "rotate",
    "saturation",
    "sharpness",
    "shear_x",
    "shear_y",
    "solarize",
)
# The wide space moves by 32 pixels whatever the image's size, RandAugment by a share of the side.
_OPS = {
    "torchvision": (*_EVERYWHERE, "translate_x", "translate_y"),
    "trivialaugment-wide": (*_EVERYWHERE, "translate_x_px", "translate_y_px"),
}
_SPANS = {"torchvision": "standard", "trivialaugment-wide": "wide"}


def scale_ops(scale: Scale = "torchvision") -> tuple[str, ...]:
    """The ops a scale knows, in alphabetical order: 14 of them on both."""
    if scale not in _OPS:
        raise BadInput(f"scale: {scale!r}; allowed are {', '.join(_OPS)}")
    return _OPS[scale]


def level_value(op_name: str, level: int, scale: Scale = "torchvision") -> Constant:
    """The op's strength at a level (0 to 30) in its physical unit, to 6 significant digits, with a sign where the op has one."""
    if op_name not in scale_ops(scale):
        raise BadInput(f"op {op_name!r}: it has no levels on scale {scale!r}; that knows {', '.join(scale_ops(scale))}")
    if isinstance(level, bool) or not isinstance(level, int) or not 0 <= level <= MAX_LEVEL:
        raise BadInput(f"level: {level!r}; allowed is a whole number from 0 to {MAX_LEVEL} (scale {scale!r})")
    op = find_op(op_name)
    return Constant(rounded(_strength(op, op.spans[_SPANS[scale]], level)), signed=op.signed)


def all_levels(op_name: str, scale: Scale = "trivialaugment-wide") -> Constant | Levels:
    """Each of the op's 31 levels, as likely; a constant where they are all the same."""
    levels = [level_value(op_name, level, scale) for level in range(MAX_LEVEL + 1)]
    values = tuple(level.value for level in levels)
    return levels[0] if len(set(values)) == 1 else Levels(values, signed=levels[0].signed)


def rounded(value: float) -> float:
    """The value with 6 significant digits: what a person can read in a policy file, and still far finer than any grey level."""
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def _strength(op: Op, span: Span, level: int) -> float:
    share = level / MAX_LEVEL
    if op.name == "solarize" and level > 0:
        return 255 * (1 - share)  # torchvision counts down from 255; only the identity is 256
    value = span.weak + (span.strong - span.weak) * share
    if op.name == "posterize":
        return round(value)
    return int(value) if op.strength.whole else value  # torchvision cuts pixels off to whole ones
