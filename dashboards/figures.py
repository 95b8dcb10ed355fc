"""The report's figures of errors: finalists, the search beside the free baselines, and learning curves, as SVG text.

The same bytes for the same study. A policy has the same colour, marker and dashes in all of them (`drawing.palette`).
"""

from collections.abc import Iterator, Sequence
from typing import Any

from matplotlib.axes import Axes

from dashboards.drawing import FAINT, GREY, INK, LONGEST_NAME, NARROW, WIDE, Shape, axes_of, palette, short, style_of, svg
from dashboards.findings import FinalistRow, finalist_rows
from dashboards.queries import Row, StudyView
from policysearch.judging.in_words import percent

__all__ = ["NARROW", "WIDE", "Shape", "comparison_svg", "curves_svg", "finalists_svg"]

CURVES_DRAWN = 100
LONGEST_ON_PHONES = 27  # letters of a name beside a row
POINTS_DRAWN = 200  # of a curve: a thousand epochs are more than a page has pixels for
ENDS = {  # how a curve is drawn that did not go all the way: its line, the mark at its end, and what the legend says
    "failed": ("solid", "x", "failed"),
    "stopped": ((0, (1, 1.6)), "|", "stopped early"),
    "promoted": ((0, (1, 1.6)), ">", "went on to a longer training"),
}


def comparison_svg(view: StudyView, shape: Shape) -> str:
    """Validation error of the best policy and the baselines, with the band in which the two can't be told apart."""
    assert view.best is not None and view.best.error is not None
    best, gaps, styles = 100 * view.best.error, {gap.baseline.uid: gap for gap in view.comparisons}, palette(view)
    rows = [row for row in view.done if row.uid == view.best.uid or row.role == "baseline"]
    with axes_of(Shape(shape.width, 0.62 + 0.42 * len(rows), shape.legend_columns)) as (figure, axes):
        axes.axvline(best, color=style_of(styles, view.best.name).colour, linewidth=1, zorder=1)
        for place, row in enumerate(reversed(rows)):
            assert row.error is not None
            error, is_best, style = 100 * row.error, row.uid == view.best.uid, style_of(styles, row.name)
            if not is_best:
                reach = 100 * gaps[row.uid].resolvable
                axes.barh(place, 2 * reach, left=best - reach, height=0.5, color=FAINT, zorder=0)
            look: Any = {"color": style.colour, "markerfacecolor": style.face, "markersize": 8 if is_best else 7, "zorder": 3}
            axes.plot(error, place, style.marker, **look)
            beside: Any = {"textcoords": "offset points", "va": "center", "weight": "bold" if is_best else "normal"}
            axes.annotate(percent(row.error), (error, place), (8, 0), **beside)
        _name_rows(axes, [row.name for row in rows], shape)
        axes.margins(x=0.12)
        axes.set_xlabel("validation error, %")
        told = "; ".join(f"{row.name} {percent(row.error or 0.0)}" for row in rows)
        return svg(figure, f"Validation error of the best policy and of the free baselines, in percent: {told}")


def finalists_svg(view: StudyView, shape: Shape) -> str:
    """Each finalist's mean error and its interval: searched policies filled, free baselines open, the winner thick."""
    finalists, styles = finalist_rows(view), palette(view)
    with axes_of(Shape(shape.width, 0.75 + 0.45 * len(finalists), shape.legend_columns)) as (figure, axes):
        for place, row in enumerate(reversed(finalists)):
            won, style = row.mark == "winner", style_of(styles, row.name)
            mean, low, high = (100 * share for share in (row.mean, row.low, row.high))
            axes.plot([low, high], [place, place], "-|", color=style.colour, linewidth=3 if won else 1.6, markersize=9, zorder=2)
            axes.plot(mean, place, style.marker, color=style.colour, markerfacecolor=style.face, markersize=8, zorder=3)
            weight = "bold" if won else "normal"
            above: Any = {"textcoords": "offset points", "ha": "center", "va": "bottom", "weight": weight, "fontsize": 9}
            axes.annotate(percent(row.mean), (mean, place), (0, 6), **above)
        _name_rows(axes, [row.name for row in finalists], shape)
        axes.set_ylim(-0.6, len(finalists) - 0.25)
        axes.margins(x=0.06)
        axes.grid(axis="x", color=FAINT, linewidth=0.8)
        axes.set_xlabel("mean error, % (line: 95 % interval)" if shape.legend_columns > 1 else "mean error, %")
        return svg(figure, f"Mean error of each finalist with its 95 % interval, in percent: {_told(finalists)}")


