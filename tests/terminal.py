"""A real pseudo-terminal with a program in it, and a small reader of what its screen then shows.

The reader knows what is needed here: text, line feeds, the cursor up and to a place, and erasing. It wraps long lines as
terminals do, scrolls, and keeps what has scrolled away.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence

TOKEN = re.compile(
    r"\x1b\[([?0-9;]*)([A-Za-z])|\x1b[\]P].*?(?:\x07|\x1b\\)|\x1b[^\[\]P]|[\r\n\x08\x07]|[^\x1b\r\n\x08\x07]+", re.S
)


class ScreenReader:
    """What a terminal of so many columns and rows shows after what it was fed."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.lines: list[list[str]] = [[]]  # all that there ever were; the last `rows` of them are on the screen
        self.row = self.column = 0
        self._rest = ""

    @property
    def top(self) -> int:
        return max(0, len(self.lines) - self.rows)

    def feed(self, text: str) -> None:
        """Take in what the program wrote."""
        text = self._rest + text
        cut = text.rfind("\x1b")
        whole = cut < 0 or TOKEN.match(text, cut) is not None
        self._rest, text = ("", text) if whole else (text[cut:], text[:cut])
        for token in TOKEN.finditer(text):
            self._take(token)

    def resize(self, columns: int, rows: int) -> None:
        """The window has another size: as terminals that don't wrap again."""
        self.columns, self.rows = columns, rows

    def shown(self) -> list[str]:
        """The screen's lines from the top, without blanks at their ends; empty ones at the foot are left out."""
        lines = ["".join(line)[: self.columns].rstrip() for line in self.lines[self.top :]]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def scrolled(self) -> list[str]:
        """The lines that have scrolled away."""
        return ["".join(line).rstrip() for line in self.lines[: self.top]]

    def _take(self, token: "re.Match[str]") -> None:
        text, command = token.group(0), token.group(2)
        if command == "A":
            self.row = max(self.top, self.row - int(token.group(1) or 1))
        elif command == "K":
            line = self.lines[self.row]
            del line[0 if token.group(1) == "2" else self.column :]
        elif command == "J":
            del self.lines[self.row + 1 :], self.lines[self.row][self.column :]
        elif command == "H":
            self.row, self.column = self.top, 0
        elif text == "\r":
            self.column = 0
        elif text == "\n":
            self._down()
        elif text == "\x08":
            self.column = max(0, self.column - 1)
        elif not text.startswith("\x1b") and text != "\x07":
            for sign in text:
                self._put(sign)

    def _put(self, sign: str) -> None:
        if self.column >= self.columns:
            self.column = 0
            self._down()
        line = self.lines[self.row]
        line.extend(" " * (self.column + 1 - len(line)))
        line[self.column] = sign
        self.column += 1

    def _down(self) -> None:
        self.row += 1
        if self.row == len(self.lines):
            self.lines.append([])


class Terminal:
    """A program that runs in a pseudo-terminal of its own, as a person would see it."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str], columns: int = 80, rows: int = 24) -> None:
        self._ours, theirs = pty.openpty()
        self.screen = ScreenReader(columns, rows)
        self._set_size(columns, rows)
        kept = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES", "CI", "NO_COLOR")}
        self.process = subprocess.Popen(
            list(words), stdin=theirs, stdout=theirs, stderr=theirs, env=kept | {"TERM": "xterm-256color"}, start_new_session=True
        )
        os.close(theirs)

    def resize(self, columns: int, rows: int) -> None:
        """Pull at the window."""
        self._set_size(columns, rows)
        self.screen.resize(columns, rows)
        os.kill(self.process.pid, signal.SIGWINCH)

    def read(self, seconds: float) -> list[str]:
        """Read for so long, or until the program ends; the screen then."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and self._read_once(left):
            pass
        return self.screen.shown()

    def read_until(self, text: str, seconds: float = 60.0) -> list[str]:
        """Read until the screen shows `text` somewhere; the screen then."""
        until = time.monotonic() + seconds
        while not any(text in line for line in self.screen.shown()):
            left = until - time.monotonic()
            assert left > 0 and self._read_once(left), "\n".join([f"no {text!r} on the screen:", *self.screen.shown()])
        return self.screen.shown()

    def interrupt(self) -> None:
        """Ctrl-C, typed."""
        os.kill(self.process.pid, signal.SIGINT)

    def close(self, seconds: float = 60.0) -> int:
        """Read to the end; the exit code."""
        self.read(seconds)
        code = self.process.wait(timeout=seconds)
        os.close(self._ours)
        return code

    def _read_once(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], seconds)
        if not ready:
            return True
        try:
            found = os.read(self._ours, 65536)
        except OSError:  # the other end is closed
            return False
        self.screen.feed(found.decode(errors="replace"))
        return bool(found)

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
