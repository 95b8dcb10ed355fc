"""MLflow's own server on a free port, over SQLite or another database, with its basic auth if wished: for tests of the mirror."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import pytest
from ports import free_port

from policysearch.tracking.target import PATIENCE

START_SECONDS = 240.0
ADMIN, ADMIN_PASSWORD = "admin", "canary-of-twelve"


class MlflowServer:
    """Started by `with`, or by `start`; killed and started again as one likes. Its files are in `directory`."""

    def __init__(self, directory: Path, backend: str | None = None, guarded: bool = False) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory, self.guarded = directory, guarded
        self.backend = backend or f"sqlite:///{directory / 'mlflow.db'}"
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "MlflowServer":
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        command += ["--artifacts-destination", str(self.directory / "artifacts")]
        command += ["--app-name", "basic-auth"] if self.guarded else []
        environment = os.environ | {
            "MLFLOW_BACKEND_STORE_URI": self.backend,
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "of this test",
            "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN_PASSWORD,
        }
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
            environment.pop(name, None)
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.directory, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        give_up_at = time.monotonic() + START_SECONDS
        while not self.answers():
            assert self.process.poll() is None and time.monotonic() < give_up_at, (self.directory / "log").read_text()[-2000:]
            time.sleep(0.05)

    def answers(self) -> bool:
        """Whether somebody listens on its port."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        """End it with -9, children too."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


@contextmanager
def store_of_the_home() -> Iterator[None]:
    """Inside, MLflow's store is that of the home, and is waited for as the mirror does."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
            patch.delenv(name, raising=False)
        for name, value in PATIENCE.items():
            patch.setenv(name, value)
        yield
