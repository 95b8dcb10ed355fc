"""What a search says when it is over: the policy in words, its error beside the baselines', what that proves, where things are.

The figures are those of the report (`dashboards.queries`); nothing is computed here.
"""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dashboards.queries import Row, StudyView, caveat
from policysearch.cli.options import spoken
from searchspaces.words import counted

if TYPE_CHECKING:
    from policysearch.ledger import Figure

MOST_FAILURES_SHOWN = 3


def print_ending(view: StudyView, home: str | Path | None) -> None:
    """Print the result of a study that has a best policy; `home` as the person gave it."""
    assert view.best is not None
    click.echo()
    _heading(f"The best policy found: {view.best.name}")
    _paragraph(view.best.words)
    _heading(f"Validation error ({view.best.total:,} images, {counted(view.best.epochs, 'epoch')} a trial)")
    widest = max(36, *(len(row.name) for row in _compared(view)))
    for row in _compared(view):
        mark = "best" if row is view.best else "searched" if row.role == "trial" else row.role
        click.echo(f"  {mark:<9} {row.name:<{widest}} {_percent(row.wrong, row.total)}")
    _print_failures(view)
    _print_test(view, home)
    _heading("How little this proves")
    _paragraph(caveat(view))


def print_places(study: str, directory: Path, tracking: str, home: str | Path | None) -> None:
    """Print where the study's files are, and the commands that show them."""
    _heading("Where things are")
    click.echo(f"  policy    {directory / 'policy.json'}")
    click.echo(f"  report    {directory / 'report.html'}")
    click.echo(f"  MLflow    {tracking}")
    click.echo(f"  again     {spoken(f'show {study}', home)}")


def percent_of_test(figure: "Figure", interval: tuple[float, float]) -> str:
    """A test figure with its 95 % interval (shares, 0 to 1), in words."""
    low, high = interval
    return f"{_percent(figure.wrong, figure.total)}; 95 % interval {100 * low:.1f} to {100 * high:.1f} %"


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
    figure, interval = view.figure, view.test_interval
    if figure is None or interval is None:
        _heading("Test error")
        click.echo(f"  {_closed(view, home)}")
        return
    _heading(f"Test error ({figure.total:,} images held out, opened once)")
    click.echo(f"  {figure.models[0]['label']}: {percent_of_test(figure, interval)}")
    if view.best is not None and figure.models[0]["trial_uid"] != view.best.uid:
        click.echo("  That was the best policy when the test set was opened; the one found since has no test error.")
    if figure.looks_before:
        click.echo(f"  Other studies have looked at these test images before ({figure.looks_before}): the figure is less fresh.")


def _closed(view: StudyView, home: str | Path | None) -> str:
    """Why there is no test error."""
    if "recipe" not in view.study.identity:
        return "The model is your own trainer's: test it there, once."
    if not view.study.identity["test"]:
        return "These data have no test set."
    return f"The test set is still closed. To open it, once: {spoken(f'test {view.study.name}', home)}"


def _percent(wrong: int | None, total: int | None) -> str:
    assert wrong is not None and total is not None
    return f"{100 * wrong / total:.1f} % wrong ({wrong:,} of {total:,})"


def _heading(text: str) -> None:
    click.echo(click.style(text, bold=True))


def _paragraph(text: str) -> None:
    click.echo(textwrap.fill(text, 110, initial_indent="  ", subsequent_indent="  "))
