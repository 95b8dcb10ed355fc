"""Validation error over two parameters of a space as a heat map: number of ops and level where the space is RandAugment's, else
the two that matter most.

Each cell is the mean of its trials with the number written in it; untried cells stay empty. Only trials of all the study's
epochs count, as everywhere else.
"""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle

from dashboards.drawing import INK, Shape, axes_of, short, svg
from dashboards.importance import searched_rows
from dashboards.queries import Row, StudyView
from policysearch.judging.in_words import percent
from searchspaces.errors import BadInput
from searchspaces.limiting import limited_space, recorded_cut
from searchspaces.phrases import counted
from searchspaces.policy_json import digest
from searchspaces.spaces import usual_base

OPS, LEVEL = "ops", "level"  # RandAugment's N and M
WORDS = {OPS: "ops an image (N)", LEVEL: "level (M)"}
MOST_STEPS, RANGES = 12, 5
MOST_CELLS = 100
# Light is bad, dark is good: the lightness falls with the error in grey as in colour.
SCALE = LinearSegmentedColormap.from_list("error", ["#F4F1E8", "#A9CBE0", "#3B87B8", "#0B4A75"])


@dataclass(frozen=True)
class Step:
    """A row or column: its label, and the values that belong to it: one, or from `low` to below `high`."""

    label: str
    low: Any
    high: float | None = None

    def holds(self, value: object) -> bool:
        """Whether a parameter's value belongs here."""
        if self.high is None or isinstance(value, str):
            return bool(value == self.low)
        return isinstance(value, int | float) and self.low <= value < self.high


@dataclass(frozen=True)
class Cell:
    """The errors (0 to 1) of what was tried there; `free` are those of free baselines among them, `failed` counts failures."""

    errors: tuple[float, ...]
    free: int = 0
    failed: int = 0

    @property
    def mean(self) -> float | None:
        """The mean error, None where nothing has one."""
        return sum(self.errors) / len(self.errors) if self.errors else None


@dataclass(frozen=True)
class Grid:
    """A heat map's numbers. `cells[row][column]`; `down` is "" where the space has one parameter alone. `left_out`: trials in no
    cell, because they lack one of the two parameters or have a value that is not shown.
    """

    across: str
    down: str
    columns: tuple[Step, ...]
    rows: tuple[Step, ...]
    cells: tuple[tuple[Cell, ...], ...]
    left_out: int

    @property
    def known(self) -> list[float]:
        """The means of all cells that have one."""
        return [cell.mean for row in self.cells for cell in row if cell.mean is not None]

    @property
    def has_free(self) -> bool:
        """Whether a free baseline stands in a cell."""
        return any(cell.free for row in self.cells for cell in row)


def heat_map(view: StudyView, ranked: Sequence[str]) -> Grid | None:
    """The grid; `ranked` are parameters by importance, for spaces without N and M. None where no searched trial has a score."""
    done = searched_rows(view)
    parameters = {str(each["name"]): each for each in view.study.identity["space"]["parameters"]}
    if not done:
        return None
    across, down = _axes_names(parameters, ranked)
    failed = [row for row in view.rows if row.role == "trial" and row.status == "failed"]
    points = [(row.params, row) for row in (*done, *failed)] + _free_points(view, parameters)
    columns = _steps(parameters[across], [point[across] for point, _ in points if across in point])
    rows = _steps(parameters[down], [point[down] for point, _ in points if down in point]) if down else (Step("", None),)
    cells = tuple(tuple(_cell(points, (across, column), (down, row)) for column in columns) for row in rows)
    placed = sum(len(cell.errors) - cell.free for line in cells for cell in line)
    return Grid(across, down, columns, rows, cells, len(done) - placed)


def _axes_names(parameters: Mapping[str, Any], ranked: Sequence[str]) -> tuple[str, str]:
    """Which parameter goes across, and which down."""
    if {OPS, LEVEL} <= set(parameters):
        return LEVEL, OPS
    names = list(dict.fromkeys((*ranked, *parameters)))
    return names[0], names[1] if len(names) > 1 else ""


def _free_points(view: StudyView, parameters: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], Row]]:
    """Free baselines that are points of a small space, such as RandAugment(2, 9): no search tries them again."""
    identity = view.study.identity
    if set(parameters) != {OPS, LEVEL}:
        return []
    with suppress(BadInput, KeyError):  # a space by a family or file that is no longer there
        image = identity["image"]
        base = usual_base(image["domain"], image.get("height"), image.get("width"))
        wish = view.study.wishes.get("space", identity["space"]["name"])
        space = limited_space(wish, image["channels"], base, recorded_cut(identity))
        cells = space.cells() or []
        known = {digest(space.decode(cell)): cell for cell in cells} if len(cells) <= MOST_CELLS else {}
        return [(known[row.digest], row) for row in view.baselines if row.status == "done" and row.digest in known]
    return []


def _steps(parameter: Mapping[str, Any], met: Sequence[Any]) -> tuple[Step, ...]:
    """The rows or columns of a parameter: its values where they are few, else ranges; of many choices those met most."""
    if parameter["kind"] == "categorical":
        choices = parameter["choices"]
        often = sorted(choices, key=lambda choice: -sum(value == choice for value in met))[:MOST_STEPS]
        return tuple(Step(str(choice), choice) for choice in choices if choice in often)
    if parameter["kind"] == "whole":
        values = range(parameter["low"], parameter["high"] + 1, parameter["step"])
        if len(values) <= MOST_STEPS:
            return tuple(Step(str(value), value) for value in values)
    return _ranges(parameter["low"], parameter["high"], parameter.get("log", False))


