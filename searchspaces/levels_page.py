"""The page about levels, docs/levels.md: what M = 9 is on each named scale, and what an op does above 10 on the paper's.

Made from `levels` and `paper_scale`; nothing about one op is written here. After a change there: make docs.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from searchspaces import paper_scale
from searchspaces.levels import Scale, level_value, scale_ops, top_level
from searchspaces.ops import find_op
from searchspaces.policy import Constant

_OPENING = f"""\
# Levels

Made by `make docs` from `searchspaces/levels.py` and `searchspaces/paper_scale.py`: change them, not this page.

A level is what RandAugment's M and AutoAugment's magnitudes count in, and it means nothing without its scale: M = 9 turns by 9
degrees on one and by 27 on another. So levels exist in families only, each on a scale with a name; a policy file has
[values in physical units](policy-json.md), and so has every policy of the zoo.

| Scale | Counts to | As in | Families |
|---|---|---|---|
| `torchvision` | 30 | torchvision 0.29 `v2.RandAugment` with 31 bins | `randaugment`, `trivialaugment` (standard) |
| `trivialaugment-wide` | 30 | torchvision 0.29 `v2.TrivialAugmentWide` with 31 bins | `trivialaugment` (wide) |
| `torchvision-autoaugment` | 9 | torchvision 0.29 `v2.AutoAugment` with 10 bins | `autoaugment` |
| `paper` | 10, and beyond to {paper_scale.LAST} | {paper_scale.SOURCE} | `randaugment:scale=paper`, `autoaugment:scale=paper` |

"±": a sign is drawn, so that the mirror image about the op's identity is as likely. A dash: the scale has another op.
"""

_PAPER = """\
## Above 10, on the paper's scale

10 is AutoAugment's maximum; the RandAugment paper goes on to 28 for EfficientNet-B7. An op's strength goes on along its line
until it meets the op's hard limit, and stays there: in the family, before there is a policy. One limit is met below 10:
posterize keeps at least 1 bit, where the published code keeps none up to level 2 and gives a black image.

On this scale low levels are not always weak. Factors go one way, from 0.1 at level 0 over 1, which is nothing, at 5.
Posterize keeps more bits and solarize's threshold rises as the level does, so that both are weakest at the top, and from the
level on that the last column names they do nothing. Images move by the published code's 100 pixels at level 10 as a share of
224.
"""

_COLUMNS: tuple[tuple[Scale, int], ...] = (
    ("torchvision", 9),
    ("trivialaugment-wide", 9),
    ("torchvision-autoaugment", 9),
    ("paper", 9),
    ("torchvision", 30),
    ("trivialaugment-wide", 30),
    ("paper", 10),
)
_PAPER_LEVELS = (0, 2, 5, 9, 10, 14, 17, 28)


def levels_page() -> str:
    """The page as Markdown."""
    return "\n".join([_OPENING, *_scales_table(), "", _PAPER, *_paper_table(), ""])


def _scales_table() -> Iterator[str]:
    names = sorted({name for scale, _ in _COLUMNS for name in scale_ops(scale)})
    yield "## The same number on each scale\n"
    yield _row("Op (its strength)", *(f"{level} of `{scale}`" for scale, level in _COLUMNS))
    yield _row(*["---"] * (1 + len(_COLUMNS)))
    for name in [name for name in names if _has_strength(name)]:
        yield _row(_titled(name), *(_value(name, level, scale) for scale, level in _COLUMNS))


def _paper_table() -> Iterator[str]:
    yield _row("Op (its strength)", *map(str, _PAPER_LEVELS), "Stops")
    yield _row(*["---"] * (2 + len(_PAPER_LEVELS)))
    for name in [name for name in paper_scale.LINES if _has_strength(name)]:
        yield _row(_titled(name), *(_value(name, level, "paper") for level in _PAPER_LEVELS), _stop(name))


def _stop(name: str) -> str:
    op = find_op(name)
    level = paper_scale.stops(op)
    nothing = ", which is nothing" if op.strength.high == op.strength.identity else ""
    return f"from {level} on: {'±' * paper_scale.is_signed(op)}{op.strength.high:g}{nothing}"


def _has_strength(name: str) -> bool:
    return len({level_value(name, level, scale) for scale in _scales_of(name) for level in (0, top_level(scale))}) > 1


def _scales_of(name: str) -> list[Scale]:
    return [scale for scale in dict.fromkeys(scale for scale, _ in _COLUMNS) if name in scale_ops(scale)] or ["paper"]


def _value(name: str, level: int, scale: Scale) -> str:
    if name not in scale_ops(scale) and scale not in _scales_of(name):
        return "-"
    found: Constant = level_value(name, level, scale)
    identity = find_op(name).strength.identity
    if not found.signed or found.value == identity:
        return f"{found.value:.4g}"
    return f"±{found.value:.4g}" if identity == 0 else f"{identity:g} ± {found.value - identity:.4g}"


def _titled(name: str) -> str:
    strength = find_op(name).strength
    what = strength.name.replace("_", " ")
    return f"`{name}` ({what})" if strength.unit == "times" or strength.unit in what else f"`{name}` ({what}, {strength.unit})"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(levels_page(), encoding="utf-8")
