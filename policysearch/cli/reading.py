"""Commands that read the ledger and print: `status` and `show`. They steer nothing, and need neither torch nor ray."""

from typing import TYPE_CHECKING, Any

import click

from policysearch.cli.options import home_option, json_option, open_home, open_study, print_json
from policysearch.cli.showing import print_study
from policysearch.cli.standing import standing_facts, standing_lines
from policysearch.cli.table import print_table
from searchspaces.json_text import canonical_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policysearch.home import Home
    from policysearch.ledger import Claim, Ledger, Role, Standing, StudyRecord

UNSCORED = ("rehearsal", "confirmation")  # of a few steps; or of images that were trained on: no error of anything
ALL_ROLES: "tuple[Role, ...]" = (
    *("baseline", "enqueued", "trial", "rehearsal", "calibration"),
    *("finalist", "confirmation"),
)


@click.command()
@click.argument("study", required=False)
@home_option
@json_option
def status(study: str | None, home: str | None, as_json: bool) -> None:
    """What your studies are doing; with STUDY, that one trial by trial.

    With --json a list of objects, one a study (study, state, done, failed, unfinished, best, best_error_percent, stage,
    running, points, seconds_left, verdict, ...) or one a trial (number, role, label, state, epoch, wrong, total, error_percent,
    seconds, reason, digest, ...). All have the same keys; what isn't known yet is null. Errors are of validation images, in
    percent; state is done, failed, running, unfinished or waiting for a trial, running, unfinished or idle for a study. With
    early stopping a trial of fewer epochs than the study's (budget_epochs) is promoted or stopped when it is over, never done.
    """
    from policysearch.ledger import Ledger

    place = open_home(home)
    if study is not None:
        ledger, record = open_study(place, study)
        rows, is_searched = ledger.standings(record.uid, ALL_ROLES), _is_searched(ledger, record, place)
        facts: Any = _trials_facts(rows, is_searched)
        if not as_json:
            _print_standing(ledger, record, rows, is_searched)
        columns = ["number", "role", "label", "state", "epoch", "error_percent", "seconds"]
    elif place.has_ledger:
        known = Ledger(place.ledger_url)
        facts = [_study_facts(known, record, place) for record in known.studies()]
        columns = [
            "study",
            "state",
            "done",
            "failed",
            "unfinished",
            "best_error_percent",
            "best",
            "test_error_percent",
            "came_to",
        ]
    else:
        facts, columns = [], []
    if as_json:
        return print_json(facts)
    if not facts:
        click.echo(f"no study in {place.ledger_place} yet; start with: policysearch demo")
        return None
    print_table(columns, facts)
    return None


@click.command()
@click.argument("study")
@click.option("--config", is_flag=True, help="Print its wishes as a file for `search --config`, and nothing else.")
@home_option
@json_option
def show(study: str, config: bool, home: str | None, as_json: bool) -> None:
    """One study: its verdict, its winner, the baselines, enqueued policies, the test figure, and the wishes it was made with.

    With --json one object: what `status --json` says of the study (its verdict and the finalists with it), with winner (the trial
    with which the search ended best, as in `status STUDY --json`, or null), baselines and enqueued (lists of such), test (null
    while the test set is closed, else state, models, wrong, total, error_percent, interval_95_percent, figures of each model,
    looks_by_other_studies_before), wishes, and command: what makes the study again (null where too little was kept of it).

    \b
    policysearch show photos-randaugment-0f3a9c21 --config > study.yaml
    """
    from dashboards.command import again, wishes_file
    from policysearch.selection import leader

    place = open_home(home)
    ledger, record = open_study(place, study)
    standings = ledger.standings(record.uid)
    tried = max(1, len({canonical_json(row.params) for row in standings if row.role == "trial"}))
    if config:
        return click.echo(wishes_file(record, tried), nl=False)
    trials = _trials_facts(standings, _is_searched(ledger, record, place))
    best = leader(standings)
    facts = _study_facts(ledger, record, place) | {
        "winner": next((trial for trial in trials if best and trial["trial_uid"] == best.trial_uid), None),
        "baselines": [trial for trial in trials if trial["role"] == "baseline"],
        "enqueued": [trial for trial in trials if trial["role"] == "enqueued"],
        "test": test_facts(ledger.claim(record.uid)),
        "wishes": record.identity,
        "command": None if (made := again(record, tried, ledger.claim(record.uid) is not None)) is None else made.text,
    }
    if as_json:
        return print_json(facts)
    print_study(facts)
    return None


def _print_standing(ledger: "Ledger", record: "StudyRecord", rows: "Sequence[Standing]", is_searched: bool) -> None:
    """Above the table of a study: what it comes to so far, in a few lines."""
    unfinished = any(row.status is None for row in rows)
    state = "running" if is_searched else "unfinished" if unfinished else "idle"
    click.echo(f"{click.style(record.name, bold=True)}  ({state})")
    for line in standing_lines(standing_facts(ledger, record, rows, is_searched)):
        click.echo(f"  {line}")
    click.echo()


