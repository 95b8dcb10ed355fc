"""Which parameters had to do with the error: bars of two methods side by side, and a sentence on how far they may be trusted.

The shares are Optuna's (`policysearch.samplers.importance`), from the study's own trials of all its epochs. Says nothing of
baselines, which are no points of the space.
"""

from typing import Any

from dashboards.drawing import FAINT, INK, Shape, axes_of, short, svg
from dashboards.queries import Row, StudyView
from policysearch.samplers.importance import FANOVA, PED_ANOVA, Importance, importance
from searchspaces.phrases import counted

MOST_BARS = 12
ENOUGH = 50  # trials: with fewer, both methods are hints
LOOKS = {FANOVA: ("#4A4A4A", ""), PED_ANOVA: ("#FFFFFF", "////")}


def searched_rows(view: StudyView) -> list[Row]:
    """The trials that a space's parameters can be judged by: searched ones of all the study's epochs that have a score."""
    return [row for row in view.done if row.role == "trial" and row.params]


def importance_of(view: StudyView) -> Importance | None:
    """The parameters' shares; None where too little was tried."""
    tried = [(row.params, row.error) for row in sorted(searched_rows(view), key=lambda row: row.number) if row.error is not None]
    return importance(view.study.identity["space"]["parameters"], tried)


def importance_svg(found: Importance, shape: Shape) -> str:
    """A bar a method for each parameter, dark and hatched, the most important on top."""
    names = found.names[:MOST_BARS]
    methods = [method for method in LOOKS if any(found.shares[name][method] is not None for name in names)]
    with axes_of(Shape(shape.width, 1.0 + 0.5 * len(names), shape.legend_columns)) as (figure, axes):
        for lane, method in enumerate(methods):
            colour, hatch = LOOKS[method]
            for place, name in enumerate(reversed(names)):
                if (share := found.shares[name][method]) is not None:
                    middle, height = place + 0.38 * (len(methods) - 1) / 2 - 0.38 * lane, 0.34
                    label = method if place == 0 or name == names[-1] else None
                    axes.barh(middle, 100 * share, height, color=colour, edgecolor=INK, hatch=hatch, label=label)
                    axes.annotate(f"{100 * share:.0f}", (100 * share, middle), (4, 0), textcoords="offset points", va="center")
        axes.set_yticks(range(len(names)), [short(name) for name in reversed(names)])
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(0, 112)
        axes.set_xticks(range(0, 101, 20))
        axes.grid(axis="x", color=FAINT, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.set_xlabel("share, %")
        _add_legend(axes)
        return svg(figure, f"Importance of the parameters: {_told(found)}")


def _add_legend(axes: Any) -> None:
    known = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    above = {"bbox_to_anchor": (0.0, 1.0), "borderaxespad": 0.3, "ncols": 2, "fontsize": 9}
    axes.legend(known.values(), known.keys(), loc="lower left", frameon=False, **above)


def _told(found: Importance) -> str:
    """The figure for those who can't see it."""
    return "; ".join(
        f"{name} " + ", ".join(f"{method} {100 * share:.0f} %" for method, share in shares.items() if share is not None)
        for name, shares in list(found.shares.items())[:MOST_BARS]
    )


def importance_words(found: Importance) -> str:
    """What the two methods ask, whether they agree, and how far so few trials carry."""
    first = {
        method: max(
            (name for name in found.names if found.shares[name][method] is not None), key=_share(found, method), default=""
        )
        for method in LOOKS
    }
    leaders = dict.fromkeys(name for name in first.values() if name)
    if len(leaders) > 1:
        agree = f"They disagree on the first: {FANOVA} says {first[FANOVA]}, {PED_ANOVA} {first[PED_ANOVA]}."
    elif all(first.values()):
        agree = f"Both put {next(iter(leaders))} first."
    else:
        agree = f"{FANOVA} has nothing to say here: no parameter is in every trial."
    partly = [name for name in found.names if found.shares[name][FANOVA] is None]
    unknown = f" Of parameters that exist only on a condition {FANOVA} says nothing." if partly and first[FANOVA] else ""
    few = " So few are a hint, not a measurement." if found.trials < ENOUGH else ""
    return (
        f"From {counted(found.trials, 'searched trial')}. {FANOVA} asks how much of the error’s ups and downs over the space a"
        f" parameter explains; {PED_ANOVA}, Optuna’s default, asks how the best tenth differ from all in it."
        f" {agree}{unknown}{few}"
    )


def _share(found: Importance, method: str) -> Any:
    return lambda name: found.shares[name][method] or 0.0
