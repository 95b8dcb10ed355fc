"""Searches on Ray clusters of one's own, with trials that are imagined: fast, and without torch in any worker."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ports import free_port

from policysearch.drivers import Task
from policysearch.ledger import Ledger, TrialRecord, sqlite_url
from policysearch.packing import pack

SEARCHER = Path(__file__).with_name("integration") / "ray_searcher.py"
SEARCH_SECONDS = 240.0
RAY = str(Path(sys.executable).with_name("ray"))


@dataclass
class ImaginedTasks:
    """A `TaskSource` of so many tasks whose objective is the caller's; it notes what it is told."""

    ledger: Ledger
    count: int
    data: dict[str, str] | None = None
    weights: Path | None = None
    seconds: float = 0.0
    given: int = 0
    starts: Counter[str] = field(default_factory=Counter)
    ends: list[str] = field(default_factory=list)
    without_result: list[str] = field(default_factory=list)
    started_at: dict[str, float] = field(default_factory=dict)
    ended_at: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.study_uid = self.ledger.create_study("imagined", {}).uid
        known = self.ledger.trials(self.study_uid)
        self.left = [trial.spec for trial in known if trial.result is None]
        self.given = len(known)

    def next_task(self) -> Task | None:
        if self.left:
            spec = self.left.pop(0)
        elif self.given < self.count:
            spec = self._new(self.given)
            self.given += 1
        else:
            return None
        weights = "" if self.weights is None else str(self.weights / f"{spec['trial_uid']}.pt")
        return Task(spec, self.ledger.url, weights)

    def _new(self, number: int) -> dict[str, Any]:
        uid = f"trial{number:05d}"
        spec = {"trial_uid": uid, "params": {"number": number, "seconds": self.seconds}, "data": self.data, "seed": 0}
        spec |= {"budget_epochs": 1, "replicate": 0, "objective": "tests:imagined"}
        self.ledger.add_trial(self.study_uid, number, "trial", f"imagined #{number}", {}, f"{number:064x}", "", spec)
        return spec

    def started(self, trial_uid: str) -> None:
        self.starts[trial_uid] += 1
        self.started_at[trial_uid] = time.monotonic()

    def finished(self, trial_uid: str) -> None:
        self.ends.append(trial_uid)
        self.ended_at[trial_uid] = time.monotonic()
        if self.ledger.result(trial_uid) is None:
            self.without_result.append(trial_uid)

    def trials(self) -> tuple[TrialRecord, ...]:
        return self.ledger.trials(self.study_uid)


ENOUGH = "enough"


def packed(witness: Path | None = None) -> str:
    """An objective that sleeps as its params say, and says in a file who it was: uid, process, what it sees.

    Once a file `ENOUGH` lies beside that one nobody sleeps any more: a test that has seen what it waits for needn't see the rest.
    """
    file = None if witness is None else str(witness)
    enough = None if witness is None else str(witness.with_name(ENOUGH))

    def imagined(context: Any) -> tuple[int, int]:
        import json
        import os
        import socket
        import sys
        import time

        began = time.time()
        while (left := began + context.params["seconds"] - time.time()) > 0 and not (enough and os.path.exists(enough)):
            time.sleep(min(left, 0.1))
        if file is not None:
            seen = {"uid": context.trial_uid, "pid": os.getpid(), "host": socket.gethostname(), "torch": "torch" in sys.modules}
            seen |= {"gpus": os.environ.get("CUDA_VISIBLE_DEVICES"), "began": began, "ended": time.time()}
            seen["data"] = None if context.data is None else str(context.data.directory)
            descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(descriptor, (json.dumps(seen) + "\n").encode())
            os.close(descriptor)
        return context.params["number"] % 50, 100

    return pack(imagined)


def witnessed(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@dataclass
class Head:
    """A cluster of one node, started by its command line, in a process group of its own."""

    process: "subprocess.Popen[bytes]"
    address: str
    client: str
    dashboard: str
    environment: dict[str, str]
    directory: Path

    def end(self) -> None:
        """As a power cut would."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def head(directory: Path, cores: int = 2, *options: str, token: Path | None = None, **variables: str) -> Iterator[Head]:
    """`ray start --head`, with token authentication where a token's file is given, and without it otherwise."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"} | variables
    if token is not None:
        token.write_text("f" * 64)
        environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    port, client, dashboard = free_port(), free_port(), free_port()
    sockets = Path(tempfile.mkdtemp(prefix="head-", dir="/tmp"))  # short: a socket's path has at most 107 characters
    places = [f"--port={port}", f"--ray-client-server-port={client}", f"--dashboard-port={dashboard}", f"--num-cpus={cores}"]
    places.append(f"--dashboard-agent-listen-port={free_port()}")  # it has one of its own, which two heads can't share
    fixed = ["--dashboard-host=127.0.0.1", "--min-worker-port=0", "--max-worker-port=0", "--object-store-memory=100000000"]
    command = [RAY, "start", "--head", "--block", "--disable-usage-stats", f"--temp-dir={sockets}", *places, *fixed, *options]
    with (directory / "head.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    ip = ""
    found = Head(process, ip, f"ray://127.0.0.1:{client}", f"http://127.0.0.1:{dashboard}", environment, directory)
    try:
        give_up_at = time.monotonic() + 200
        while "Ray runtime started" not in (text := (directory / "head.log").read_text()):
            assert process.poll() is None and time.monotonic() < give_up_at, text
            time.sleep(0.1)
        ip = next(word for word in text.replace("\x1b[1m", " ").split() if word.count(".") == 3).partition("\x1b")[0]
        found.address = f"{ip}:{port}"
        yield found
    finally:
        found.end()
        shutil.rmtree(sockets, ignore_errors=True)


def begin(directory: Path, environment: dict[str, str], **wishes: Any) -> "subprocess.Popen[str]":
    told = {"directory": str(directory), "ledger": sqlite_url(directory / "ledger.sqlite"), "count": 8} | wishes
    command = [sys.executable, str(SEARCHER), json.dumps(told)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def outcome(process: "subprocess.Popen[str]", seconds: float = SEARCH_SECONDS) -> dict[str, Any]:
    out, err = process.communicate(timeout=seconds)
    assert process.returncode == 0, err
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    assert len(out.splitlines()) == 1, "something else was written to standard output"
    return found


def search(directory: Path, environment: dict[str, str], **wishes: Any) -> dict[str, Any]:
    return outcome(begin(directory, environment, **wishes))
