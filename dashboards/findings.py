"""What a judged study tells, as rows and sentences: command line and report say them alike, word for word.

Every number is the judgement's or the gate's; nothing is estimated here. Says nothing of what was not measured.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dashboards.queries import StudyView
from policysearch.judging.in_words import percent
from policysearch.judging.values import Arm, Finalist
from policysearch.statistics import wilson_interval
from searchspaces.cutting import Cut
from searchspaces.views import IDENTITY, views_count
from searchspaces.words import counted
from trials.values import TrialResult

LABELS, TRIM, DUPLICATES = "labels", "trim", "duplicates"
"""Facts of a study: what the plainest baseline's net said of each op, what was cut by it, what copies were found."""


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


def finalists_heading(view: StudyView) -> str:
    """What the finalists' errors are of."""
    seeds = max((len(finalist.errors) for finalist in view.judgement.finalists), default=0)
    return f"Finalists: mean error of {counted(seeds, 'fresh training')} each, with its 95 % interval"


@dataclass(frozen=True)
class Card:
    """A number in the report's head: `number` in percent, or `instead` where there is none, and what stands `below` it."""

    label: str
    number: str
    below: str
    instead: str = ""
    best: bool = False


def cards(view: StudyView) -> list[Card]:
    """The numbers that belong to the verdict: the winner's, the baseline's that it is compared with, and the test's."""
    found = [*_finalist_cards(view)] or [*_search_cards(view)]
    tested = rows_of_test(view)
    if not tested or view.figure is None:
        return [*found, _closed_card(view)]
    below = f"{tested[0].name}; 95\N{NO-BREAK SPACE}% interval {_interval(tested[0])}; {view.figure.total:,} images"
    return [*found, Card("Test error, looked at once", percent(tested[0].mean), below)]


def _finalist_cards(view: StudyView) -> Iterator[Card]:
    for row in finalist_rows(view):
        if row.mark:
            label = "The winner’s error" if row.mark == "winner" else "Compared with"
            below = f"{row.name}, mean of {counted(row.seeds, 'seed')}; 95\N{NO-BREAK SPACE}% interval {_interval(row)}"
            yield Card(label, percent(row.mean), below, best=row.mark == "winner")


def _search_cards(view: StudyView) -> Iterator[Card]:
    """Without finalists: the search's own figures."""
    if view.best is None or view.best.error is None:
        return
    after = f"{view.best.wrong:,} of {view.best.total:,} images wrong, after {counted(view.best.epochs, 'epoch')}"
    yield Card("Its validation error", percent(view.best.error), after, best=True)
    others = sorted(view.comparisons, key=lambda gap: gap.baseline.error or 0.0)
    if others and others[0].baseline.error is not None:
        gap, other = others[0], "other " if view.best.role == "baseline" else ""
        told = "a difference these images can show" if gap.can_be_told else "too close to tell apart"
        below = f"{gap.baseline.name}, {percent(gap.difference)} points worse: {told}"
        yield Card(f"Best {other}free baseline", percent(others[0].baseline.error), below)


def _closed_card(view: StudyView) -> Card:
    if "recipe" not in view.study.identity:
        return Card("Test error", "", "policysearch has no model of it to test", "the trainer’s own")
    if not view.study.identity["test"]:
        return Card("Test error", "", "so nothing can be confirmed", "there is no test set")
    look = "A look was begun and not finished" if view.claim else "Nobody has looked"
    return Card("Test error", "", f"{look}: policysearch test {view.study.name}", "the test set is still closed")


def _interval(row: FinalistRow) -> str:
    return f"{percent(row.low)} to {percent(row.high)} %"


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


def sureness(view: StudyView) -> list[tuple[str, str]]:
    """What bounds the verdict, a name and a sentence each."""
    judgement = view.judgement
    told: list[tuple[str, str | None]] = [
        ("optimism", judgement.optimism.sentence if judgement.optimism else None),
        ("resolution", judgement.resolution.sentence if judgement.resolution else None),
        ("budget", budget_sentence(view)),
        *((f"rung of {rung.rung}", rung.sentence) for rung in judgement.rungs),
        ("looks", looks_sentence(view)),
        ("views", views_sentence(view)),
        ("labels", labels_sentence(view)),
        ("copies", duplicates_sentence(view)),
    ]
    return [(name, sentence) for name, sentence in told if sentence]


