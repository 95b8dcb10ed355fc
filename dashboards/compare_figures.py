"""The figures of several studies together: how much better each winner is than its baseline, and how each orders what they share.

Drawn as the report's are: SVG with its text as text, legible in grey, the same bytes for the same studies.
"""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from dashboards.drawing import FAINT, GREY, INK, WINNER, Shape, axes_of, short, svg
from dashboards.transfer import NOTHING, Shared, Side, key_of
from policysearch.judging.in_words import percent
from policysearch.judging.values import Verdict

MOST_SHARED = 14  # lines that can still be told apart
PALE = "#6B6B6B"
LETTERS = 9
LETTERS_AN_INCH = 7.5
FEW = 2  # studies whose names have room beside one another; of more every second one stands higher
BEST = WINNER[0]


def differences_svg(sides: Sequence[Side], shape: Shape) -> str:
    """By how many points each winner is better than its baseline, with the interval; right of the line is better."""
    room = int(LETTERS_AN_INCH * shape.width / 2)
    told = [(short(side.title, room), side.view.judgement.verdict) for side in sides]
    with axes_of(Shape(shape.width, 0.95 + 0.5 * len(told), 1)) as (figure, axes):
        axes.axvline(0, color=INK, linewidth=1, zorder=1)
        for place, (_, verdict) in enumerate(reversed(told)):
            _draw_difference(axes, place, verdict)
        axes.set_yticks(range(len(told)), [name for name, _ in reversed(told)])
        axes.set_ylim(-0.6, len(told) - 0.3)
        low, high = axes.get_xlim()
        axes.set_xlim(min(low, -0.5), max(high, 0.5))
        axes.margins(x=0.08)
        axes.grid(axis="x", color=FAINT, linewidth=0.8)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("points better")
        return svg(figure, f"How much better each winner is than its baseline: {'; '.join(map(_in_words, told))}")


def _draw_difference(axes: Axes, place: int, verdict: Verdict) -> None:
    beside: Any = {"textcoords": "offset points", "va": "bottom", "fontsize": LETTERS}
    if verdict.difference is None or verdict.low is None or verdict.high is None:
        axes.plot(0, place, "s", color=PALE, markerfacecolor="#FFFFFF", markersize=7, zorder=3)
        axes.annotate(_without(verdict), (0, place), (0, 7), ha="center", color=PALE, **beside)
        return
    gap, low, high = (100 * share for share in (verdict.difference, verdict.low, verdict.high))
    sure = verdict.low > 0 or verdict.high < 0
    colour = BEST if sure else INK
    axes.plot([low, high], [place, place], "-|", color=colour, linewidth=3 if sure else 1.6, markersize=9, zorder=2)
    axes.plot(gap, place, "o", color=colour, markersize=8, zorder=3)
    axes.annotate(percent(verdict.difference), (gap, place), (0, 6), ha="center", **beside)


def _without(verdict: Verdict) -> str:
    """Why there is no difference to draw."""
    return "a free baseline won" if verdict.kind == "baseline-wins" else "no verdict yet"


def _in_words(told: tuple[str, Verdict]) -> str:
    name, verdict = told
    if verdict.difference is None or verdict.low is None or verdict.high is None:
        return f"{name}, {_without(verdict)}"
    return f"{name}, {percent(verdict.difference)} points, {percent(verdict.low)} to {percent(verdict.high)}"


def orders_svg(shared: Sequence[Shared], sides: Sequence[Side], shape: Shape) -> str:
    """The shared policies in the order of each study, the lowest error on top: level lines keep their place, others don't."""
    shown = shared[:MOST_SHARED]
    places = _places(shown, len(sides))
    with axes_of(Shape(shape.width, 0.8 + 0.3 * len(shown), 1)) as (figure, axes):
        for number, policy in enumerate(shown):
            _draw_order(axes, policy, {column: rows[number] for column, rows in enumerate(places) if number in rows}, sides)
        axes.set_xlim(-0.15, len(sides) - 0.85)
        axes.set_ylim(len(shown) + 0.6, 0.4)
        room = int(LETTERS_AN_INCH * shape.width / len(sides))
        titles = [short(side.title, 2 * room if len(sides) > FEW else room) for side in sides]
        axes.set_xticks(range(len(sides)), [name + "\n" * (len(sides) > FEW and place % 2) for place, name in enumerate(titles)])
        axes.xaxis.set_ticks_position("top")
        axes.tick_params(length=0)
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(False)
        names = ", ".join(policy.label for policy in shown)
        return svg(figure, f"The order of the shared policies in each study, the best on top; of {names}")


def _places(shared: Sequence[Shared], columns: int) -> list[dict[int, int]]:
    """Of each study, the place of each policy (by its number) among the shared ones, from 1: no two share one."""
    found = []
    for column in range(columns):
        known = [number for number, policy in enumerate(shared) if column in policy.found]
        ranked = sorted(known, key=lambda number: (shared[number].found[column].error, number))
        found.append({number: place for place, number in enumerate(ranked, start=1)})
    return found


def _draw_order(axes: Axes, policy: Shared, rows: dict[int, int], sides: Sequence[Side]) -> None:
    """One policy's line, its name at the left end and its error at each study; winners in blue, "none" pale."""
    won = any(_won(policy, column, side) for column, side in enumerate(sides))
    colour = BEST if won else GREY if policy.label == NOTHING else PALE
    columns = sorted(rows)
    style: Any = {"color": colour, "linewidth": 2.4 if won else 1.2, "linestyle": "-" if policy.exact else (0, (4, 1.6))}
    axes.plot(columns, [rows[column] for column in columns], marker="o", markersize=5, zorder=3 if won else 2, **style)
    text: Any = {"textcoords": "offset points", "fontsize": LETTERS, "color": BEST if won else INK}
    name = f"{short(policy.label)}  {percent(policy.found[columns[0]].error)}"
    axes.annotate(name, (columns[0], rows[columns[0]]), (-8, 0), ha="right", va="center", annotation_clip=False, **text)
    for column in columns[1:]:
        error = percent(policy.found[column].error)
        last = column == len(sides) - 1
        place: Any = (
            {"xytext": (8, 0), "ha": "left", "va": "center"} if last else {"xytext": (0, 4), "ha": "center", "va": "bottom"}
        )
        axes.annotate(error, (column, rows[column]), annotation_clip=False, **place, **text)


def _won(policy: Shared, column: int, side: Side) -> bool:
    won = side.view.judgement.winner_trial
    return won is not None and column in policy.found and policy.found[column].key == key_of(won)
