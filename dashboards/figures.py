"""The report's figures as SVG text, drawn by matplotlib: the same bytes for the same study, legible in grey and to every eye.

Text stays text, so a reader's browser sets it and search finds it; names with markup in them are escaped by the SVG writer.
"""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from itertools import cycle
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dashboards.findings import FinalistRow
from dashboards.queries import Row, StudyView
from policysearch.judging.in_words import percent

# Okabe and Ito's colours (2008), told apart by every kind of colour vision; dashes and widths tell them apart in grey.
BEST = "#0072B2"
BASELINES = (
    ("#D55E00", (0, (1.2, 1.4))),
    ("#009E73", (0, (5, 1.6))),
    ("#A65E9A", (0, (6, 1.4, 1.2, 1.4))),
    ("#B07A00", (0, (3, 1.2, 1.2, 1.2, 1.2, 1.2))),
    ("#4A4A4A", (0, (9, 2))),
)
OTHERS, INK, FAINT = "#BDBDBD", "#1F2328", "#E7E4DD"
CURVES_DRAWN = 100
LONGEST_NAME = 32  # characters: a longer one would leave no room for the figure
SETTINGS: Any = {
    "svg.hashsalt": "policysearch",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
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


def comparison_svg(view: StudyView, shape: Shape) -> str:
    """Validation error of the best policy and the baselines, with the band in which the two can't be told apart."""
    assert view.best is not None and view.best.error is not None
    best, gaps = 100 * view.best.error, {gap.baseline.uid: gap for gap in view.comparisons}
    rows = [row for row in view.done if row.uid == view.best.uid or row.role == "baseline"]
    with _axes(Shape(shape.width, 0.62 + 0.42 * len(rows), shape.legend_columns)) as (figure, axes):
        axes.axvline(best, color=BEST, linewidth=1, zorder=1)
        for place, row in enumerate(reversed(rows)):
            assert row.error is not None
            error, is_best = 100 * row.error, row.uid == view.best.uid
            if not is_best:
                reach = 100 * gaps[row.uid].resolvable
                axes.barh(place, 2 * reach, left=best - reach, height=0.5, color=FAINT, zorder=0)
            axes.plot(error, place, "o", color=BEST if is_best else INK, markersize=8 if is_best else 6.5, zorder=3)
            axes.annotate(
                percent(row.error),
                (error, place),
                (8, 0),
                textcoords="offset points",
                va="center",
                weight="bold" if is_best else "normal",
            )
        axes.set_yticks(range(len(rows)), [_short(row.name) for row in reversed(rows)])
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.margins(x=0.12)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("validation error, %")
        return _svg(figure, "Validation error of the best policy and of the free baselines, in percent")


def finalists_svg(finalists: Sequence[FinalistRow], shape: Shape) -> str:
    """Each finalist's mean error and its interval: the winner in blue, searched policies as dots, baselines as open squares."""
    with _axes(Shape(shape.width, 0.75 + 0.45 * len(finalists), shape.legend_columns)) as (figure, axes):
        for place, row in enumerate(reversed(finalists)):
            won = row.mark == "winner"
            colour = BEST if won else INK
            mean, low, high = (100 * share for share in (row.mean, row.low, row.high))
            axes.plot([low, high], [place, place], "-|", color=colour, linewidth=3 if won else 1.6, markersize=9, zorder=2)
            free = row.kind == "baseline"
            filled = "#FFFFFF" if free else colour
            marker, size = ("s", 7.5) if free else ("o", 8.5)
            axes.plot(mean, place, marker, color=colour, markerfacecolor=filled, markersize=size, zorder=3)
            weight = "bold" if won else "normal"
            above: Any = {"textcoords": "offset points", "ha": "center", "va": "bottom", "weight": weight, "fontsize": 9}
            axes.annotate(percent(row.mean), (mean, place), (0, 6), **above)
        axes.set_yticks(range(len(finalists)), [_short(row.name) for row in reversed(finalists)])
        axes.set_ylim(-0.6, len(finalists) - 0.25)
        axes.margins(x=0.06)
        axes.grid(axis="x", color=FAINT, linewidth=0.8)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("mean error, % (line: 95 % interval)")
        return _svg(figure, f"Mean error of each finalist with its 95 % interval, in percent: {_told(finalists)}")


def _told(finalists: Sequence[FinalistRow]) -> str:
    """The figure for those who can't see it."""
    return "; ".join(
        f"{row.name}{f' ({row.mark})' if row.mark else ''} {percent(row.mean)}, {percent(row.low)} to {percent(row.high)}"
        for row in finalists
    )


def curves_svg(view: StudyView, shape: Shape) -> str:
    """Validation error after every epoch: the best trial, the baselines, the other trials in grey (the best hundred of them)."""
    baselines = dict(zip((row.uid for row in view.baselines), cycle(BASELINES)))
    with _axes(shape) as (figure, axes):
        others = [row for row in (*view.done, *_short_of(view)) if row != view.best and row.uid not in baselines]
        for row in others[:CURVES_DRAWN]:
            axes.plot(*_points(row), color=OTHERS, linewidth=0.8, zorder=1)
            if row.status == "failed":
                axes.plot(*(axis[-1:] for axis in _points(row)), "x", color="#6B6B6B", markersize=6, zorder=2)
        for row in view.baselines:
            if row.curve and row != view.best:
                colour, dashes = baselines[row.uid]
                axes.plot(*_points(row), color=colour, linestyle=dashes, linewidth=1.7, zorder=3, label=_short(row.name))
        if view.best is not None:
            axes.plot(*_points(view.best), color=BEST, linewidth=2.6, zorder=4, label=f"best: {_short(view.best.name)}")
        _frame_curves(axes, view, shape)
        return _svg(figure, "Validation error after each epoch, one line a trial")


def _frame_curves(axes: Axes, view: StudyView, shape: Shape) -> None:
    """Axes that show the end, where it is decided: the first steep epochs may leave the frame at the top."""
    rows = [row for row in view.rows if row.curve]
    longest = max((row.epochs for row in rows), default=0)
    late = [100 * error for row in rows for epoch, error in row.curve if epoch > longest / 6] or [100.0]
    room = (max(late) - min(late)) or 1.0
    axes.set_ylim(max(0.0, min(late) - 0.08 * room), max(late) + 0.05 * room)
    axes.set_xlim(1, max(2, longest))
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.set_xlabel("epoch")
    axes.locator_params(axis="x", integer=True)
    axes.set_ylabel("validation error, %")
    if axes.get_legend_handles_labels()[0]:
        above = {"bbox_to_anchor": (0.0, 1.0), "borderaxespad": 0.3, "ncols": shape.legend_columns}
        axes.legend(loc="lower left", frameon=False, handlelength=3.2, fontsize=9, columnspacing=1.4, **above)


def _short(name: str) -> str:
    """Cut in its middle: what tells two policies of a space apart stands at the end."""
    head = LONGEST_NAME // 3
    return name if len(name) <= LONGEST_NAME else f"{name[:head]}…{name[head + 1 - LONGEST_NAME :]}"


def _short_of(view: StudyView) -> tuple[Row, ...]:
    """The trials that ended before the study's last epoch: failed, or stopped."""
    return tuple(row for row in view.rows if row.status in ("failed", "stopped") and row.curve)


def _points(row: Row) -> tuple[list[int], list[float]]:
    """Epochs and errors in percent."""
    return [epoch for epoch, _ in row.curve], [100 * error for _, error in row.curve]


@contextmanager
def _axes(shape: Shape) -> Iterator[tuple[Figure, Axes]]:
    with matplotlib.rc_context(SETTINGS):
        figure = Figure((shape.width, shape.height), layout="constrained")
        axes = figure.subplots()
        axes.spines[["top", "right"]].set_visible(False)
        yield figure, axes


def _svg(figure: Figure, alternative: str) -> str:
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