def _trials_facts(standings: "Sequence[Standing]", searching: bool) -> list[dict[str, Any]]:
    """Trials as JSON values; `searching` says whether a process is at work on the study: without one, no trial is running."""
    from policysearch.ledger.records import SEARCHED
    from policysearch.selection import short_trials

    short = short_trials([row for row in standings if row.role in SEARCHED])  # a calibration's longer trainings make none short
    return [_trial_facts(row, short.get(row.trial_uid), searching) for row in standings]


def _trial_facts(row: "Standing", short: str | None, searching: bool) -> dict[str, Any]:
    """A trial as JSON values, always with the same keys; figures of one that isn't over are those of the last epoch noted."""
    epoch, wrong, total = row.progress or (0, None, None)
    if row.status is not None:
        epoch, wrong, total = row.epochs, row.wrong, row.total
    if row.role in UNSCORED:
        wrong = total = None
    return {
        "number": row.number,
        "role": row.role,
        "label": row.label,
        "state": (short or "done") if row.status == "done" else row.status or _state(row, searching),
        "epoch": epoch,
        "budget_epochs": row.budget_epochs,
        "wrong": wrong,
        "total": total,
        "error_percent": _percent(wrong, total),
        "seconds": None if row.status is None else round(row.seconds or 0.0, 1),
        "reason": row.reason,
        "attempts": row.attempts,
        "trial_uid": row.trial_uid,
        "digest": row.digest,
        "words": row.words,
    }


def _state(row: "Standing", searching: bool) -> str:
    if row.started_at is None:
        return "waiting"
    return "running" if searching else "unfinished"


def _is_searched(ledger: "Ledger", record: "StudyRecord", home: "Home") -> bool:
    """Whether a process is at work on the study: one of this home, or of any machine where several share the ledger."""
    return home.is_locked(record.name) or (home.storage is not None and ledger.holder(record.uid) is not None)


def test_facts(claim: "Claim | None") -> dict[str, Any] | None:
    """The look at the test set as JSON values; None while the test set is closed."""
    from policysearch.statistics import wilson_interval

    if claim is None:
        return None
    if claim.figure is None:
        figures = dict.fromkeys(("wrong", "total", "error_percent", "interval_95_percent", "figures"))
        return {"state": "claimed", **figures, **_frozen_by(claim)}
    figure = claim.figure
    low, high = wilson_interval(figure.wrong, figure.total)
    return {
        "state": "disclosed",
        "wrong": figure.wrong,
        "total": figure.total,
        "error_percent": round(100 * figure.wrong / figure.total, 2),
        "interval_95_percent": [round(100 * low, 2), round(100 * high, 2)],
        "figures": [{"wrong": score.wrong, "error_percent": _percent(score.wrong, score.total)} for score in figure.scores],
        **_frozen_by(claim),
    }


def _frozen_by(claim: "Claim") -> dict[str, Any]:
    return {"looks_by_other_studies_before": claim.looks_before, "models": list(claim.models)}


def _study_facts(ledger: "Ledger", record: "StudyRecord", home: "Home") -> dict[str, Any]:
    from policysearch.judgement import judge
    from policysearch.ledger.records import SEARCHED
    from policysearch.selection import leader, short_trials

    every = ledger.standings(record.uid, ALL_ROLES)
    rows = [row for row in every if row.role in SEARCHED]
    short, best, judgement = short_trials(rows), leader(rows), judge(ledger, record)
    test = test_facts(ledger.claim(record.uid)) or {}
    unfinished = sum(row.status is None for row in every)
    searched = _is_searched(ledger, record, home)
    return {
        "study": record.name,
        "state": "running" if searched else ("unfinished" if unfinished else "idle"),
        "created_at": record.created_at.isoformat(timespec="seconds"),
        "done": sum(row.status == "done" and row.trial_uid not in short for row in rows),
        "failed": sum(row.status == "failed" for row in rows),
        "unfinished": unfinished,
        "stopped": sum(row.status == "done" and short.get(row.trial_uid) == "stopped" for row in rows),
        "late_results": len(ledger.late_results(record.uid)),
        "best": best.label if best else None,
        "best_error_percent": _percent(best.wrong, best.total) if best else None,
        "test_error_percent": test.get("error_percent"),
        **standing_facts(ledger, record, every, searched),
        "came_to": judgement.verdict.kind,
        "verdict": judgement.to_dict(),
        "parent": next((known.name for known in ledger.studies() if known.uid == record.parent_uid), None),
        "directory": str(home.study_directory(record.name)),
    }


def _percent(wrong: int | None, total: int | None) -> float | None:
    return None if wrong is None or total is None else round(100 * wrong / total, 2)
