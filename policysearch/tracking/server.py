"""MLflow's own UI over the mirrored runs, for this machine alone: 127.0.0.1, one worker, no jobs, no telemetry.

MLflow's default lets any name that begins like a private address pass as Host, so that a web page could read every run; here only
the server's own address passes. Refuses a port that is taken. A remote MLflow needs no server of ours: its address is shown.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import IO, Any, NoReturn

from policysearch.home import Home
from policysearch.tracking.target import Target, locate
from searchspaces.errors import BadInput

USUAL_PORT = 5000
READY_WITHIN_SECONDS = 180.0  # the first start on PostgreSQL makes all tables
STOP_WITHIN_SECONDS = 10.0
SAFE = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}


def serve(
    home: Home,
    port: int | None = None,
    announce: Callable[[str], None] = print,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Show the runs of this home until Ctrl-C or SIGTERM. `announce` is given lines for the user, the address among them.

    `ready` is called with the address when the server answers. BadInput when the port is taken or the server can't start.
    """
    target = locate(home.root)
    if target.is_server:
        announce(f"MLflow runs elsewhere: {target.shown_uri}")
        if ready is not None:
            ready(target.shown_uri)
        return
    port = _free_port(port)
    address = f"http://127.0.0.1:{port}"
    announce(f"starting MLflow over {target.shown_uri} ...")
    with tempfile.TemporaryFile() as log, _interrupted_by_termination():
        process = _start(home, target, port, log)
        try:
            _wait_until_ready(process, address, log)
            announce(f"MLflow's UI: {address}  (Ctrl-C stops it)")
            if ready is not None:
                ready(address)
            process.wait()
        except KeyboardInterrupt:
            announce("stopped")
        finally:
            _stop(process)


def _start(home: Home, target: Target, port: int, log: IO[bytes]) -> "subprocess.Popen[bytes]":
    """The server in a process group of its own. The store's address goes by environment: others can read a command line."""
    names = ("127.0.0.1", "localhost")
    command = [sys.executable, "-P", "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--allowed-hosts", ",".join(f"{name}:{port}" for name in names)]
    command += ["--cors-allowed-origins", ",".join(f"http://{name}:{port}" for name in names)]
    environment = os.environ | SAFE | {"MLFLOW_BACKEND_STORE_URI": target.tracking_uri}
    if target.artifact_location:
        environment["MLFLOW_ARTIFACTS_DESTINATION"] = target.artifact_location
    streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
    return subprocess.Popen(command, cwd=home.make().root, env=environment, start_new_session=True, **streams)


def _wait_until_ready(process: "subprocess.Popen[bytes]", address: str, log: IO[bytes]) -> None:
    give_up_at = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < give_up_at and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"{address}/health", timeout=2) as answer:
            if answer.status == 200:
                return
        time.sleep(0.2)
    log.seek(0)
    said = log.read().decode("utf-8", "replace").strip().splitlines()
    raise BadInput(f"MLflow's UI at {address}: did not start ({said[-1].strip() if said else 'no answer'}); try another --port")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End the server and its children: they are one process group."""
    for ending in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, ending)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_WITHIN_SECONDS)


def _free_port(wished: int | None) -> int:
    """The wished port, else MLflow's usual one, else any that is free."""
    for port in (wished,) if wished else (USUAL_PORT, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise BadInput(f"port {wished}: taken by another program; give another --port, or none")


@contextmanager
def _interrupted_by_termination() -> Iterator[None]:
    """Inside, SIGTERM and SIGHUP (the terminal was closed) end things as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
