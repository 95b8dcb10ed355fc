"""What a search says when it is over: the verdict, what to train with, how sure that is, what was searched, where things are.

The figures and sentences are those of the report (`dashboards.findings`, `dashboards.sureness`); nothing is computed here.
"""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import click

from dashboards.findings import FinalistRow, advice, finalist_rows, finalists_heading, rows_of_test, stale_figure
from dashboards.queries import Row, StudyView, caveat
from dashboards.sureness import looks_sentence, sureness
from policysearch.cli.options import line_width, spoken
from policysearch.judging.in_words import percent
from searchspaces.phrases import counted, duration

MOST_FAILURES_SHOWN = 3
MOST_ENQUEUED_SHOWN = 8
NAME = 40


def print_ending(view: StudyView, home: str | Path | None) -> None:
    """Print the result of a study that has a best policy; `home` as the person gave it."""
    assert view.best is not None
    click.echo()
    _heading("The verdict")
    _paragraph(view.judgement.verdict.sentence)
    winner = view.judgement.winner
    if winner is not None:
        _heading(f"{'The winner' if view.judgement.finalists else 'The best policy found'}: {winner.label}")
        _paragraph(winner.words)
        _paragraph(advice(view))
    if finalists := finalist_rows(view):
        _heading(finalists_heading(view))
        _print_errors(finalists)
    _print_test(view, home)
    _heading("How sure this is")
    if not view.judgement.finalists:
        _paragraph(caveat(view))
    for name, sentence in sureness(view):
        _entry(name, sentence)
    _print_search(view)
    _print_costs(view)


def print_test(view: StudyView) -> None:
    """Print what the look at the test set said: the verdict, and the errors that it rests on."""
    _heading("The verdict")
    _paragraph(view.judgement.verdict.sentence)
    _print_figure(view)
    looks = looks_sentence(view)
    if looks is not None:
        _paragraph(looks)


def print_places(study: str, directory: Path, tracking: str, home: str | Path | None) -> None:
    """Print where the study's files are, and the commands that show them."""
    _heading("Where things are")
    for name in ("policy", "baseline"):
        if (path := directory / f"{name}.json").is_file():
            click.echo(f"  {name:<9} {path}")
    click.echo(f"  report    {(directory / 'report.html').as_uri()}")  # an address that terminals open at a click
    if (ranges := directory / "ranges.png").is_file():
        click.echo(f"  ranges    {ranges}")
    click.echo(f"  MLflow    {tracking}")
    click.echo(f"  again     {spoken(f'show {study}', home)}")


def _print_errors(rows: Sequence[FinalistRow]) -> None:
    """Means with their intervals, in columns."""
    widest = max(len(row.name) for row in rows)
    for row in rows:
        seeds = counted(row.seeds, "seed")
        interval = f"{percent(row.low):>4} to {percent(row.high):>4} %"
        mark = "winner" if row.mark == "winner" else row.kind
        beside = ", what it is compared with" if row.mark == "compared" else ""
        click.echo(f"  {mark:<9} {row.name:<{widest}} {percent(row.mean):>5} %  ({interval}, {seeds}){beside}")


def _print_search(view: StudyView) -> None:
    """The search's own table: one training each, on the images that the search chose by."""
    assert view.best is not None
    compared = _compared(view)
    shown = [row for row in compared if row.role != "enqueued" or row is view.best]
    enqueued = [row for row in compared if row.role == "enqueued" and row is not view.best]
    rows = sorted([*shown, *enqueued[:MOST_ENQUEUED_SHOWN]], key=compared.index)
    _heading(
        f"The search: validation error ({view.best.total:,} images, one training of {counted(view.best.epochs, 'epoch')} each)"
    )
    widest = max(NAME - 4, *(len(row.name) for row in rows))
    for row in rows:
        mark = "best" if row is view.best else "searched" if row.role == "trial" else row.role
        click.echo(f"  {mark:<9} {row.name:<{widest}} {_percent(row.wrong, row.total)}")
    if len(enqueued) > MOST_ENQUEUED_SHOWN:
        click.echo(f"  enqueued  and {len(enqueued) - MOST_ENQUEUED_SHOWN} more")
    _print_failures(view)


def _compared(view: StudyView) -> list[Row]:
    """Baselines, enqueued policies and the best searched one, in the order in which a study selects: the first is the best."""
    searched = [row for row in view.done if row.role == "trial"][:1]
    return [row for row in view.done if row.role != "trial" or row in searched]


def _print_failures(view: StudyView) -> None:
    failed = [row for row in view.rows if row.status == "failed"]
    for row in failed[:MOST_FAILURES_SHOWN]:
        click.echo(f"  failed    {row.name}: {row.reason}")
    if len(failed) > MOST_FAILURES_SHOWN:
        click.echo(f"  failed    and {len(failed) - MOST_FAILURES_SHOWN} more trials")


def _print_test(view: StudyView, home: str | Path | None) -> None:
    figure = view.figure
    if figure is None:
        _heading("Test error")
        click.echo(f"  {_closed(view, home)}")
        return
    _print_figure(view)


def _print_figure(view: StudyView) -> None:
    assert view.figure is not None
    _heading(f"Test error ({view.figure.total:,} images held out, opened once)")
    _print_errors(rows_of_test(view))
    if (stale := stale_figure(view)) is not None:
        _paragraph(stale)


def _print_costs(view: StudyView) -> None:
    _heading("What it cost")
    for cost in view.costs:
        failed = f", {cost.failed} failed" if cost.failed else ""
        trainings = f"{counted(cost.trainings, 'training')}, {counted(cost.epochs, 'epoch')}{failed}"
        click.echo(f"  {cost.stage:<27}{duration(cost.seconds):>7}   {trainings}")


def _closed(view: StudyView, home: str | Path | None) -> str:
    """Why there is no test error."""
    if "recipe" not in view.study.identity:
        return "The model is your own trainer's: test it there, once."
    if not view.study.identity["test"]:
        return "These data have no test set."
    return f"The test set is still closed. To open it, once: {spoken(f'test {view.study.name}', home)}"


def _percent(wrong: int | None, total: int | None) -> str:
    assert wrong is not None and total is not None
    return f"{percent(wrong / total)} % wrong ({wrong:,} of {total:,})"


def _heading(text: str) -> None:
    click.echo(click.style(text, bold=True))


def _paragraph(text: str) -> None:
    if text:
        click.echo(textwrap.fill(text, line_width(), initial_indent="  ", subsequent_indent="  "))


def _entry(name: str, sentence: str) -> None:
    """A name and what is said of it, the lines of which stand under one another."""
    click.echo(textwrap.fill(sentence, line_width(), initial_indent=f"  {name:<14}", subsequent_indent=" " * 16))
