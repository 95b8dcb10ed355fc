"""Nodes of a Ray cluster that are killed while it searches: no result may be lost, and none counted twice.

    python tests/faults/ray_soak.py --nodes 20 --trials 2000 --kill-every 30

All nodes are on this machine, one core each; the head, where the driver is, is never killed. Trials are imagined: they sleep,
and say in a file of their own what they found before the ledger is told. The last line is what came of it, as JSON; the exit
status says whether it holds.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from ray_fixture import witnessed  # noqa: E402

from policysearch.ledger import Ledger, sqlite_url  # noqa: E402

SEARCHER = ROOT / "tests" / "integration" / "ray_searcher.py"
NODE = {"num_cpus": 1, "object_store_memory": 80 * 1024**2, "include_dashboard": False}


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=20)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--trial-seconds", type=float, default=0.2)
    parser.add_argument("--kill-every", type=float, default=30.0, metavar="SECONDS")
    return parser.parse_args()


def add_node(cluster: Any) -> None:
    cluster.add_node(wait=False, **NODE).started_here = time.monotonic()


def main(wishes: argparse.Namespace) -> int:
    directory = Path(tempfile.mkdtemp(prefix="soak-"))
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "f" * 64}
    from ray.cluster_utils import Cluster

    began = time.monotonic()
    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "num_cpus": 0})
    try:
        for _ in range(wishes.nodes):
            add_node(cluster)
        cluster.wait_for_nodes(timeout=300)
        searching = time.monotonic()
        told, kills = search(cluster, wishes, directory)
    finally:
        cluster.shutdown()
    return judge(wishes, told, directory, kills, {"start": searching - began, "search": time.monotonic() - searching})


def search(cluster: Any, wishes: argparse.Namespace, directory: Path) -> tuple[dict[str, Any], int]:
    """Search in a process of its own; meanwhile kill the oldest node now and then, and start another in its place."""
    told = {"directory": str(directory), "ledger": sqlite_url(directory / "ledger.sqlite"), "count": wishes.trials}
    told |= {"seconds": wishes.trial_seconds, "workers": wishes.nodes, "address": cluster.address}
    kills, out = 0, directory / "out"
    with out.open("wb") as file:
        process = subprocess.Popen([sys.executable, str(SEARCHER), json.dumps(told)], stdout=file)
    try:
        while not witnessed(directory / "witness") and process.poll() is None:
            time.sleep(0.1)
        next_kill_at = time.monotonic() + wishes.kill_every
        while process.poll() is None:
            time.sleep(0.1)
            if time.monotonic() >= next_kill_at:
                victim = min(cluster.worker_nodes, key=lambda node: node.started_here)
                cluster.remove_node(victim, allow_graceful=False)
                kills += 1
                add_node(cluster)
                next_kill_at = time.monotonic() + wishes.kill_every
    finally:
        process.kill()
        process.wait()
    found: dict[str, Any] = json.loads(out.read_text().splitlines()[-1])
    return found, kills


def judge(wishes: argparse.Namespace, outcome: dict[str, Any], directory: Path, kills: int, seconds: dict[str, float]) -> int:
    ledger = Ledger(sqlite_url(directory / "ledger.sqlite"))
    (study,) = ledger.studies()
    trials, seen, ends = ledger.trials(study.uid), witnessed(directory / "witness"), outcome["ends"]
    lost = Counter(note.partition(" was lost")[0] for note in outcome["notes"])
    done = [trial for trial in trials if trial.result is not None and trial.result.status == "done"]
    right = sum(bool(trial.result and trial.result.score and trial.result.score.wrong == trial.number % 50) for trial in done)
    told = {
        "trials": wishes.trials,
        "done": len(done),
        "with the right figure": right,
        "failed": [trial.result.error for trial in trials if trial.result is not None and trial.result.status == "failed"],
        "ended more than once": sum(count > 1 for count in Counter(ends).values()),
        "told before it was recorded": len(outcome["without"]),
        "nodes killed": kills,
        "trials that lost a node": lost["a node"],
        "trials that lost a worker": lost["a worker"],
        "executions": len(seen),
        "attempts": sum(trial.attempts for trial in trials),
        "torch": any(trial["torch"] for trial in seen),
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "error": outcome["error"],
        "late results": len(ledger.late_results(study.uid)),
    }
    print(json.dumps(told))
    holds = right == wishes.trials == len(set(ends)) == len(ends) and not outcome["without"] and not told["torch"]
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main(options()))
