"""What bounds a verdict, in sentences: optimism, resolution, budget, rungs, looks, views, labels and copies.

Command line and report say them word for word alike. Nothing is estimated here, and nothing said of what was not measured.
"""

from dashboards.queries import StudyView
from searchspaces.cutting import Cut
from searchspaces.phrases import counted, duration, listed
from searchspaces.views import IDENTITY, views_count
from trials.values import TrialResult

LABELS, TRIM, DUPLICATES = "labels", "trim", "duplicates"
"""Facts of a study: what the plainest baseline's net said of each op, what was cut by it, what copies were found."""


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
