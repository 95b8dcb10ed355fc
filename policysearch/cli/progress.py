"""What a person sees while a search runs: bars on a terminal, plain lines elsewhere.

It only listens to the driver's events; it knows nothing of the ledger and decides nothing.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from policysearch.judging.in_words import percent
from policysearch.spare_time import duration
from searchspaces.words import counted

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from policysearch.drivers import Event

PLAIN_LINE_EVERY_SECONDS = 15.0
CHOOSING = ("", "baseline", "enqueued", "trial")  # the roles whose errors the search compares


@dataclass
class Tally:
    """Where the search stands, counted from events: epochs done, trials over, the best error so far.

    `budget_epochs` are the study's; where policies are stopped early a trial may have fewer (`budgets`), and can't be the best;
    nor can what was trained to calibrate, as finalist or for the test. `stage` is the one under way, `stage_over` what it has
    finished. A rehearsal is not counted.
    """

    budget_epochs: int
    planned_trials: int = 0
    planned_epochs: int = 0
    stage: str = ""
    stage_total: int = 0
    stage_over: set[str] = field(default_factory=set)
    roles: dict[str, str] = field(default_factory=dict)
    aside: set[str] = field(default_factory=set)
    labels: dict[str, str] = field(default_factory=dict)
    epochs: dict[str, int] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    over: dict[str, str] = field(default_factory=dict)
    budgets: dict[str, int] = field(default_factory=dict)
    first_epoch_at: float | None = None
    epochs_before: int = 0

    def hear(self, event: "Event") -> None:
        """Count one event."""
        uid = event.trial_uid
        if event.role == "rehearsal":
            self.aside.add(uid)
        if uid in self.aside:
            return
        if event.budget_epochs:
            self.budgets[uid] = event.budget_epochs
        if event.role:
            self.roles[uid] = event.role
        if event.kind == "ready":
            self.planned_trials, self.planned_epochs = event.total, event.epoch
        elif event.kind == "stage":
            self.stage, self.stage_total, self.stage_over = event.text, event.total, set()
        elif event.kind == "started":
            self.labels[uid] = event.label
            self.epochs[uid] = 0
        elif event.kind == "epoch":
            self.epochs[uid] = event.epoch
            self.errors[uid] = event.wrong / event.total
        elif event.kind in ("finished", "failed"):
            self.labels[uid] = event.label
            self.over[uid] = event.kind
            self.stage_over.add(uid)
            self.epochs[uid] = self.budget_of(uid)
            if event.kind == "finished" and event.total:
                self.errors[uid] = event.wrong / event.total
        if event.kind == "epoch" and self.first_epoch_at is None:
            self.first_epoch_at, self.epochs_before = time.monotonic(), self.epochs_done

    def budget_of(self, uid: str) -> int:
        """How many epochs the trial trains for."""
        return self.budgets.get(uid, self.budget_epochs)

    @property
    def epochs_done(self) -> int:
        """Epochs trained, over all trials heard of; a failed trial counts as trained to the end."""
        return sum(self.epochs.values())

    @property
    def epochs_planned(self) -> int:
        """Epochs of the whole study; where nobody has said, trials to come are taken to be as long as those so far on average."""
        if self.planned_epochs:
            return max(self.planned_epochs, self.epochs_done)
        known = [self.budget_of(uid) for uid in self.labels]
        average = sum(known) / len(known) if known else self.budget_epochs
        return sum(known) + round(max(0, self.planned_trials - len(known)) * average)

    @property
    def running(self) -> list[str]:
        """The trials under way, in the order they started."""
        return [uid for uid in self.labels if uid not in self.over]

    @property
    def best(self) -> tuple[float, str] | None:
        """The lowest error of a finished trial, and its label; of equal ones the first to finish (log-losses aren't heard of)."""
        scored = [uid for uid, how in self.over.items() if how == "finished" and self.roles.get(uid, "") in CHOOSING]
        whole = [uid for uid in scored if self.budget_of(uid) >= self.budget_epochs]
        finished = [(self.errors[uid], self.labels[uid]) for uid in whole if uid in self.errors]
        return min(finished, key=lambda pair: pair[0]) if finished else None

    def seconds_left(self) -> float | None:
        """Estimated from the epochs done since the first was heard of; None before there is anything to go by."""
        done = self.epochs_done - self.epochs_before
        if self.first_epoch_at is None or done < 2:
            return None
        return (self.epochs_planned - self.epochs_done) * (time.monotonic() - self.first_epoch_at) / done

    def standing(self) -> str:
        """One line: stage, trials over, best so far, time left."""
        over, planned = len(self.over), max(self.planned_trials, len(self.labels))
        parts = [f"{over} of {planned} trials"]
        if self.stage:
            parts = [f"{self.stage}: {len(self.stage_over)} of {self.stage_total}", f"{over} of {planned} in all"]
        if self.best:
            parts.append(f"best {percent(self.best[0])} % wrong ({self.best[1]})")
        left = self.seconds_left()
        if left is not None:
            parts.append(f"about {duration(left)} left")
        return ", ".join(parts)

    def beginning(self, event: "Event") -> str:
        """One line about a study that stands."""
        if event.epoch:
            return f"study {event.text}: {counted(event.total, 'training')}, {counted(event.epoch, 'epoch')} in all"
        return f"study {event.text}: {event.total} trials of {counted(self.budget_epochs, 'epoch')}"

    def opening(self, event: "Event") -> str:
        """One line about a stage that begins."""
        return f"{event.text}: {counted(event.total, 'training')}"

    def ending(self, event: "Event") -> str:
        """One line about a trial that is over."""
        label = self.labels[event.trial_uid]
        if event.kind == "failed":
            return f"{label}: failed: {event.text}"
        return (
            f"{label}: {percent(self.errors[event.trial_uid])} % wrong after {counted(self.budget_of(event.trial_uid), 'epoch')}"
        )


class PlainLines:
    """For pipes and log files: a line when a trial is over, and one every quarter of a minute."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.last_line_at = time.monotonic()

    def hear(self, event: "Event") -> None:
        """Count the event, and print a line where one is due."""
        self.tally.hear(event)
        if event.kind == "ready":
            self._say(self.tally.beginning(event))
        elif event.kind == "stage":
            self._say(self.tally.opening(event))
        elif event.kind in ("finished", "failed") and event.trial_uid not in self.tally.aside:
            self._say(f"{self.tally.ending(event)}  [{self.tally.standing()}]")
        elif event.kind == "note":
            self._say(event.text)
        elif event.kind == "epoch" and self.tally.running and time.monotonic() - self.last_line_at > PLAIN_LINE_EVERY_SECONDS:
            now = "; ".join(
                f"{self.tally.labels[uid]} epoch {self.tally.epochs[uid]}/{self.tally.budget_of(uid)}"
                for uid in self.tally.running
            )
            self._say(f"{now}  [{self.tally.standing()}]")

    def _say(self, line: str) -> None:
        self.last_line_at = time.monotonic()
        click.echo(line)


class Bars:
    """For terminals: one bar for the whole search, one for each running trial, a line for each that is over."""

    def __init__(self, tally: Tally, progress: "Progress") -> None:
        self.tally = tally
        self.progress = progress
        self.whole = progress.add_task("search", total=None, figure="preparing")
        self.bars: dict[str, TaskID] = {}

    def hear(self, event: "Event") -> None:
        """Count the event, and move the bars."""
        self.tally.hear(event)
        if event.kind == "ready":
            self._say(self.tally.beginning(event))
        if event.kind == "note":
            self._say(event.text)
        if event.kind == "stage":
            self._say(self.tally.opening(event))
        if event.kind == "started" and event.trial_uid in self.bars:
            self.progress.reset(self.bars[event.trial_uid], figure="")
        elif event.kind == "started":
            total = event.budget_epochs or self.tally.budget_epochs
            self.bars[event.trial_uid] = self.progress.add_task(event.label, total=total, figure="")
        if event.kind == "epoch" and event.trial_uid in self.bars and event.trial_uid not in self.tally.aside:
            error = f"epoch {event.epoch}/{self.tally.budget_of(event.trial_uid)}, {percent(event.wrong / event.total)} % wrong"
            self.progress.update(self.bars[event.trial_uid], completed=event.epoch, figure=error)
        if event.kind in ("finished", "failed"):
            if event.trial_uid not in self.tally.aside:
                self._say(self.tally.ending(event))
            if event.trial_uid in self.bars:
                self.progress.remove_task(self.bars.pop(event.trial_uid))
        if self.tally.planned_trials:
            total = self.tally.epochs_planned
            self.progress.update(self.whole, total=total, completed=self.tally.epochs_done, figure=self.tally.standing())

    def _say(self, line: str) -> None:
        self.progress.console.print(line, markup=False, highlight=False)


@contextmanager
def progress(tally: Tally) -> Iterator[PlainLines | Bars]:
    """A listener for the driver's events that counts in `tally`, fit for where the output goes."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console()
    if not console.is_terminal:
        yield PlainLines(tally)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[figure]}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        yield Bars(tally, bars)
