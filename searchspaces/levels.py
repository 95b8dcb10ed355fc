"""What a level means: RandAugment's M and AutoAugment's magnitudes as physical values, by the name of their scale.

"torchvision", "trivialaugment-wide" and "torchvision-autoaugment" run from an op's weakest to its strongest value in equal
steps: the first in 30 over its standard span (v2.RandAugment), the second in 30 over its wide one (v2.TrivialAugmentWide),
the third in 9 over the standard one (v2.AutoAugment, where level 9 is the maximum; AutoAugment's own code divides by 10, so
that its 9 is 0.9 of it); tested against torchvision's own tables. "paper" is the published TPU code's, where 10 is the
maximum and levels go on beyond (`paper_scale`). Refuses levels that a scale has not, and ops that it lacks.

Two deviations from torchvision, both meant: at level 0 it solarizes at 255, which turns white black, and here level 0 is the
identity, 256; and the noise of its float32 tables is not copied, which moves the solarize threshold by one grey level at the
even levels but a few, and makes 15 pixels of 16 at level 15.
"""

from dataclasses import dataclass
from typing import Literal

from searchspaces import paper_scale
from searchspaces.errors import BadInput
from searchspaces.ops import find_op, op_table
from searchspaces.ops.op import Op, Span
from searchspaces.policy import Constant, Levels

Scale = Literal["torchvision", "trivialaugment-wide", "torchvision-autoaugment", "paper"]

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
    """Levels 0 to `top`, the maximum, and on to `last`; the ops are those that all scales share, and `own_ops`.

    Levels run evenly over each op's span of the name `span`; None: along the lines of `paper_scale`.
    """

    span: str | None
    top: int
    last: int
    own_ops: tuple[str, ...]


_SCALES = {
    "torchvision": _Scale("standard", 30, 30, ("identity", "translate_x", "translate_y")),
    # The wide space moves by 32 pixels whatever the image's size, the others by a share of the side.
    "trivialaugment-wide": _Scale("wide", 30, 30, ("identity", "translate_x_px", "translate_y_px")),
    "torchvision-autoaugment": _Scale("standard", 9, 9, ("invert", "translate_x", "translate_y")),
    "paper": _Scale(None, paper_scale.MAXIMUM, paper_scale.LAST, ("identity", "translate_x", "translate_y")),
}


def scale_ops(scale: Scale = "torchvision") -> tuple[str, ...]:
    """The ops a scale is for, in alphabetical order: 14 of them on each."""
    return tuple(sorted(_EVERYWHERE + _scale(scale).own_ops))


def levelled_ops(scale: Scale = "torchvision") -> tuple[str, ...]:
    """All ops that have levels on a scale, in alphabetical order: those it is for, and others with one value and such a span."""
    return tuple(op.name for op in op_table() if _has_levels(op, scale))


def having_levels(names: tuple[str, ...] | None, scale: Scale) -> tuple[str, ...] | None:
    """The names again. BadInput for one that has no levels on the scale."""
    for name in names or ():
        level_value(name, 0, scale)
    return names


def top_level(scale: Scale = "torchvision") -> int:
    """The scale's level for the maximum; the lowest is 0. On the scale "paper" levels go on beyond it."""
    return _scale(scale).top


def level_value(op_name: str, level: int, scale: Scale = "torchvision") -> Constant:
    """The op's strength at a level in its unit, to 6 significant digits, with a sign where the scale has one.

    Levels are 0 to `top_level`, on the scale "paper" 0 to 67. An op stops at its hard limits.
    """
    op, span, last = find_op(op_name), _scale(scale).span, _scale(scale).last
    if not _has_levels(op, scale):
        known = ", ".join(levelled_ops(scale))
        raise BadInput(f"op {op_name!r}: it has no levels on scale {scale!r}; that knows {known}")
    if isinstance(level, bool) or not isinstance(level, int) or not 0 <= level <= last:
        raise BadInput(f"level: {level!r}; allowed is a whole number from 0 to {last} (scale {scale!r})")
    if span is None:
        return Constant(rounded(paper_scale.strength(op, level)), signed=paper_scale.is_signed(op))
    return Constant(rounded(_strength(op, op.spans[span], level / top_level(scale))), signed=op.signed)


def all_levels(op_name: str, scale: Scale = "trivialaugment-wide", highest: int | None = None) -> Constant | Levels:
    """Each of the op's levels up to `highest` (default: the maximum), as likely; a constant where they are all the same."""
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


def _has_levels(op: Op, scale: str) -> bool:
    span = _scale(scale).span
    return op.name in paper_scale.LINES if span is None else span in op.spans and len(op.parameters) == 1


def _strength(op: Op, span: Span, share: float) -> float:
    if op.name == "solarize" and share > 0:
        return 255 * (1 - share)  # torchvision counts down from 255; only the identity is 256
    value = span.weak + (span.strong - span.weak) * share
    if op.name == "posterize":
        return round(value)
    return int(value) if op.strength.whole else value  # torchvision cuts pixels off to whole ones
