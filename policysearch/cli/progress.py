"""What a person sees while a search runs: a screen of a few lines on a terminal, plain lines elsewhere, nothing where so wished.

It only listens to the driver's events; it knows nothing of the ledger and decides nothing.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import click

from policysearch.cli.tally import Tally
from searchspaces.json_text import one_line

if TYPE_CHECKING:
    from policysearch.drivers import Event

PLAIN_LINE_EVERY_SECONDS = 15.0
MOST_RUNNING_SHOWN = 8
LONGEST_LINE = 2000


class View(Protocol):
    """What hears a driver's events, counts them in `tally`, and shows what they come to."""

    @property
    def tally(self) -> Tally:
        """Where the search stands."""

    def hear(self, event: "Event") -> None:
        """Count the event, and show what there is to show."""


class Lines:
    """The sentences of a search, one a line, in the order in which a person wants them; `_say` is where they go.

    A stage is told when a training of it begins; trainings that were over before are counted, and not told one by one.
    """

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self._stage_told = ""

    def hear(self, event: "Event") -> None:
        """Count the event, and say what there is to say."""
        self._count(event)
        if event.kind == "ready":
            self._say(self.tally.beginning(event))
        elif event.kind == "note":
            self._say(event.text)
        elif event.kind == "started" and self.tally.stage not in ("", self._stage_told):
            self._stage_told = self.tally.stage
            self._say(self.tally.opening())
        elif event.kind in ("finished", "failed") and self._is_news(event.trial_uid):
            self._say_ending(event)

    def _count(self, event: "Event") -> None:
        self.tally.hear(event)

    def _is_news(self, uid: str) -> bool:
        return uid not in self.tally.aside and not self.tally.was_before(uid)

    def _say_ending(self, event: "Event") -> None:
        self._say(self.tally.ending(event))

    def _say(self, line: str) -> None:
        raise NotImplementedError


class PlainLines(Lines):
    """For pipes and log files: a line when a trial is over, and one every quarter of a minute."""

    def __init__(self, tally: Tally) -> None:
        super().__init__(tally)
        self.last_line_at = time.monotonic()

    def hear(self, event: "Event") -> None:
        """As `Lines.hear`, and from time to time a line about what is running."""
        super().hear(event)
        if time.monotonic() - self.last_line_at <= PLAIN_LINE_EVERY_SECONDS:
            return
        if event.kind == "progress":
            self._say(self.tally.doing_in_words())
        elif event.kind == "epoch" and self.tally.running:
            running = self.tally.running
            now = [
                f"{self.tally.labels[uid]} epoch {self.tally.epochs[uid]}/{self.tally.budget_of(uid)}"
                for uid in running[:MOST_RUNNING_SHOWN]
            ]
            now += [f"and {len(running) - len(now)} more"] if len(running) > len(now) else []
            self._say(f"{'; '.join(now)}  [{self.tally.standing()}]")

    def _say_ending(self, event: "Event") -> None:
        self._say(f"{self.tally.ending(event)}  [{self.tally.standing()}]")

    def _say(self, line: str) -> None:
        self.last_line_at = time.monotonic()
        click.echo(one_line(line, LONGEST_LINE))


class Silence:
    """Counts, and shows nothing."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally

    def hear(self, event: "Event") -> None:
        """Count the event."""
        self.tally.hear(event)


@contextmanager
def progress(tally: Tally, quiet: bool = False) -> Iterator[View]:
    """A listener for the driver's events that counts in `tally`, fit for where the output goes; with `quiet` it says nothing."""
    if quiet:
        yield Silence(tally)
        return
    from rich.console import Console

    console = Console(highlight=False)
    if not (console.is_terminal and sys.stdout.isatty()) or console.is_dumb_terminal:
        yield PlainLines(tally)
        return
    from policysearch.cli.screen import shown_live

    with shown_live(tally, console) as screen:
        yield screen
