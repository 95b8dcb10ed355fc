"""Commands that read the ledger and print: `status` and `show`. They steer nothing, and need neither torch nor ray."""

import json
from typing import TYPE_CHECKING, Any

import click

from policysearch.cli.options import home_option, json_option, open_home, open_study, print_json

if TYPE_CHECKING:
    from policysearch.home import Home
    from policysearch.ledger import Claim, Ledger, StudyRecord, TrialRecord


@click.command()
@click.argument("study", required=False)
@home_option
@json_option
def status(study: str | None, home: str | None, as_json: bool) -> None:
    """What your studies are doing; with STUDY, that one trial by trial.

    With --json a list of objects, one a study (study, state, done, failed, unfinished, best, best_error_percent, ...) or one a
    trial (number, role, label, state, epoch, wrong, total, error_percent, seconds, reason, digest, ...). All have the same keys;
    what isn't known yet is null. Errors are of validation images, in percent; state is done, failed, running, unfinished or
    waiting for a trial, running, unfinished or idle for a study.
    """
    from policysearch.ledger import Ledger

    place = open_home(home)
    if study is not None:
        ledger, record = open_study(place, study)
        searching = place.is_locked(study)
        facts: Any = [trial_facts(trial, searching) for trial in ledger.trials(record.uid)]
        columns = ["number", "role", "label", "state", "epoch", "error_percent", "seconds"]
    elif place.has_ledger:
        known = Ledger(place.ledger_url)
        facts = [_study_facts(known, record, place) for record in known.studies()]
        columns = ["study", "state", "done", "failed", "unfinished", "best_error_percent", "best", "test_error_percent"]
    else:
        facts, columns = [], []
    if as_json:
        return print_json(facts)
    if not facts:
        click.echo(f"no study in {place.root} yet; start with: policysearch demo")
        return None
    print_table(columns, facts)
    return None


@click.command()
@click.argument("study")
@home_option
@json_option
def show(study: str, home: str | None, as_json: bool) -> None:
    """One study: its winner, the baselines, enqueued policies, the test figure, and the wishes it was made with.

    With --json one object: what `status --json` says of the study, with winner (a trial as in `status STUDY --json`, or null),
    baselines and enqueued (lists of such), test (null while the test set is closed, else state, models, wrong, total,
    error_percent, interval_95_percent, looks_by_other_studies_before) and wishes.
    """
    place = open_home(home)
    ledger, record = open_study(place, study)
    searching = place.is_locked(study)
    trials = [trial_facts(trial, searching) for trial in ledger.trials(record.uid)]
    facts = _study_facts(ledger, record, place) | {
        "winner": _winner_facts(ledger, record),
        "baselines": [trial for trial in trials if trial["role"] == "baseline"],
        "enqueued": [trial for trial in trials if trial["role"] == "enqueued"],
        "test": test_facts(ledger.claim(record.uid)),
        "wishes": record.identity,
    }
    if as_json:
        return print_json(facts)
    _print_study(facts)
    return None


def trial_facts(trial: "TrialRecord", searching: bool) -> dict[str, Any]:
    """A trial as JSON values, always with the same keys; figures of one that isn't over are those of the last epoch noted.

    `searching` says whether a process is at work on the study: without one, no trial is running.
    """
    result = trial.result
    epoch, wrong, total = trial.progress or (0, None, None)
    if result is not None:
        epoch = len(result.epochs)
        wrong, total = (result.score.wrong, result.score.total) if result.score else (None, None)
    return {
        "number": trial.number,
        "role": trial.role,
        "label": trial.label,
        "state": result.status if result else _state(trial, searching),
        "epoch": epoch,
        "wrong": wrong,
        "total": total,
        "error_percent": None if wrong is None or total is None else round(100 * wrong / total, 2),
        "seconds": round(result.span_seconds.get("total", 0.0), 1) if result else None,
        "reason": result.error if result else None,
        "attempts": trial.attempts,
        "trial_uid": trial.trial_uid,
        "digest": trial.digest,
        "words": trial.words,
    }


def _state(trial: "TrialRecord", searching: bool) -> str:
    if trial.started_at is None:
        return "waiting"
    return "running" if searching else "unfinished"


