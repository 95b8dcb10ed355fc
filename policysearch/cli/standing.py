"""Where a study stands, from its ledger alone: what `status` says above its table, to a person in another shell.

The words are those of the screen that stands where it runs. Times are estimates, from the plan that was made when the study began
and the pace of its own trainings; nothing is said where there is nothing to go by.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

from policysearch.cli.tally import cost_in_words
from policysearch.cli.telling import share_of_a_gpu
from policysearch.judging.in_words import against, percent
from policysearch.selection import leader
from searchspaces.json_text import one_line
from searchspaces.phrases import counted

if TYPE_CHECKING:
    from policysearch.ledger import Ledger, Standing, StudyRecord

MOST_RUNNING_NAMED = 8
STAGES: Mapping[str, tuple[str, ...]] = {
    "baselines": ("baseline",),
    "calibration": ("calibration",),
    "search": ("trial", "enqueued"),
    "finalists": ("finalist",),
    "test": ("confirmation",),
}
"""The roles of each stage of a plan."""
SEARCHED = ("trial", "enqueued")


def standing_facts(ledger: "Ledger", record: "StudyRecord", rows: "Sequence[Standing]", is_searched: bool) -> dict[str, Any]:
    """Where the study stands as JSON values; `rows` are all its trainings, `is_searched` says whether a process is at work on it.

    `seconds_left` is None unless one is; `points` is how much lower the best searched error is than the best baseline's.
    """
    rows = [row for row in rows if row.role != "rehearsal"]
    under_way = [row for row in rows if row.status is None and row.started_at is not None] if is_searched else []
    searched = leader([row for row in rows if row.role in (*SEARCHED, "baseline")], SEARCHED)
    free = leader([row for row in rows if row.role == "baseline"])
    failed = sorted((row for row in rows if row.status == "failed"), key=lambda row: row.number)
    seconds = math.fsum(row.seconds or 0.0 for row in rows)
    gain = None if searched is None or free is None else _error(free) - _error(searched)
    return {
        "stage": _stage(under_way),
        "running": [{"label": row.label, "epoch": (row.progress or (0,))[0], "epochs": row.budget_epochs} for row in under_way],
        "best_searched": None if searched is None else searched.label,
        "best_searched_error_percent": None if searched is None else round(100 * _error(searched), 2),
        "best_baseline": None if free is None else free.label,
        "best_baseline_error_percent": None if free is None else round(100 * _error(free), 2),
        "points": None if gain is None else round(100 * gain, 2),
        "failed_trainings": len(failed),
        "last_failure": {"label": failed[-1].label, "reason": failed[-1].reason} if failed else None,
        "training_hours": round(seconds / 3600, 3),
        "gpu_hours": round(seconds * share_of_a_gpu(record) / 3600, 3),
        "seconds_left": _seconds_left(rows, ledger.facts(record.uid).get("plan")) if is_searched else None,
    }


def standing_lines(facts: Mapping[str, Any]) -> list[str]:
    """The same for a person, a line each."""
    from searchspaces.phrases import duration

    left, hours = facts["seconds_left"], facts["training_hours"]
    lines = [_best(facts)]
    cost = cost_in_words(3600 * hours, facts["gpu_hours"] / hours if hours else 0.0) if hours else ""
    times = ["" if left is None else f"about {duration(left)} left", cost and f"{cost} so far"]
    lines.append("; ".join(part for part in times if part))
    if (last := facts["last_failure"]) is not None:
        lines.append(f"{facts['failed_trainings']} failed, the last: {last['label']} ({one_line(last['reason'] or 'no reason')})")
    running = facts["running"]
    named = [f"{trial['label']} epoch {trial['epoch']}/{trial['epochs']}" for trial in running[:MOST_RUNNING_NAMED]]
    more = [f"and {len(running) - len(named)} more"] if len(running) > len(named) else []
    if running:
        lines.append(f"{facts['stage']}, {counted(len(running), 'training')} under way: {'; '.join([*named, *more])}")
    return [line for line in lines if line]


def _best(facts: Mapping[str, Any]) -> str:
    best, free = facts["best_searched"], facts["best_baseline"]
    if best is None or free is None:
        kind = "searched" if free is None else "baseline"
        error = facts[f"best_{kind}_error_percent"]
        return "" if error is None else f"best {percent(error / 100)} % wrong ({facts[f'best_{kind}']})"
    error = percent(facts["best_searched_error_percent"] / 100)
    return f"best {error} % wrong ({best}), {against(facts['points'] / 100)} the best baseline ({free})"


def _stage(under_way: "Sequence[Standing]") -> str | None:
    """The stage of what began last."""
    if not under_way:
        return None
    last = max(under_way, key=lambda row: row.number)
    return next(name for name, roles in STAGES.items() if last.role in roles)


def _seconds_left(rows: "Sequence[Standing]", plan: Mapping[str, Any] | None) -> float | None:
    """By the plan, less what has been trained of each of its stages."""
    if plan is None:
        return None
    whole = [row for row in rows if row.status == "done" and row.seconds is not None]
    an_epoch = median((row.seconds or 0.0) / max(1, row.epochs) for row in whole) if whole else plan["seconds_an_epoch"]
    epochs = 0
    for stage in plan["stages"]:
        roles = STAGES.get(stage["name"], ())
        done = sum(_epochs(row) for row in rows if row.role in roles)
        epochs += max(0, stage["epochs"] - done) if stage["asked"] else 0
    return round(epochs * an_epoch / max(1, plan["at_once"]), 1) if epochs else None


def _epochs(row: "Standing") -> int:
    """How many of its epochs a training has behind it; one that is over all of them."""
    return row.budget_epochs if row.status is not None else (row.progress or (0,))[0]


def _error(row: "Standing") -> float:
    assert row.wrong is not None and row.total is not None
    return row.wrong / row.total
