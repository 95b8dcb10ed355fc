"""The mirror's own process, beside a search: `python -m policysearch.tracking.shipper --home DIR --study NAME`.

It watches the ledger until its standard input ends (the search is over, or dead), then makes one closing pass and leaves. What a
search is to register at its end it registers only if it said there that it is over. It says one line of JSON at its end and
nothing before; nobody waits for it longer than they said they would.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO

from policysearch.home import Home
from policysearch.ledger import Ledger
from policysearch.tracking.live import Live
from policysearch.tracking.mirror import Shipped, mirror_study
from policysearch.tracking.target import PATIENCE, locate
from searchspaces.errors import BadInput

POLL_SECONDS = 3.0
PAUSES_A_PASS = 20  # looking through a long study's ledger may take a while: a twentieth of one core is enough
NICENESS = 10  # trials come first
OVER = "over\n"


class Shipper:
    """A running shipper, as the search sees it."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def finish(self, timeout_seconds: float) -> Shipped | None:
        """Ask for the closing pass and wait for it at most so long; a shipper that takes longer is ended, which does no harm.

        Returns where MLflow stands, or None when that is not known: `policysearch mirror` then goes on where it stopped.
        """
        try:
            said, _ = self._process.communicate(OVER, timeout=timeout_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            return None
        try:
            return Shipped.read(json.loads(said))
        except ValueError:
            return None


def start_shipper(home: Home, study_name: str, register: str | None = None) -> Shipper:
    """Start the mirror of a study beside the search. It is out of the reach of Ctrl-C, and ends when this process does.

    When it is asked to `finish`, the winner's net becomes a version of the registered model `register`, if one is named.
    """
    command = [sys.executable, "-P", "-m", "policysearch.tracking.shipper", "--home", str(home.root), "--study", study_name]
    command += [] if register is None else [f"--register={register}"]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=PATIENCE | home.environment(),
        start_new_session=True,
        text=True,
    )
    return Shipper(process)


class End:
    """The end of the search beside which this process runs: whether it has come, and whether the search said that it is over."""

    def __init__(self) -> None:
        self.has_come = threading.Event()
        self.is_over = False

    def await_at(self, standard_input: IO[str]) -> None:
        """Wait for it. A search that was killed or interrupted says nothing."""
        self.is_over = standard_input.read() == OVER
        self.has_come.set()


class _Pass:
    """What a pass has cost since it began. The import of MLflow, once in a process, counts for none."""

    def __init__(self) -> None:
        self._began, self._began_cpu, self._had_mlflow = time.monotonic(), time.process_time(), "mlflow" in sys.modules

    def pause_seconds(self) -> float:
        """How long to wait after it: on a busy machine its own time counts, not how long it waited for others."""
        if not self._had_mlflow:
            return POLL_SECONDS
        cpu, wall = time.process_time() - self._began_cpu, time.monotonic() - self._began
        return max(POLL_SECONDS, PAUSES_A_PASS * cpu, wall)


def ship(home: Home, study_name: str, end: End, register: str | None = None) -> Shipped:
    """Copy what finishes, and how far what runs is, every few seconds, until the end; then everything.

    A study that isn't there yet is waited for. Of one that is over, the winner's net is registered as `register`, if named.
    """
    target, directory = locate(home.root), home.study_directory(study_name)
    pause_seconds, live = POLL_SECONDS, Live()
    while not end.has_come.wait(pause_seconds):
        look = _Pass()
        with suppress(BadInput):
            mirror_study(Ledger(home.ledger_url), study_name, target, directory, closing=False, live=live)
        pause_seconds = look.pause_seconds()
    name = register if end.is_over else None
    return mirror_study(Ledger(home.ledger_url), study_name, target, directory, register=name)


def main() -> None:
    """Run until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--study", required=True)
    parser.add_argument("--register")
    wishes = parser.parse_args()
    os.nice(NICENESS)
    end = End()
    threading.Thread(target=end.await_at, args=(sys.stdin,), daemon=True).start()
    with suppress(BadInput):  # nothing was ever recorded
        print(json.dumps(asdict(ship(Home.locate(wishes.home), wishes.study, end, wishes.register))))


if __name__ == "__main__":
    main()
