"""Error per class: the free baseline beside the winner, and the classes that lost, in words.

From the confusion counts of validation images that trials and finalists left in the ledger; the test images are asked for one
figure, never class by class. Refuses nothing: without counts there is no section.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from dashboards.contenders import Contenders, Counts
from dashboards.drawing import FAINT, INK, Shape, axes_of, palette, short, style_of, svg
from dashboards.queries import StudyView
from policysearch.home import Home
from policysearch.judging.in_words import percent
from policysearch.statistics import resolvable_difference
from searchspaces.errors import BadInput
from searchspaces.phrases import counted
from trials.data import open_split

MOST_DRAWN = 20
MOST_NAMED = 5


@dataclass(frozen=True)
class ClassRow:
    """A class's error (0 to 1) with each of the two policies, over `images` of it (those of one training).

    `resolvable` is the smallest difference that so many images can show, however few of them the two policies agree on.
    """

    name: str
    images: int
    before: float
    after: float
    resolvable: float

    @property
    def change(self) -> float:
        """After less before: above 0 the class lost."""
        return self.after - self.before

    @property
    def can_be_told(self) -> bool:
        """Whether so many images can show the difference."""
        return self.change != 0 and abs(self.change) >= self.resolvable


def class_rows(counts: Counts, names: Sequence[str]) -> tuple[ClassRow, ...]:
    """The classes that have images, those that lost most first."""
    rows = []
    for label, (before, after) in enumerate(zip(counts.before, counts.after, strict=True)):
        total = sum(before)
        if total:
            errors = [1 - side[label] / total for side in (before, after)]
            images = round(total / counts.seeds)
            smallest = resolvable_difference(min(1.0, sum(errors)), max(1, images))
            name = names[label] if len(names) == len(counts.before) else f"class {label}"
            rows.append(ClassRow(name, images, errors[0], errors[1], smallest))
    return tuple(sorted(rows, key=lambda row: (-row.change, row.name)))


def class_names(view: StudyView, home: Home) -> tuple[str, ...]:
    """The classes' names in their order, from the prepared data or what the study noted; () where nobody knows them."""
    data = None if view.best_trial is None else view.best_trial.spec["data"]
    if data is not None:
        with suppress(BadInput):
            return tuple(open_split(home.data_directory(data["directory"]), "val").classes)
    return tuple((view.facts.get("labels") or {}).get("classes", ()))


def classes_words(rows: Sequence[ClassRow], found: Contenders, seeds: int) -> list[str]:
    """The classes that lost, by name, and how sure that is: sentences."""
    assert found.before is not None and found.after is not None
    lost = [row for row in rows if row.change > 0]
    gained = sum(row.change < 0 for row in rows)
    trainings = "one training each" if seeds == 1 else f"means of {counted(seeds, 'training')} each"
    between = f"with {found.after.label} against {found.before.label} ({trainings}, validation images)"
    if not lost:
        return [f"No class lost {between}: {gained} of {len(rows)} gained."]
    named = [f"{row.name} (+{100 * row.change:.1f} points, {percent(row.before)} to {percent(row.after)} %)" for row in lost]
    more = f" and {len(lost) - MOST_NAMED} more" if len(lost) > MOST_NAMED else ""
    return [
        f"{len(lost)} of {len(rows)} classes lost and {gained} gained {between}. Lost: {'; '.join(named[:MOST_NAMED])}{more}.",
        _how_sure(lost),
    ]


def _how_sure(lost: Sequence[ClassRow]) -> str:
    told = [row.name for row in lost if row.can_be_told]
    images = sorted({row.images for row in lost})
    sizes = counted(images[0], "image") if len(images) == 1 else f"{images[0]:,} to {images[-1]:,} images"
    if not told:
        return f"With {sizes} a class none of these losses is more than chance readily gives."
    return f"With {sizes} a class, {', '.join(told[:MOST_NAMED])} lost more than chance readily gives."


def drawn(rows: Sequence[ClassRow]) -> list[ClassRow]:
    """Those that a figure has room for: of many the ones that lost most, and the ones that gained most."""
    half = MOST_DRAWN // 2
    return list(rows) if len(rows) <= MOST_DRAWN else [*rows[:half], *rows[-half:]]


def classes_svg(rows: Sequence[ClassRow], found: Contenders, view: StudyView, shape: Shape) -> str:
    """A line a class, from the baseline's error to the winner's; the line of a class that lost is dashed, its name bold."""
    assert found.before is not None and found.after is not None
    shown, styles = drawn(rows), palette(view)
    before, after = (style_of(styles, one.label) for one in (found.before, found.after))
    with axes_of(Shape(shape.width, 1.2 + 0.32 * len(shown), shape.legend_columns)) as (figure, axes):
        for place, row in enumerate(reversed(shown)):
            lost = row.change > 0
            ends: Any = ([100 * row.before, 100 * row.after], [place, place])
            axes.plot(*ends, color=INK if lost else "#8C8C8C", linestyle=(0, (2, 1.2)) if lost else "solid", linewidth=1.6)
            for style, error, who in ((before, row.before, found.before), (after, row.after, found.after)):
                look: Any = {"color": style.colour, "markerfacecolor": style.face, "markersize": 7, "linestyle": "", "zorder": 3}
                axes.plot(100 * error, place, marker=style.marker, label=short(who.label) if place == 0 else None, **look)
            beside: Any = {"textcoords": "offset points", "va": "center", "fontsize": 9, "weight": "bold" if lost else "normal"}
            axes.annotate(_signed(row.change), (100 * max(row.before, row.after), place), (8, 0), **beside)
        axes.set_yticks(range(len(shown)), [short(row.name, 18) for row in reversed(shown)])
        for label, row in zip(axes.get_yticklabels(), reversed(shown), strict=True):
            label.set_fontweight("bold" if row.change > 0 else "normal")
        axes.set_ylim(-0.7, len(shown) - 0.3)
        axes.margins(x=0.1)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=FAINT, linewidth=0.8)
        axes.set_xlabel("validation error, % (number: change in points)")
        above: Any = {"bbox_to_anchor": (0.0, 1.0), "borderaxespad": 0.3, "ncols": min(2, shape.legend_columns), "fontsize": 9}
        axes.legend(loc="lower left", frameon=False, **above)
        return svg(figure, f"Error per class in percent, {found.before.label} to {found.after.label}: {_told(shown)}")


def _signed(change: float) -> str:
    points = round(100 * change, 1)
    return f"{'+' if points > 0 else '−' if points < 0 else '±'}{abs(points):.1f}"


def _told(rows: Sequence[ClassRow]) -> str:
    """The figure for those who can't see it."""
    return "; ".join(f"{row.name} {percent(row.before)} to {percent(row.after)}" for row in rows)