def test_facts(claim: "Claim | None") -> dict[str, Any] | None:
    """The look at the test set as JSON values; None while the test set is closed."""
    from policysearch.statistics import wilson_interval

    if claim is None:
        return None
    if claim.figure is None:
        figures = dict.fromkeys(("wrong", "total", "error_percent", "interval_95_percent"))
        return {"state": "claimed", **figures, **_frozen_by(claim)}
    figure = claim.figure
    low, high = wilson_interval(figure.wrong, figure.total)
    return {
        "state": "disclosed",
        "wrong": figure.wrong,
        "total": figure.total,
        "error_percent": round(100 * figure.wrong / figure.total, 2),
        "interval_95_percent": [round(100 * low, 2), round(100 * high, 2)],
        **_frozen_by(claim),
    }


def _frozen_by(claim: "Claim") -> dict[str, Any]:
    return {"looks_by_other_studies_before": claim.looks_before, "models": list(claim.models)}


def print_table(columns: list[str], rows: list[dict[str, Any]]) -> None:
    """A plain table: as wide as it needs to be where it's piped, as the window where it's read."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console = Console(width=250)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column.replace("_percent", " %").replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*("" if row.get(column) is None else str(row[column]) for column in columns))
    console.print(table, highlight=False, markup=False)


def _study_facts(ledger: "Ledger", record: "StudyRecord", home: "Home") -> dict[str, Any]:
    trials = ledger.trials(record.uid)
    done = [trial for trial in trials if trial.result and trial.result.status == "done"]
    failed = [trial for trial in trials if trial.result and trial.result.status == "failed"]
    best = _winner_facts(ledger, record)
    test = test_facts(ledger.claim(record.uid)) or {}
    unfinished = len(trials) - len(done) - len(failed)
    return {
        "study": record.name,
        "state": "running" if home.is_locked(record.name) else ("unfinished" if unfinished else "idle"),
        "created_at": record.created_at.isoformat(timespec="seconds"),
        "done": len(done),
        "failed": len(failed),
        "unfinished": unfinished,
        "best": best["label"] if best else None,
        "best_error_percent": best["error_percent"] if best else None,
        "test_error_percent": test.get("error_percent"),
        "directory": str(home.study_directory(record.name)),
    }


def _winner_facts(ledger: "Ledger", record: "StudyRecord") -> dict[str, Any] | None:
    from policysearch.selection import winner
    from searchspaces.errors import NoTrialSucceeded

    try:
        return trial_facts(winner(ledger.trials(record.uid)), searching=False)  # a winner is over
    except NoTrialSucceeded:
        return None


def _print_study(facts: dict[str, Any]) -> None:
    click.echo(
        click.style(facts["study"], bold=True) + f"  ({facts['state']}; {facts['done']} trials done, {facts['failed']} failed)"
    )
    if facts["winner"]:
        winner = facts["winner"]
        click.echo(f"  winner      {winner['label']}: {winner['error_percent']} % of {winner['total']} validation images wrong")
        click.echo(f"              {winner['words']}")
    for beside in (*facts["baselines"], *facts["enqueued"]):
        click.echo(f"  {beside['role']:<11} {beside['label']}: {_error_or_state(beside)}")
    test = facts["test"]
    if "recipe" not in facts["wishes"]:
        click.echo("  test set    the model is its own trainer's: test it there, once")
    elif test is None:
        click.echo(f"  test set    closed; to open it, once: policysearch test {facts['study']}")
    elif test["state"] != "disclosed":
        click.echo(f"  test set    claimed, but the look was interrupted; to finish it: policysearch test {facts['study']}")
    else:
        low, high = test["interval_95_percent"]
        click.echo(f"  test set    {test['error_percent']} % of {test['total']} images wrong (95 % interval {low} to {high} %)")
    click.echo(f"  files       {facts['directory']}")
    for name, wish in facts["wishes"].items():
        parts = wish.items() if isinstance(wish, dict) else [("", wish)]
        click.echo(f"  {name:<11} " + ", ".join(f"{part} {_plain(value)}".strip() for part, value in parts))


def _plain(wish: Any) -> str:
    """A wish as a person writes it: text as it is, long hashes short, all else as JSON."""
    if isinstance(wish, str):
        return wish[:12] if len(wish) == 64 else wish
    return json.dumps(wish)


def _error_or_state(trial: dict[str, Any]) -> str:
    if trial["error_percent"] is None:
        return str(trial["state"])
    return f"{trial['error_percent']} % wrong" + ("" if trial["state"] == "done" else f" so far ({trial['state']})")
