"""A database's password is in no process list, log, pickle, MLflow store or report, nor in anything else that a search leaves."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import CANARY, PostgresServer
from search_fixture import SEARCH_ALONE_OPTIONS, processes_below, write_bars

MARK = b"c4n4ry"  # what is left of it however the rest is escaped
LARGEST_FILE_BYTES = 64 * 1024**2
ROUND_SECONDS = 0.5


def shown(search: "subprocess.Popen[bytes]", directories: list[Path]) -> Iterator[str]:
    """Where the password can be seen now: command lines and files."""
    for pid in [search.pid, *processes_below(search.pid)]:
        try:
            if MARK in Path(f"/proc/{pid}/cmdline").read_bytes():
                yield f"process list: {pid}"
        except OSError:
            pass
    for directory in [*directories, *Path(tempfile.gettempdir()).glob(f"ray-{search.pid}-*")]:
        yield from found_in(directory)


def files_in(directory: Path) -> Iterator[Path]:
    """By os.walk, which passes over a directory that is gone meanwhile, as Ray's own are; rglob of Python 3.11 raises."""
    return (Path(folder, name) for folder, _, names in os.walk(directory) for name in names)


def found_in(directory: Path) -> Iterator[str]:
    for file in files_in(directory):
        try:
            if file.is_file() and file.stat().st_size < LARGEST_FILE_BYTES and MARK in file.read_bytes():
                yield str(file)
        except OSError:  # gone meanwhile, or a socket
            pass


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("driver", ["local", "ray"])
def test_while_a_search_runs_and_afterwards(driver: str, tmp_path: Path, postgres_server: PostgresServer) -> None:
    storage, data = postgres_server.new_guarded_database(CANARY), write_bars(tmp_path / "bars.npz")
    with tempfile.NamedTemporaryFile("w", dir="/dev/shm") as passfile:
        passfile.write("*:*:*:guarded:" + CANARY.replace("\\", "\\\\").replace(":", "\\:") + "\n")
        passfile.flush()
        environment = os.environ | {"PGPASSFILE": passfile.name, "POLICYSEARCH_ENGINE": "grouped"}
        words = [sys.executable, "-m", "policysearch", "search", "--data", str(data), "--home", str(tmp_path / "home")]
        words += ["--trials", "1", "--epochs", "1", "--workers", "1", "--driver", driver, "--storage", storage, "--test", "--yes"]
        words += [*SEARCH_ALONE_OPTIONS, "--finalist-seeds", "1"]
        seen = set[str]()
        with (tmp_path / "said").open("wb") as said:
            search = subprocess.Popen(words, env=environment, stdout=said, stderr=said)
            while search.poll() is None:
                seen |= set(shown(search, [tmp_path]))
                time.sleep(ROUND_SECONDS)
        assert search.returncode == 0, (tmp_path / "said").read_text()
        seen |= set(shown(search, [tmp_path]))
    assert seen == set()
    files = {file.name for file in files_in(tmp_path / "home")}
    assert {"policy.json", "report.html", "mlflow.db"} <= files, "there was something to look through"
    assert list(found_in(Path(__file__).parent)), "what is looked for can be found"
