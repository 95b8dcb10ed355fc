"""A worker process as the local driver sees it: started, given tasks over a pipe, heard, and ended. Decides nothing.

Workers are fresh interpreters (`python -m`), so a calling script needs no main guard.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from policysearch.drivers import Task

LAST_WORDS_BYTES = 4096


@dataclass(eq=False)
class Worker:
    """A process and the task it has, None while it waits for one.

    `ready` once it has answered for the first time; `given_at` and `claimed_at` are moments of the monotonic clock, and
    `lapsed_since` is when its claim was first seen to be over; `tail` is the rest of a line that is not yet whole.
    """

    process: subprocess.Popen[bytes]
    errors: IO[bytes]
    place: int
    task: Task | None = None
    ready: bool = False
    given_at: float = 0.0
    claimed_at: float | None = None
    lapsed_since: float | None = None
    tail: bytes = b""

    @staticmethod
    def hire(place: int, environment: Mapping[str, str], objective: str | None) -> "Worker":
        """Start a process; `objective` is what it runs in place of trainings, as `policysearch.packing` packs it."""
        errors = tempfile.TemporaryFile()  # noqa: SIM115  it lives as long as the worker, and `end` closes it
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "policysearch.drivers.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            process_group=0,  # so that a terminal's Ctrl-C reaches the driver alone, which then ends the workers in good order
        )
        worker = Worker(process, errors, place)
        worker._write({"objective": objective})
        return worker

    def give(self, task: Task) -> None:
        """Hand it its next task."""
        self.task, self.given_at, self.claimed_at, self.lapsed_since = task, time.monotonic(), None, None
        self._write(task.to_dict())

    def _write(self, values: Mapping[str, Any]) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it is dead; the end of its answers will say so
            self.process.stdin.write(json.dumps(values).encode() + b"\n")
            self.process.stdin.flush()

    @property
    def answers(self) -> IO[bytes]:
        """Its standard output."""
        assert self.process.stdout is not None
        return self.process.stdout

    def messages(self) -> Iterator[dict[str, Any]] | None:
        """The answers that have come, at least one byte of them awaited; None when there will be no more."""
        received = os.read(self.answers.fileno(), 1 << 16)
        if not received:
            return None
        *lines, self.tail = (self.tail + received).split(b"\n")
        return map(json.loads, lines)

    def let_go(self) -> None:
        """Tell it that there is nothing left to do; it ends by itself if it can."""
        with contextlib.suppress(OSError):
            assert self.process.stdin is not None
            self.process.stdin.close()

    def end(self, patience_seconds: float = 0.0) -> None:
        """See it gone, by force after so long, and close what belonged to it."""
        try:
            self.process.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.errors):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    @property
    def was_killed(self) -> bool:
        """Whether a signal ended it."""
        return (self.process.returncode or 0) < 0

    def cause_of_death(self) -> str:
        """Why it is gone, in one line."""
        code, words = self.process.wait(), self._last_words()
        if code == -signal.SIGKILL:  # it had no chance to say anything, so its words are of something else
            return "killed by signal 9, as the system does when memory runs out"
        how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        return f"{how}: {words}" if words else how

    def _last_words(self) -> str:
        """The last line on its standard error, or nothing."""
        self.errors.seek(0, os.SEEK_END)
        self.errors.seek(max(0, self.errors.tell() - LAST_WORDS_BYTES))
        lines = self.errors.read().decode("utf-8", errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""
