"""What a level means: RandAugment's M and AutoAugment's magnitudes as physical values, by the name of their scale.

Each scale runs from an op's weakest to its strongest value in equal steps: "torchvision" in 30 over its standard span
(v2.RandAugment), "trivialaugment-wide" in 30 over its wide one (v2.TrivialAugmentWide), "torchvision-autoaugment" in 9 over the
standard one (v2.AutoAugment, where level 9 is the maximum; AutoAugment's own code divides by 10, so that its 9 is 0.9 of it);
tested against torchvision's own tables. Refuses levels that a scale has not, and ops that it lacks.

Two deviations from torchvision, both meant: at level 0 it solarizes at 255, which turns white black, and here level 0 is the
identity, 256; and the noise of its float32 tables is not copied, which moves the solarize threshold by one grey level at the
even levels but a few, and makes 15 pixels of 16 at level 15.
"""

from dataclasses import dataclass
from typing import Literal

from searchspaces.errors import BadInput
from searchspaces.ops import find_op
from searchspaces.ops.op import Op, Span
from searchspaces.policy import Constant, Levels

Scale = Literal["torchvision", "trivialaugment-wide", "torchvision-autoaugment"]

SIGNIFICANT_DIGITS = 6

_EVERYWHERE = (
    "autocontrast",
    "brightness",
    "contrast",
    "equalize",
    "posterize",
    "rotate",
    "saturation",
    "sharpness",
    "shear_x",
    "shear_y",
    "solarize",
)


@dataclass(frozen=True)
class _Scale:
    """Levels 0 to `top`, evenly over each op's span of that name; the ops are those that all scales share, and `own_ops`."""

    span: str
    top: int
    own_ops: tuple[str, ...]


_SCALES = {
    "torchvision": _Scale("standard", 30, ("identity", "translate_x", "translate_y")),
    # The wide space moves by 32 pixels whatever the image's size, the others by a share of the side.
    "trivialaugment-wide": _Scale("wide", 30, ("identity", "translate_x_px", "translate_y_px")),
    "torchvision-autoaugment": _Scale("standard", 9, ("invert", "translate_x", "translate_y")),
}


def scale_ops(scale: Scale = "torchvision") -> tuple[str, ...]:
    """The ops a scale knows, in alphabetical order: 14 of them on each."""
    return tuple(sorted(_EVERYWHERE + _scale(scale).own_ops))


def top_level(scale: Scale = "torchvision") -> int:
    """The scale's highest level; the lowest is 0."""
    return _scale(scale).top


def level_value(op_name: str, level: int, scale: Scale = "torchvision") -> Constant:
    """The op's strength at a level (0 to `top_level`) in its unit, to 6 significant digits, with a sign where the op has one."""
    if op_name not in scale_ops(scale):
        raise BadInput(f"op {op_name!r}: it has no levels on scale {scale!r}; that knows {', '.join(scale_ops(scale))}")
    top = top_level(scale)
    if isinstance(level, bool) or not isinstance(level, int) or not 0 <= level <= top:
        raise BadInput(f"level: {level!r}; allowed is a whole number from 0 to {top} (scale {scale!r})")
    op = find_op(op_name)
    return Constant(rounded(_strength(op, op.spans[_scale(scale).span], level / top)), signed=op.signed)


def all_levels(op_name: str, scale: Scale = "trivialaugment-wide", highest: int | None = None) -> Constant | Levels:
    """Each of the op's levels up to `highest` (default: the scale's last), as likely; a constant where they are all the same."""
    last = top_level(scale) if highest is None else highest
    levels = [level_value(op_name, level, scale) for level in range(last + 1)]
    values = tuple(level.value for level in levels)
    return levels[0] if len(set(values)) == 1 else Levels(values, signed=levels[0].signed)


def rounded(value: float) -> float:
    """The value with 6 significant digits: what a person can read in a policy file, and still far finer than any grey level."""
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def _scale(name: str) -> _Scale:
    if name not in _SCALES:
        raise BadInput(f"scale: {name!r}; allowed are {', '.join(_SCALES)}")
    return _SCALES[name]


def _strength(op: Op, span: Span, share: float) -> float:
    if op.name == "solarize" and share > 0:
        return 255 * (1 - share)  # torchvision counts down from 255; only the identity is 256
    value = span.weak + (span.strong - span.weak) * share
    if op.name == "posterize":
        return round(value)
    return int(value) if op.strength.whole else value  # torchvision cuts pixels off to whole ones