def _ranges(low: float, high: float, log: bool) -> tuple[Step, ...]:
    ends = np.geomspace(low, high, RANGES + 1) if log else np.linspace(low, high, RANGES + 1)
    bounds = [float(end) for end in ends[:-1]] + [math.nextafter(float(high), math.inf)]  # the last range holds the highest value
    return tuple(Step(f"{one:.3g} to {other:.3g}", one, other) for one, other in pairwise(bounds))


def _cell(points: Sequence[tuple[Mapping[str, Any], Row]], across: tuple[str, Step], down: tuple[str, Step]) -> Cell:
    met = [
        row for point, row in points if all(name in point and step.holds(point[name]) for name, step in (across, down) if name)
    ]
    done = [row for row in met if row.error is not None]
    errors = tuple(row.error for row in done if row.error is not None)
    return Cell(errors, sum(row.role == "baseline" for row in done), len(met) - len(done))


def heat_map_svg(grid: Grid, shape: Shape) -> str:
    """The grid drawn: dark is a low error, the lowest has a thick frame, what was not tried is empty."""
    high = 0.9 + (0.5 if shape.legend_columns == 1 else 0.55) * len(grid.rows)
    with axes_of(Shape(shape.width, high, shape.legend_columns)) as (figure, axes):
        best = min(grid.known)
        spread = (max(grid.known) - best) or 1.0
        letters = 9.5 if len(grid.columns) <= 8 or shape.legend_columns > 1 else 7
        for y, line in enumerate(grid.cells):
            for x, cell in enumerate(line):
                _draw_cell(axes, (x, y), cell, None if cell.mean is None else (cell.mean - best) / spread, letters)
        ranged = any(step.high is not None for step in grid.columns)
        tilt: Any = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if ranged or _long(grid.columns) else {}
        axes.set_xticks(range(len(grid.columns)), [short(step.label, 18) for step in grid.columns], **tilt)
        axes.set_yticks(range(len(grid.rows)), [short(step.label, 18) for step in grid.rows])
        axes.set_xlim(-0.55, len(grid.columns) - 0.45)
        axes.set_ylim(-0.55, len(grid.rows) - 0.45)
        axes.tick_params(length=0)
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.set_xlabel(WORDS.get(grid.across, grid.across))
        axes.set_ylabel(WORDS.get(grid.down, grid.down) if len(grid.rows) > 1 else "")
        return svg(
            figure, f"Validation error in percent by {grid.across}{f' and {grid.down}' if grid.down else ''}: {_told(grid)}"
        )


def _draw_cell(axes: Axes, at: tuple[int, int], cell: Cell, place: float | None, letters: float) -> None:
    """One cell: `place` is 0 for the lowest error, 1 for the highest, None for none."""
    x, y = at
    corner, side = (x - 0.47, y - 0.47), 0.94
    if cell.mean is None or place is None:
        axes.add_patch(Rectangle(corner, side, side, fill=False, edgecolor="#B9B4A8", linestyle=(0, (2, 2)), linewidth=0.8))
        if cell.failed:
            axes.text(x, y, "failed", ha="center", va="center", fontsize=letters - 1, color="#5A5A5A")
        return
    frame = {"edgecolor": INK, "linewidth": 2.4} if place == 0 else {"edgecolor": "#FFFFFF", "linewidth": 0.6}
    axes.add_patch(Rectangle(corner, side, side, facecolor=SCALE(1 - place), zorder=2 + (place == 0), **frame))  # type: ignore[arg-type]
    dark = "#FFFFFF" if place < 0.45 else INK
    more = (["free"] if cell.free else []) + ([f"of {len(cell.errors)}"] if len(cell.errors) > 1 else [])
    axes.text(x, y + (0.12 if more else 0), percent(cell.mean), ha="center", va="center", color=dark, fontsize=letters, zorder=4)
    if more:
        axes.text(x, y - 0.25, ", ".join(more), ha="center", va="center", color=dark, fontsize=letters - 2, zorder=4)


def _long(steps: Sequence[Step]) -> bool:
    return sum(len(step.label) for step in steps) > 40


def heat_map_words(grid: Grid) -> str:
    """What the figure shows, and what it leaves out."""
    axes = f"{WORDS.get(grid.down, grid.down)} and {WORDS.get(grid.across, grid.across)}" if grid.down else grid.across
    told = [
        f"Validation error in percent over {axes}: each cell the mean of its trials of all the study’s epochs; dark is low, the"
        " thick frame is the lowest, and what was not tried is empty."
    ]
    if {grid.across, grid.down} != {OPS, LEVEL} and grid.down:
        told.append("The space has more parameters or others: these two matter most.")
    told += ["“free”: a free baseline that is a point of the space."] if grid.has_free else []
    told += [f"{counted(grid.left_out, 'trial')} of the space found no cell here."] if grid.left_out else []
    return " ".join(told)


def _told(grid: Grid) -> str:
    """The figure for those who can't see it."""
    return "; ".join(
        f"{column.label}{f', {row.label}' if grid.down else ''}: {percent(cell.mean)}"
        for row, line in zip(grid.rows, grid.cells, strict=True)
        for column, cell in zip(grid.columns, line, strict=True)
        if cell.mean is not None
    )
