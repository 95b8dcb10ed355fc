"""What stands at the foot of a terminal while a search runs, and how it is kept there: a few lines, however much runs.

From the top: how far the search is, the best so far against the best free baseline, the time left and the cost so far, what
failed, and the trainings under way. Every line is made anew for the window as it is, several times a second, so that a window may
change its size. What has ended scrolls by above. Labels and reasons come from outside: what is not printable in them is escaped.
"""

import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from policysearch.cli.progress import LONGEST_LINE, MOST_RUNNING_SHOWN, Lines
from policysearch.cli.tally import Tally
from policysearch.judging.in_words import percent
from searchspaces.json_text import one_line

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from policysearch.drivers import Event

REFRESHES_A_SECOND = 3
WIDE = 60  # columns; narrower windows have no bars and no names before the lines
BAR = 16
NAME = 8
MOST_LINES_A_FACT = 2
FULL, EMPTY = "━", "─"


class Screen(Lines):
    """The lines at the foot, as Rich draws them; what is said scrolls by above them.

    Rich draws from a thread of its own, so that counting and drawing take turns.
    """

    def __init__(self, tally: Tally, console: "Console") -> None:
        super().__init__(tally)
        self.console = console
        self._turn = threading.Lock()

    def _count(self, event: "Event") -> None:
        with self._turn:
            self.tally.hear(event)

    def _say(self, line: str) -> None:
        # Not while it has its turn: Rich draws when something is printed, and would wait for it.
        self.console.print(one_line(line, LONGEST_LINE), markup=False, highlight=False)

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        from rich.text import Text

        width, height = console.size
        with self._turn:
            lines = foot(self.tally, width, height)
        yield Text("\n".join(lines), no_wrap=True, overflow="ellipsis", end="")


def foot(tally: Tally, width: int, height: int) -> list[str]:
    """The lines for a window of so many columns and rows; none is as wide as it, and there are fewer than it has rows."""
    room = max(10, width - 1)
    lines = [
        _place(tally, room),
        *_fact("best", tally.best_in_words().removeprefix("best "), room),
        *_fact("time", _time(tally), room),
        *_fact("failed", tally.failed_in_words().replace(" failed, the last:", ", the last:"), room),
    ]
    lines += _step(tally, room)
    most = max(1, min(MOST_RUNNING_SHOWN, height - len(lines) - 3))
    running = tally.running
    lines += _trainings(tally, running[:most], room)
    if len(running) > most:
        lines.append(f"{'':<{NAME if room >= WIDE else 2}}and {len(running) - most} more")
    return [_cut(line, room) for line in lines][: max(1, height - 1)]


def _place(tally: Tally, room: int) -> str:
    """How far it is."""
    if not (tally.planned_trials or tally.labels):
        return "preparing"
    told = tally.place_in_words()
    return told if room < WIDE else f"{_bar(tally.epochs_done, tally.epochs_planned)}  {told}"


def _time(tally: Tally) -> str:
    """How long still, and what it has cost so far."""
    cost = tally.cost_in_words()
    return "; ".join(part for part in (tally.left_in_words(), cost and f"{cost} so far") if part)


def _fact(name: str, text: str, room: int) -> list[str]:
    """A name and what there is to say, on as few lines as it takes; nothing where there is nothing."""
    if not text:
        return []
    before = f"{name:<{NAME}}" if room >= WIDE else f"{name} "
    indent = " " * (NAME if room >= WIDE else 2)
    most = MOST_LINES_A_FACT if room >= WIDE else 2 * MOST_LINES_A_FACT
    text = one_line(text, LONGEST_LINE)
    set_in = textwrap.TextWrapper(room, before, indent, max_lines=most, break_on_hyphens=False, placeholder=" …")
    return set_in.wrap(text)


def _step(tally: Tally, room: int) -> list[str]:
    """What is done beside the trainings, and how far it is: while it is done none is under way."""
    if tally.doing is None:
        return []
    what, done, of = tally.doing
    if room < WIDE:
        return [f"  {_cut(what, max(4, room - 20))}  {done} of {of}"]
    return [f"{'now':<{NAME}}{_cut(what, room - NAME - BAR - 20)}  {_bar(done, of)}  {done} of {of}"]


def _trainings(tally: Tally, uids: list[str], room: int) -> list[str]:
    """The trainings under way, their columns under one another. Of long labels the end is shown: it tells them apart."""
    figures = [_figure(tally, uid) for uid in uids]
    labels = [one_line(tally.labels[uid], LONGEST_LINE) for uid in uids]
    widest = max(map(len, figures), default=0)
    if room < WIDE:
        column = max(4, room - widest - 4)
        return [f"  {_end_of(label, column):<{column}}  {figure}" for label, figure in zip(labels, figures, strict=True)]
    column = min(max(map(len, labels), default=0), room - NAME - BAR - widest - 4)
    bars = [_bar(tally.epochs[uid], tally.budget_of(uid)) for uid in uids]
    told = zip(labels, bars, figures, strict=True)
    lines = [f"{'':<{NAME}}{_end_of(label, column):<{column}}  {bar}  {figure}" for label, bar, figure in told]
    return [f"{'now':<{NAME}}{lines[0][NAME:]}", *lines[1:]] if lines else []


def _figure(tally: Tally, uid: str) -> str:
    """How far a training is, and its last error."""
    epoch = tally.epochs[uid]
    error = f", {percent(tally.errors[uid])} %" if uid in tally.errors and epoch else ""
    return f"epoch {epoch}/{tally.budget_of(uid)}{error}"


def _bar(done: int, planned: int) -> str:
    filled = BAR if not planned else min(BAR, done * BAR // planned)
    return FULL * filled + EMPTY * (BAR - filled)


def _end_of(text: str, longest: int) -> str:
    return text if len(text) <= longest else "…" + text[len(text) - longest + 1 :]


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: max(0, longest - 1)] + "…"


@contextmanager
def shown_live(tally: Tally, console: "Console") -> Iterator[Screen]:
    """A screen that stands while this is open, and is gone afterwards."""
    from rich.live import Live

    screen = Screen(tally, console)
    with Live(screen, console=console, transient=True, refresh_per_second=REFRESHES_A_SECOND):
        yield screen
