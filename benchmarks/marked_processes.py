"""Processes that bear a mark in their environment, which all that they start inherit: how a benchmark ends its own alone.

Ray's daemons leave the process group and the parent of whoever started them; the mark stays. Linux only.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import uuid4

VARIABLE = "POLICYSEARCH_BENCHMARK"


class Marked:
    """All processes that bear one mark; `start` starts one more."""

    def __init__(self) -> None:
        self._mark = f"{VARIABLE}={uuid4().hex}"

    def start(self, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Run the command in a session of its own; what it prints goes to the end of `log`."""
        name, _, value = self._mark.partition("=")
        with log.open("ab") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **environment, name: value},
                start_new_session=True,
            )

    def alive(self) -> list[int]:
        """Who is left, zombies apart."""
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal() and self._is_ours(entry)]

    def processor_seconds(self) -> float:
        """The processor time that those who are alive have used."""
        return sum(map(_processor_seconds, self.alive()))

    def wait_until_gone(self, seconds: float) -> int:
        """Give them so long to end by themselves, then kill those that are left; how many had to be killed."""
        deadline = time.monotonic() + seconds
        while (left := self.alive()) and time.monotonic() < deadline:
            time.sleep(0.2)
        for number in left:
            try:
                os.kill(number, signal.SIGKILL)
            except ProcessLookupError:
                continue
        while self.alive():
            time.sleep(0.1)
        return len(left)

    def _is_ours(self, entry: Path) -> bool:
        try:
            return f"\0{self._mark}\0".encode() in b"\0" + (entry / "environ").read_bytes()  # a zombie's is empty
        except OSError:
            return False


def _processor_seconds(number: int) -> float:
    try:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
