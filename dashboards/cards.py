"""The numbers in the report's head, a card each: the winner's error, what it is compared with, and the test's.

Every number is the judgement's or the gate's. Where there is none, a card says why.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from dashboards.findings import FinalistRow, finalist_rows, rows_of_test
from dashboards.queries import StudyView
from policysearch.judging.in_words import percent
from searchspaces.phrases import counted


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