def budget_sentence(view: StudyView) -> str | None:
    """Whether the budget is long enough to compare policies, with the numbers that say so."""
    calibration = view.judgement.calibration
    if calibration is None:
        return None
    gone_on = (
        " The study went on all the same, as it was told to." if view.facts.get("any_budget") and not calibration.enough else ""
    )
    return calibration.sentence + gone_on


def budget_rows(view: StudyView) -> list[tuple[str, int, float]]:
    """What the budget is checked by: name, epochs and error of the longer trainings, and of the same policies in the search."""
    longer = [row for row in view.calibration if row.error is not None]
    names = {row.name.partition(", ")[0] for row in longer}
    compared = [row for row in view.baselines if row.name in names and row.error is not None]
    return [(row.name, row.epochs, row.error) for row in (*compared, *longer) if row.error is not None]


def looks_sentence(view: StudyView) -> str | None:
    """How many other studies had looked at these test images before."""
    if view.claim is None:
        return None
    if not view.claim.looks_before:
        return "No other study of this ledger had looked at these test images before."
    times = counted(view.claim.looks_before, "time")
    return (
        f"Other studies of this ledger had looked at these test images {times} before: the level of the test is stricter for it."
    )


def views_sentence(view: StudyView) -> str | None:
    """Over which views of an image the winner's predictions are averaged, and what that costs."""
    won = view.judgement.winner_trial
    name = None if won is None else won.spec.get("recipe", {}).get("views")
    if won is None or won.result is None or name in (None, IDENTITY):
        return None
    seconds = won.result.span_seconds.get("score_views")
    measured = f" (scoring took {duration(seconds)} of its training’s {_total(won.result)})" if seconds is not None else ""
    count = views_count(name)
    return (
        f"Its predictions are averaged over {count} views of each image ({name}): using it costs {count} times as much{measured}."
    )


def _total(result: TrialResult) -> str:
    return duration(result.span_seconds.get("total", 0.0))


def labels_sentence(view: StudyView) -> str | None:
    """Which ops break a class of these images, in short; the report's section has the strengths and pictures."""
    table = view.facts.get(LABELS)
    if table is None:
        return None
    asked = f"asked of {table['images']:,} validation images"
    broken = [op for op, rows in table["ops"].items() if any(row["broken"] for row in rows)]
    if not broken:
        return f"No op of the space or of the baselines breaks a class ({asked})."
    trim = view.facts.get(TRIM)
    done = "nothing was cut: --trim does" if trim is None else f"the space was cut: {Cut.from_dict(trim).words}"
    return f"{listed(broken)} {'breaks' if len(broken) == 1 else 'break'} a class at some strength ({asked}); {done}."


def duplicates_sentence(view: StudyView) -> str | None:
    """What was found of copies across splits and what was done about them, in short."""
    leaks = view.facts.get(DUPLICATES)
    if leaks is None or "across" not in leaks:
        return None
    told = [
        f"{counted(of['images'], 'image')} of {pair.partition('-')[2]} {'has' if of['images'] == 1 else 'have'}"
        f" {'an exact' if kind == 'exact' else 'a near'} copy in {pair.partition('-')[0]}"
        for pair, kinds in leaks["across"].items()
        for kind, of in kinds.items()
    ]
    if not told:
        return "No image of one split has a copy in another."
    dropped = [f"{count:,} from {split}" for split, count in leaks["dropped"].items() if count]
    return f"{'; '.join(told)}. {f'Dropped: {listed(dropped)}' if dropped else 'Nothing was dropped'} ({leaks['cure']})."


def stale_figure(view: StudyView) -> str | None:
    """Whose the test figure is, where a search without finalists has found another best policy since."""
    if view.figure is None or view.judgement.finalists or view.best is None:
        return None
    tested = view.figure.models[0]["label"]
    if view.best.name == tested:
        return None
    return f"This is of {tested}, the best policy when the test set was opened; {view.best.name}, found since, has no test error."


def duration(seconds: float) -> str:
    """A length of time for people: "43 s", "12 min", "3.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them, "and" before the last."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _finalist_row(view: StudyView, finalist: Finalist) -> FinalistRow:
    arm, judgement = finalist.arm, view.judgement
    won = judgement.winner is not None and arm.key == judgement.winner.key
    named = judgement.baseline is not None and arm.key == judgement.baseline.key
    kind = arm.role if arm.role in ("baseline", "enqueued") else "searched"
    mark = "winner" if won else "compared" if named else ""
    return FinalistRow(arm.label, arm.words, kind, mark, len(finalist.errors), finalist.mean, finalist.low, finalist.high)
