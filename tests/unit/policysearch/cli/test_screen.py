"""What stands at the foot of a terminal while a search runs, read from the screen of a real pseudo-terminal."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import screen_player
from terminal import ScreenReader, Terminal

from policysearch.cli.screen import foot
from policysearch.cli.tally import Tally
from policysearch.drivers import Event

ROOT = Path(__file__).parents[4]


@pytest.fixture
def played() -> Iterator[list[Terminal]]:
    """Terminals that a test has opened; closed after it."""
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        if terminal.process.poll() is None:
            terminal.process.kill()
            terminal.process.wait()


def play(opened: list[Terminal], trials: int, pause: float, columns: int = 80, rows: int = 24) -> Terminal:
    words = [sys.executable, str(screen_player.__file__), str(trials), str(pause)]
    opened.append(Terminal(words, os.environ | {"PYTHONPATH": str(ROOT)}, columns, rows))
    return opened[-1]


def many(running: int) -> Tally:
    tally = Tally(30)
    label = "randaugment+geometry+mixing #{} with a label longer than any window of forty columns, 13 of 40 epochs"
    for number in range(running):
        tally.hear(Event("started", f"t{number}", label=label.format(number), role="trial"))
        tally.hear(Event("epoch", f"t{number}", 1, 50, 100))
    tally.hear(Event("finished", "b", 30, 13, 100, label=label.format("b"), role="baseline", seconds=9000))
    tally.hear(Event("finished", "a", 30, 12, 100, label=label.format("a"), role="trial", seconds=9000))
    tally.hear(Event("failed", "f", label=label.format("f"), text="a very long reason " * 20))
    return tally


@pytest.mark.parametrize("columns", [30, 40, 60, 61, 80, 100, 200])
@pytest.mark.parametrize("rows", [8, 24, 60])
def test_the_foot_fits_the_window_however_much_runs(columns: int, rows: int) -> None:
    for running in (0, 1, 7, 9, 500):
        tally = many(running)
        if not running:
            tally.hear(Event("progress", epoch=34, total=152, text="looking at which strengths of which ops keep the labels"))
        lines = foot(tally, columns, rows)
        if rows >= 24:
            assert any(line.endswith("34 of 152") for line in lines) == (running == 0)
        assert len(lines) < rows and all(len(line) < columns for line in lines)
        assert len(lines) <= 20, "a bounded number of lines"
        if rows >= 24 and running == 500:
            assert any("and 49" in line for line in lines)


def is_whole(lines: list[str], columns: int) -> bool:
    """Whether the foot has all that a person needs, in a window of so many columns."""
    starts = [number for number, line in enumerate(lines) if "search: 2 of 300" in line]
    lines = lines[starts[-1] :] if starts else []  # above may be what no longer fitted when the window became lower
    screen = " ".join(" ".join(lines).split())
    needed = ("12.0 % wrong", "1.0 points better than the best baseline (flip+crop)", "3.0 h of training so far")
    told = all(words in screen for words in (*needed, "1, the last: randaugment ops=2 level=0"))
    return told and " more" in lines[-1] and all(len(line) < columns for line in lines)


@pytest.mark.slow
def test_the_foot_says_what_a_person_needs_in_a_window_that_changes_its_size(played: list[Terminal]) -> None:
    terminal = play(played, 300, 0.01)
    terminal.read_until("search: 2 of 300")
    for columns, rows in ((80, 24), (40, 24), (120, 40), (40, 13), (80, 24)):
        terminal.resize(columns, rows)
        give_up_at = time.monotonic() + 60
        while not is_whole(lines := terminal.read(0.3), columns):
            assert time.monotonic() < give_up_at, lines
    terminal.interrupt()
    assert terminal.close() == 130
    left = terminal.screen.shown()
    assert left[-1] == "interrupted" and not any(" more" in line for line in left), left


def test_nothing_of_the_foot_is_left_and_each_end_was_told_once(played: list[Terminal]) -> None:
    terminal = play(played, 40, 0.0)
    assert terminal.close() == 0
    lines = [*terminal.screen.scrolled(), *terminal.screen.shown()]
    assert lines[:3] == [
        "study birds: 41 trainings, 205 epochs in all",
        "baselines: 1 training",
        "flip+crop: 13.0 % wrong after 5 epochs",
    ]
    assert lines[3:6] == [
        "search: 40 trainings",
        "randaugment ops=2 level=0: failed: the loss is nan",
        "randaugment ops=2 level=1: 12.0 % wrong after 5 epochs",
    ]
    assert lines[6:] == [
        *(f"randaugment ops=2 level={number}: 40.0 % wrong after 5 epochs" for number in range(2, 40)),
        "the end",
    ]


def test_the_screen_reader_reads_as_a_terminal_does() -> None:
    reader = ScreenReader(10, 3)
    reader.feed("one\r\ntwo\r\nthree\x1b[")
    reader.feed("1A\r\x1b[2KTWO\r\n")
    assert reader.shown() == ["one", "TWO", "three"]
    reader.feed("\r\x1b[Kdozen wide letters")
    assert (reader.scrolled(), reader.shown()) == (["one"], ["TWO", "dozen wide", " letters"])
