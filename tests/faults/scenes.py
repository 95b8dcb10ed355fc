"""A pretended study under the eyes of a test: its driver is started, killed and started again, and everything is counted.

Drivers are real processes, forked from one that has imported torch already (a search imports it, and it takes seconds); their
workers are fresh interpreters, as always.
"""

import multiprocessing
import os
import signal
import sqlite3
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from multiprocessing.forkserver import ensure_running
from multiprocessing.process import BaseProcess
from pathlib import Path

from faults.pretended import MARK, Wishes, run_study

LEASE_VARIABLE = "POLICYSEARCH_LEASE_SECONDS"
LEASE_SECONDS = "2"
END_SECONDS = 120.0
MOST_RESUMES = 40
_PRELOADED = ["policysearch.search", "policysearch.drivers.local", "policysearch.packing", "faults.pretended"]


def prepare_drivers() -> None:
    """To be called before the first scene: drivers, and they alone, have a short lease, and their imports behind them."""
    before = os.environ.get(LEASE_VARIABLE)
    os.environ[LEASE_VARIABLE] = LEASE_SECONDS
    try:
        multiprocessing.set_forkserver_preload(_PRELOADED)
        ensure_running()
    finally:
        if before is None:
            del os.environ[LEASE_VARIABLE]
        else:
            os.environ[LEASE_VARIABLE] = before


@dataclass
class Scene:
    """One study. `faults` counts what was delivered by class, `spared` how many attempts that may have cost at most."""

    wishes: Wishes
    faults: Counter[str] = field(default_factory=Counter)
    spared: int = 0
    recovery_seconds: list[float] = field(default_factory=list)
    resumes: int = 0

    @property
    def root(self) -> Path:
        return Path(self.wishes.root)

    def start(self, failpoint: str = "") -> BaseProcess:
        """A driver at work."""
        self.root.mkdir(parents=True, exist_ok=True)
        context = multiprocessing.get_context("forkserver")
        driver = context.Process(target=run_study, args=(self.wishes.to_dict(), {"POLICYSEARCH_FAILPOINT": failpoint}))
        driver.start()
        return driver

    def kill(self, driver: BaseProcess) -> bool:
        """Kill the driver with -9; whether it was still there to be killed."""
        driver.kill()
        driver.join(END_SECONDS)
        delivered = driver.exitcode == -signal.SIGKILL
        self.count("driver killed", delivered, self.wishes.workers)
        return delivered

    def count(self, fault: str, times: int, attempts_each: int = 1) -> None:
        """Note faults that were delivered, and how many attempts each may cost."""
        if times:
            self.faults[fault] += times
            self.spared += times * attempts_each

    def end(self, driver: BaseProcess) -> int:
        """Wait for the driver's own end, as long as it gets on; its exit code."""
        before = -1
        while driver.exitcode is None and (said := len(self.lines("stdout"))) > before:
            before = said
            driver.join(END_SECONDS)
        if driver.exitcode is None:
            driver.kill()
            raise AssertionError(f"the search of {self.root} has not got on for {END_SECONDS:.0f} s: {self.said()}")
        return driver.exitcode

    def finish(self) -> None:
        """Search again, without faults, until the study is done: at the first time, if nothing is wrong."""
        before, began = len(self.lines("witness")), time.monotonic()
        self.resumes += 1
        code = self.end(self.start())
        assert code == 0, f"exit code {code}: {self.said()}"
        begun = [float(line.split()[3]) for line in self.lines("witness")[before:] if line.startswith("B")]
        if begun:
            self.recovery_seconds.append(begun[0] - began)

    def lines(self, name: str) -> list[str]:
        """What a witness has written."""
        path = self.root / name
        return path.read_text().splitlines() if path.exists() else []

    def said(self) -> str:
        """The last words of the drivers."""
        return " | ".join([*self.lines("stdout")[-5:], *self.lines("stderr")[-12:]])

    def until(self, finished: int, patience_seconds: float = END_SECONDS) -> None:
        """Wait until so many trials are acknowledged."""
        give_up_at = time.monotonic() + patience_seconds
        while len(set(self.lines("acknowledged"))) < finished:
            assert time.monotonic() < give_up_at, f"{self.root}: {self.said()}"
            time.sleep(0.01)

    def can_be_written(self) -> bool:
        """Whether nobody is in the middle of writing to the ledger; true of one that isn't a file."""
        path = self.root / "home" / "ledger.sqlite"
        if self.wishes.storage is not None:
            return True
        connection = sqlite3.connect(path, timeout=0.1, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return False
        finally:
            connection.close()
        return True

    def processes(self, command: bytes = b"") -> list[int]:
        """All processes of this scene that have not ended, or those with this in their command line."""
        return [pid for pid in _processes_with(f"{MARK}={self.root}".encode()) if command in _read(pid, "cmdline")]

    def workers(self) -> list[int]:
        """The workers alive now."""
        return self.processes(b"policysearch.drivers.worker")

    def altered(self, **wishes: object) -> "Scene":
        """The same study with other wishes."""
        return replace(self, wishes=replace(self.wishes, **wishes))  # type: ignore[arg-type]


def _processes_with(marker: bytes) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/environ"):
        pid = int(status.parent.name)
        if marker in _read(pid, "environ").split(b"\0") and _state(pid) not in ("Z", "X", ""):
            found.append(pid)
    return found


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _state(pid: int) -> str:
    return _read(pid, "stat").rpartition(b")")[2].decode()[1:2]
