"""What a study did cost: hours, trainings, epochs and GPU hours, against what one training costs.

All from the ledger: the seconds of every training that is over, and what the study's recipe says of the device. Says nothing of
money, and of a GPU's share only what is recorded.
"""

from statistics import median
from typing import Any

from dashboards.queries import StudyView
from searchspaces.phrases import counted, duration

GPUS_PER_TRIAL = 0.25  # what a search gives a trial of ours on a GPU where nothing else was wished


def one_training(view: StudyView) -> tuple[float, int] | None:
    """Seconds (the median) and epochs of one training of all the study's epochs; None before one is done."""
    seconds = [row.seconds for row in view.done if row.seconds is not None]
    return (median(seconds), max(row.epochs for row in view.done)) if seconds else None


def cost_words(view: StudyView) -> str:
    """What it took against one training, in a sentence or two; "" before one is done."""
    one, total = one_training(view), sum(cost.seconds for cost in view.costs)
    if one is None or one[0] <= 0:
        return ""
    searched = sum(cost.seconds for cost in view.costs if cost.stage == "search")
    search = f" Of that the search alone was {_times(searched / one[0])}." if searched else ""
    return (
        f"The whole study cost as much as {_times(total / one[0])} of a net with one policy: {duration(total)}"
        f" against {duration(one[0])} for one training of {counted(one[1], 'epoch')}.{search}"
    )


def _times(count: float) -> str:
    return f"{count:.1f} trainings" if count < 10 else f"{count:,.0f} trainings"


def cost_facts(view: StudyView) -> list[tuple[str, str]]:
    """Names and values: what all stages took together."""
    if not view.costs:
        return []
    seconds, epochs = sum(cost.seconds for cost in view.costs), sum(cost.epochs for cost in view.costs)
    trainings, failed = sum(cost.trainings for cost in view.costs), sum(cost.failed for cost in view.costs)
    one = one_training(view)
    told = [
        ("time in trainings", f"{duration(seconds)}, added up over all of them"),
        ("trainings", f"{trainings:,}{f', {failed:,} of them failed' if failed else ''}"),
        ("epochs", f"{epochs:,}"),
        ("GPU hours", gpu_words(view, seconds)),
        ("one training", "none is done" if one is None else f"{duration(one[0])} (median of {len(view.done)})"),
    ]
    if view.ended_at is not None:
        passed = (view.ended_at - view.study.created_at).total_seconds()
        told.insert(0, ("from beginning to end", f"{duration(max(0.0, passed))}, pauses included"))
    return told


def gpu_words(view: StudyView, seconds: float) -> str:
    """GPU hours as far as the ledger knows: the share of a GPU that a training was given, times its hours."""
    identity, wished = view.study.identity, view.study.wishes.get("gpus_per_trial")
    if "recipe" not in identity:
        return _hours(seconds, float(wished)) if wished else "not known: the trainer is the user’s own"
    if identity["recipe"].get("device") != "cuda":
        return "none: trained on processors"
    processes = int(identity["recipe"].get("processes", 1))
    return _hours(seconds, max(float(wished or (GPUS_PER_TRIAL if processes == 1 else 1.0)), float(processes > 1) * processes))


def _hours(seconds: float, share: float) -> str:
    return f"{seconds / 3600 * share:.2f}, at {share:g} of a GPU a training"


def cost_rows(view: StudyView) -> list[dict[str, Any]]:
    """A row a stage, with its share of all time (0 to 1)."""
    total = sum(cost.seconds for cost in view.costs) or 1.0
    return [{"cost": cost, "share": cost.seconds / total} for cost in view.costs]
