"""Who won a judged study and by what: its finalists, its test, what to train with; command line and report say it alike.

Every number is the judgement's or the gate's; nothing is estimated here. Says nothing of what was not measured.
"""

from dataclasses import dataclass

from dashboards.queries import StudyView
from policysearch.judging.values import Arm, Finalist
from policysearch.statistics import wilson_interval
from searchspaces.phrases import counted


@dataclass(frozen=True)
class FinalistRow:
    """A policy trained several times: mean error and its interval as shares of images. `mark` is "winner", "compared" or "".

    "Compared" is the one baseline that the winner is compared with; `kind` says whether the policy was searched or is a baseline.
    """

    name: str
    words: str
    kind: str
    mark: str
    seeds: int
    mean: float
    low: float
    high: float


def finalist_rows(view: StudyView) -> tuple[FinalistRow, ...]:
    """The finalists, the lowest mean first."""
    rows = (_finalist_row(view, finalist) for finalist in view.judgement.finalists)
    return tuple(sorted(rows, key=lambda row: (row.mean, row.name)))


def _finalist_row(view: StudyView, finalist: Finalist) -> FinalistRow:
    arm, judgement = finalist.arm, view.judgement
    won = judgement.winner is not None and arm.key == judgement.winner.key
    named = judgement.baseline is not None and arm.key == judgement.baseline.key
    kind = arm.role if arm.role in ("baseline", "enqueued") else "searched"
    mark = "winner" if won else "compared" if named else ""
    return FinalistRow(arm.label, arm.words, kind, mark, len(finalist.errors), finalist.mean, finalist.low, finalist.high)


def finalists_heading(view: StudyView) -> str:
    """What the finalists' errors are of."""
    seeds = max((len(finalist.errors) for finalist in view.judgement.finalists), default=0)
    return f"Finalists: mean error of {counted(seeds, 'fresh training')} each, with its 95 % interval"


def rows_of_test(view: StudyView) -> tuple[FinalistRow, ...]:
    """The models that had the look at the test set, an arm each: the winner, then the named baseline."""
    figure, details = view.figure, view.judgement.verdict.details
    if figure is None:
        return ()
    if details.get("winner") is None:  # a figure that no verdict rests on: of one model, from before there were finalists
        low, high = wilson_interval(figure.wrong, figure.total)
        return (FinalistRow(figure.models[0]["label"], "", "searched", "", 1, figure.wrong / figure.total, low, high),)
    labels = {"winner": figure.models[0]["label"], "baseline": figure.baseline_label}
    free = view.judgement.winner is not None and view.judgement.winner.is_baseline
    rows = []
    for side, mark in (("winner", "winner"), ("baseline", "compared")):
        if (error := details.get(side)) is not None:
            kind = "baseline" if free or side == "baseline" else "searched"
            numbers = (error["seeds"], error["mean"], error["low"], error["high"])
            rows.append(FinalistRow(labels[side] or side, "", kind, mark, *numbers))
    return tuple(rows)


def headline(view: StudyView) -> tuple[str, str]:
    """The verdict's sentence in two parts, to be set one after the other: what it is, and what follows it."""
    first, stop, rest = view.judgement.verdict.sentence.partition(". ")
    return (f"{first}.", rest) if stop else (first, "")


def recommended(view: StudyView) -> Arm | None:
    """What to train with: the winner, or the baseline where the verdict is that it will do as well; None: nothing yet."""
    judgement = view.judgement
    return judgement.baseline if judgement.baseline is not None and _use_baseline(view) else judgement.winner


def advice(view: StudyView) -> str:
    """Which file has the policy to train with, where it is not policy.json, which has the winner's."""
    winner, use = view.judgement.winner, recommended(view)
    if winner is None or use is None or use.key == winner.key:
        return ""
    return f"Train with {use.label}, which is free: its policy is in baseline.json. policy.json has the winner's, {winner.label}."


def _use_baseline(view: StudyView) -> bool:
    kinds = ("not-distinguishable", "not-distinguishable-unconfirmed", "worse", "baseline-wins")
    return view.judgement.verdict.kind in kinds


def stale_figure(view: StudyView) -> str | None:
    """Whose the test figure is, where a search without finalists has found another best policy since."""
    if view.figure is None or view.judgement.finalists or view.best is None:
        return None
    tested = view.figure.models[0]["label"]
    if view.best.name == tested:
        return None
    return f"This is of {tested}, the best policy when the test set was opened; {view.best.name}, found since, has no test error."
