"""Clusters of several nodes that see different disks, run different versions, are different machines, or die.

They are all on this machine: a node with mounts of its own sees empty folders where the search keeps its data, one with a host
name of its own is another machine. The ledger is PostgreSQL over TCP.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from ports import free_port
from postgres_server import PostgresServer, running_server
from ray_fixture import ENOUGH, RAY, Head, begin, head, outcome, search
from search_fixture import FREE, NO_MIRROR, SEARCH_ALONE_OPTIONS, write_bars

from policysearch.kept_weights import KeptWeights
from policysearch.ledger import Ledger
from policysearch.selection import winner

pytestmark = pytest.mark.slow

SOAK = Path(__file__).parents[1] / "faults" / "ray_soak.py"
ROOT = Path(__file__).parents[2]
NET = """
from the_layers import POOL
from torch import nn


def build(channels, classes, side):
    return nn.Sequential(POOL(side), nn.Flatten(), nn.Linear(channels * side * side, classes))
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    """A head without cores, and without a token."""
    with head(tmp_path_factory.mktemp("h"), 0, token=None, PYTHONPATH=str(ROOT), **NO_MIRROR) as found:
        yield found


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with running_server() as server:
        yield server


@pytest.fixture
def ledger_url(postgres: PostgresServer) -> Iterator[str]:
    """A new database, reached over TCP."""
    name = postgres.new_database().partition("?")[0].rpartition("/")[2]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_accept, args=(listening, postgres.directory / ".s.PGSQL.5432"), daemon=True).start()
        yield f"postgresql://ledger@127.0.0.1:{listening.getsockname()[1]}/{name}"


def _accept(listening: socket.socket, server: Path) -> None:
    with suppress(OSError):
        while True:
            client, _ = listening.accept()
            there = socket.socket(socket.AF_UNIX)
            there.connect(str(server))
            for ends in ((client, there), (there, client)):
                threading.Thread(target=_pass_on, args=ends, daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while received := source.recv(1 << 16):
            target.sendall(received)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def node(cluster: Head, cores: int, before: str = "", **variables: str) -> Iterator[None]:
    """`ray start --address`, in namespaces of its own where something is to be done `before`."""
    if before and os.geteuid() != 0:
        pytest.skip("namespaces of a node's own need root")
    start = f"{RAY} start --block --disable-usage-stats --address={cluster.address} --num-cpus={cores}"
    start += f" --dashboard-agent-listen-port={free_port()}"
    start += " --object-store-memory=80000000 --min-worker-port=0 --max-worker-port=0"
    command = ["unshare", "--mount", "--uts", "sh", "-ec", f"{before}\nexec {start}"] if before else start.split()
    log = cluster.directory / f"node-{time.monotonic_ns()}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=cluster.environment | variables, stdout=file, stderr=file, start_new_session=True)
    try:
        give_up_at = time.monotonic() + 200
        while "Ray runtime started" not in log.read_text():
            assert process.poll() is None and time.monotonic() < give_up_at, log.read_text()
            time.sleep(0.1)
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # it leaves the cluster, so that the next test doesn't meet it
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def others_torch(directory: Path) -> str:
    """A path on which another torch seems to be installed."""
    told = directory / "torch-9.9.9.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 9.9.9\n")
    return f"{directory}:{ROOT}"