def _name_rows(axes: Axes, names: Sequence[str], shape: Shape) -> None:
    """Names at the left, the first on top, without an axis line; on a phone in fewer letters."""
    letters = LONGEST_NAME if shape.legend_columns > 1 else LONGEST_ON_PHONES
    axes.set_yticks(range(len(names)), [short(name, letters) for name in reversed(names)])
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _told(finalists: Sequence[FinalistRow]) -> str:
    """The figure for those who can't see it."""
    return "; ".join(
        f"{row.name}{f' ({row.mark})' if row.mark else ''} {percent(row.mean)}, {percent(row.low)} to {percent(row.high)}"
        for row in finalists
    )


def curves_svg(view: StudyView, shape: Shape) -> str:
    """Validation error after every epoch: the best trial, the baselines, the other trials in grey (the best hundred of them).

    Dotted lines are trainings that ended before the study's last epoch; the mark at their end says why.
    """
    named, styles = _named(view), palette(view)
    with axes_of(shape) as (figure, axes):
        others = [row for row in (*view.done, *_short_of(view)) if row.curve and row.uid not in {one.uid for one in named}]
        for row in others[:CURVES_DRAWN]:
            dashes, *_ = ENDS.get(row.status, ("solid",))
            axes.plot(*_points(row), color=GREY if row.status == "done" else "#8C8C8C", linestyle=dashes, linewidth=0.9, zorder=1)
        _mark_ends(axes, others[:CURVES_DRAWN])
        for row in named:
            style, best = style_of(styles, row.name), row == view.best
            width, words = (2.6 if best else 1.7), f"best: {short(row.name)}" if best else short(row.name)
            axes.plot(*_points(row), color=style.colour, linestyle=style.dashes, linewidth=width, zorder=3 + best, label=words)
        _frame_curves(axes, view, shape)
        ended = ", ".join(f"{view.count(status)} {words}" for status, (*_, words) in ENDS.items() if view.count(status))  # type: ignore[arg-type]
        return svg(figure, f"Validation error after each epoch, one line a trial{f'; {ended}' if ended else ''}")


def _named(view: StudyView) -> list[Row]:
    """The curves with a name: the baselines', then the best trial's on top of all."""
    rows = [row for row in view.baselines if row.curve and row.status == "done" and row != view.best]
    return rows + ([view.best] if view.best is not None and view.best.curve else [])


def _mark_ends(axes: Axes, rows: Sequence[Row]) -> None:
    """A mark where a curve ends that did not go all the way, once in the legend."""
    for status, (_, marker, words) in ENDS.items():
        ends = [(epochs[-1], errors[-1]) for epochs, errors in map(_points, (row for row in rows if row.status == status))]
        if ends:
            look: Any = {"color": "#5A5A5A", "markersize": 6, "markeredgewidth": 1.5, "zorder": 2, "label": words}
            axes.plot(*zip(*ends, strict=True), marker, **look)


def _frame_curves(axes: Axes, view: StudyView, shape: Shape) -> None:
    """Axes that show the end, where it is decided: the first steep epochs may leave the frame at the top."""
    rows = [row for row in view.rows if row.curve]
    longest = max((row.epochs for row in rows), default=0)
    late = [100 * error for row in rows for epoch, error in row.curve if epoch > longest / 6] or [100.0]
    ends = [100 * row.curve[-1][1] for row in _short_of(view)]  # where a training ended must be in sight
    low, high = min(late + ends), max(late + ends)
    axes.set_ylim(max(0.0, low - 0.08 * ((high - low) or 1.0)), high + 0.05 * ((high - low) or 1.0))
    axes.set_xlim(1, max(2, longest) * 1.01)
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.set_xlabel("epoch")
    axes.locator_params(axis="x", integer=True)
    axes.set_ylabel("validation error, %")
    if axes.get_legend_handles_labels()[0]:
        above: Any = {"bbox_to_anchor": (0.0, 1.0), "borderaxespad": 0.3, "ncols": shape.legend_columns, "labelcolor": INK}
        axes.legend(loc="lower left", frameon=False, handlelength=3.2, fontsize=9, columnspacing=1.4, **above)


def _short_of(view: StudyView) -> tuple[Row, ...]:
    """The trials that ended before the study's last epoch: failed, stopped, or promoted to a longer training."""
    return tuple(row for row in view.rows if row.status in ENDS and row.curve)


def _points(row: Row) -> tuple[list[int], list[float]]:
    """Epochs and errors in percent; of a long curve every so many, and always the last."""
    every = -(-len(row.curve) // POINTS_DRAWN)
    kept = list(_every(row.curve, every))
    return [epoch for epoch, _ in kept], [100 * error for _, error in kept]


def _every(curve: Sequence[tuple[int, float]], every: int) -> Iterator[tuple[int, float]]:
    return (point for place, point in enumerate(curve, start=1) if (len(curve) - place) % every == 0)
