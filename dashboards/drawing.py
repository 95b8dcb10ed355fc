"""What all figures of the report share: sizes, a palette in which a policy keeps its colour, and the way to SVG text.

Text stays text, so a reader's browser sets it and search finds it; names with markup in them are escaped by the SVG writer. A
policy is told by colour, and by marker and dashes too, so that a figure reads in grey.
"""

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from itertools import chain, repeat
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dashboards.queries import StudyView

INK, FAINT, GREY = "#1F2328", "#E7E4DD", "#BDBDBD"
LONGEST_NAME = 32  # characters: a longer one would leave no room for the figure
SETTINGS: Any = {
    "svg.hashsalt": "policysearch",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "hatch.linewidth": 0.6,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.parse_math": False,  # a name with two dollar signs is a name
}


@dataclass(frozen=True)
class Shape:
    """A figure's size in inches, and how many columns its legend has: one for desks and paper, one for phones."""

    width: float
    height: float
    legend_columns: int


WIDE, NARROW = Shape(8.0, 4.2, 3), Shape(4.1, 4.2, 1)


@dataclass(frozen=True)
class Style:
    """How a policy is drawn in every figure: colour, marker, dashes, and whether its marker is filled (of a searched one)."""

    colour: str
    marker: str
    dashes: Any
    filled: bool

    @property
    def face(self) -> str:
        """The marker's inside."""
        return self.colour if self.filled else "#FFFFFF"


# Okabe and Ito's colours (2008), told apart by every kind of colour vision.
WINNER = ("#0072B2", "o", "solid")
BASELINES = (
    ("#D55E00", "s", (0, (1.2, 1.4))),
    ("#009E73", "D", (0, (5, 1.6))),
    ("#A65E9A", "^", (0, (6, 1.4, 1.2, 1.4))),
    ("#B07A00", "v", (0, (3, 1.2, 1.2, 1.2, 1.2, 1.2))),
    ("#4A4A4A", "P", (0, (9, 2))),
)
SEARCHED = (("#3B3B98", "h", (0, (8, 1.4, 3, 1.4))), ("#117777", "X", (0, (2.4, 1))), ("#7A4A2B", "p", (0, (10, 1.4, 1.2, 1.4))))
OTHER = Style(INK, "o", "solid", True)


def palette(view: StudyView) -> Mapping[str, Style]:
    """Each policy that figures name, by label: the winner in blue, the free baselines, then finalists and the search's best."""
    judgement = view.judgement
    won = judgement.winner.label if judgement.winner else view.best.name if view.best else None
    free = [row.name for row in view.baselines]
    named = [finalist.arm.label for finalist in judgement.finalists] + ([view.best.name] if view.best else [])
    found = {} if won is None else {won: Style(*WINNER, won not in free)}
    for names, looks, filled in ((free, BASELINES, False), (named, SEARCHED, True)):
        left = dict.fromkeys(name for name in names if name not in found)
        more = chain(looks, repeat((OTHER.colour, OTHER.marker, OTHER.dashes)))
        found |= {name: Style(*look, filled) for name, look in zip(left, more, strict=False)}
    return found


def style_of(styles: Mapping[str, Style], name: str) -> Style:
    """The style of a label; a baseline trained by another's recipe has its own, and whatever has none is drawn in ink."""
    return styles.get(name) or styles.get(name.partition(" with ")[0]) or OTHER


def short(name: str, longest: int = LONGEST_NAME) -> str:
    """Cut in its middle: what tells two policies of a space apart stands at the end."""
    head = longest // 3
    return name if len(name) <= longest else f"{name[:head]}…{name[head + 1 - longest :]}"


@contextmanager
def axes_of(shape: Shape) -> Iterator[tuple[Figure, Axes]]:
    """A figure with one pair of axes, in the report's settings."""
    with matplotlib.rc_context(SETTINGS):
        figure = Figure((shape.width, shape.height), layout="constrained")
        axes = figure.subplots()
        axes.spines[["top", "right"]].set_visible(False)
        yield figure, axes


def svg(figure: Figure, alternative: str) -> str:
    """The figure as an <svg> element that fills its container; `alternative` is what it shows, for those who can't see it."""
    text = io.StringIO()
    figure.patch.set_alpha(0)
    figure.axes[0].patch.set_alpha(0)
    figure.savefig(text, format="svg", metadata={"Creator": None, "Date": None, "Format": None, "Type": None})
    element = text.getvalue().partition("<svg")[2]
    head, bracket, body = element.partition(">")
    box = re.search(r'viewBox="[^"]*"', head)
    assert box is not None
    return f'<svg {box.group()} role="img" aria-label="{escape(alternative)}"{bracket}{body.strip()}'