def test_without_a_shared_disk_data_and_a_net_of_ones_own_reach_the_node_and_results_and_weights_come_back(
    cluster: Head, tmp_path: Path, ledger_url: str
) -> None:
    home, there, mine = tmp_path / "home", tmp_path / "there", tmp_path / "mine"
    for directory in (home, there, mine):
        directory.mkdir()
    (mine / "the_nets.py").write_text(NET)
    (mine / "the_layers.py").write_text("from torch import nn\n\nPOOL = nn.AdaptiveAvgPool2d\n")
    bars = write_bars(tmp_path / "bars.npz")
    policysearch = str(Path(sys.executable).with_name("policysearch"))
    wishes = ["--data", str(bars), "--trials", "1", "--epochs", "1", "--sampler", "random", "--study", "apart"]
    wishes += ["--model", "the_nets:build:side=4"]
    places = ["--driver", "ray", "--address", cluster.address, "--home", str(home), "--storage", ledger_url]
    command = [policysearch, "search", *wishes, *places, *SEARCH_ALONE_OPTIONS]
    hidden = "\n".join(f"mount -t tmpfs none {directory}" for directory in (home, mine))
    with node(cluster, 1, hidden, POLICYSEARCH_NODE_DIR=str(there)):
        ran = subprocess.run(command, env=cluster.environment, cwd=mine, capture_output=True, text=True, timeout=240, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "training it again to restore them" not in ran.stdout + ran.stderr
    assert "the Ray cluster asks for no token" in ran.stdout + ran.stderr
    ledger = Ledger(ledger_url)
    (study,) = ledger.studies()
    trials = ledger.trials(study.uid)
    assert len(trials) == FREE + 1 and all(trial.result and trial.result.status == "done" for trial in trials)
    best = winner(trials)
    assert best.result is not None and best.spec["recipe"]["model"] == "the_nets:build:side=4"
    assert KeptWeights(home / "studies" / "apart" / "weights").is_sound(best.trial_uid, best.result.weights_sha256)
    (copy,) = (path for path in (there / "data").iterdir() if path.is_dir())
    assert sorted(path.name for path in copy.iterdir()) == [
        "meta.json", "train_images.npy", "train_labels.npy", "val_images.npy", "val_labels.npy",
    ]  # fmt: skip
    assert list((there / "weights").iterdir()) == []


def test_sqlite_is_refused_where_another_machine_would_write_it(cluster: Head, tmp_path: Path) -> None:
    with node(cluster, 1, "hostname another-machine"):
        told = search(tmp_path, cluster.environment, address=cluster.address)
    assert told["error"].startswith("the ledger is a SQLite file, which only one machine may write")
    assert "another-machine" in told["error"] and "--storage postgresql://" in told["error"] and "\n" not in told["error"]


def test_a_node_with_another_version_is_refused_by_name(cluster: Head, tmp_path: Path, ledger_url: str) -> None:
    with node(cluster, 1, "hostname behind", PYTHONPATH=others_torch(tmp_path)):
        told = search(tmp_path, cluster.environment, address=cluster.address, ledger=ledger_url)
    assert told["error"].startswith("node behind (") and "\n" not in told["error"]
    assert "torch 9.9.9 there" in told["error"] and "install the same versions on every node" in told["error"]


def test_a_node_that_can_not_reach_the_ledger_is_refused_by_name(cluster: Head, tmp_path: Path) -> None:
    ledger = tmp_path / "apart" / "ledger.sqlite"
    ledger.parent.mkdir()
    with node(cluster, 1, f"mount -t tmpfs none {ledger.parent}"):
        told = search(tmp_path, cluster.environment, address=cluster.address, ledger=f"sqlite:///{ledger}")
    assert told["error"].startswith(f"node {socket.gethostname()} (") and "ledger" in told["error"]


def test_a_node_that_joins_later_and_does_not_fit_gives_its_trials_back(cluster: Head, tmp_path: Path) -> None:
    with node(cluster, 1):
        process = begin(tmp_path, cluster.environment, address=cluster.address, workers=2, count=30, seconds=4.0)
        wait_for("", tmp_path / "witness", process)
        with node(cluster, 1, PYTHONPATH=others_torch(tmp_path)):
            wait_for("torch 9.9.9 there", tmp_path / "notes", process)
            (tmp_path / ENOUGH).touch()
            told = outcome(process)
    assert told["error"] is None and len(set(told["ends"])) == len(told["ends"]) == 30 and told["without"] == []
    assert [note for note in told["notes"] if "torch 9.9.9 there" in note and "its trials go to other workers" in note]


def wait_for(words: str, file: Path, process: "subprocess.Popen[str]") -> None:
    """Until they stand in the file, while the process runs."""
    give_up_at = time.monotonic() + 200
    while not file.exists() or words not in file.read_text():
        assert time.monotonic() < give_up_at and process.poll() is None, words
        time.sleep(0.1)


def test_nodes_that_are_killed_every_few_seconds_cost_no_result() -> None:
    command = [sys.executable, str(SOAK), "--nodes", "4", "--trials", "150", "--kill-every", "6"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    told = json.loads(ran.stdout.splitlines()[-1])
    assert ran.returncode == 0, told
    assert told["nodes killed"] >= 1 and told["failed"] == [] and told["done"] == 150
