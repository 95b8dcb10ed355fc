"""How fast the mirror catches up: a made-up study of 1,000 finished trials of 30 epochs, written to an empty MLflow store.

    python benchmarks/mirror_speed.py [--trials 1000] [--epochs 30] [--stores sqlite server] [--json FILE]

The ledger is a file of SQLite, filled in bulk (tests/large_ledger.py). `sqlite` is the store as a home has it, written without a
server; `server` is MLflow's own server on this machine, one worker over SQLite, spoken to by HTTP. Each store has its tables and
nothing in it. What is timed is one closing pass, as `policysearch mirror` makes it: every trial with its parameters, tags, curve
and data set, the study's summary, the files of the best; then the same pass again, which finds everything there. That no run is
missing or twice is counted afterwards.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from overhead import circumstances

sys.path[:0] = [str(Path(__file__).parents[1] / "tests")]

from large_ledger import fill  # noqa: E402
from mlflow_server import MlflowServer  # noqa: E402
from study_fixture import SEED, StudyInLedger  # noqa: E402

from policysearch.tracking.mirror import Shipped, mirror_study  # noqa: E402
from policysearch.tracking.store import client_of  # noqa: E402
from policysearch.tracking.target import Target, locate  # noqa: E402
from trials.values import TrialSpec  # noqa: E402

STORES = ("sqlite", "server")


def study_of(root: Path, trials: int, epochs: int) -> StudyInLedger:
    """A home with the study; every hundredth trial failed."""
    made = StudyInLedger(root, "mirrored")
    assert made.setting.data is not None
    policy = made.space.decode(made.cells[0])
    spec = TrialSpec("", policy, made.setting.recipe, made.setting.data, SEED, epochs).to_dict()
    del spec["trial_uid"]
    fill(made.ledger, made.study, trials, epochs, spec)
    return made


@contextmanager
def store(name: str, made: StudyInLedger) -> Iterator[Target]:
    """The store, with its tables."""
    if name == "sqlite":
        target = locate(made.home.root)
        client_of(target).search_experiments()
        yield target
        return
    with MlflowServer(made.home.root / "server") as server:
        yield Target(server.address)


def timed(made: StudyInLedger, target: Target) -> tuple[float, Shipped]:
    """One closing pass: its seconds, and where MLflow stands."""
    began = time.perf_counter()
    stands = mirror_study(made.ledger, made.name, target, made.home.study_directory(made.name))
    return time.perf_counter() - began, stands


def runs_of(made: StudyInLedger, target: Target) -> list[str]:
    """The trials of all runs but the summary."""
    client, found, token = client_of(target), list[str](), None
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    while True:
        page = client.search_runs(experiments, "tags.`policysearch.role` != 'study'", page_token=token)
        found += [run.data.tags["policysearch.trial_uid"] for run in page]
        token = page.token
        if not token:
            return found


def measure(name: str, trials: int, epochs: int) -> dict[str, Any]:
    """Catch up with a store of that kind, and do it again."""
    with tempfile.TemporaryDirectory(prefix="mirror-") as folder:
        made = study_of(Path(folder) / "home", trials, epochs)
        with store(name, made) as target:
            seconds, stands = timed(made, target)
            again, same = timed(made, target)
            found = runs_of(made, target)
    assert stands == same == Shipped(trials, 0), (stands, same)
    assert len(found) == len(set(found)) == trials, "a run is missing, or there twice"
    return {"store": name, "trials": trials, "epochs": epochs, "seconds": seconds, "again_seconds": again}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--stores", nargs="+", choices=STORES, default=list(STORES))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        os.environ.pop(name, None)
    where = circumstances()
    print(", ".join(f"{name} {value}" for name, value in where.items()), flush=True)
    print(f"{options.trials:,} trials of {options.epochs} epochs\n")
    print("| store | seconds | trials a second | ms a trial | again, seconds |")
    print(f"|{'---|' * 5}", flush=True)
    found = []
    for name in options.stores:
        one = measure(name, options.trials, options.epochs)
        found.append(one)
        each = one["seconds"] / options.trials
        print(f"| {name} | {one['seconds']:.1f} | {1 / each:.1f} | {1000 * each:.0f} | {one['again_seconds']:.1f} |", flush=True)
    print(f"\nload after {os.getloadavg()[0]:.1f}")
    if options.json:
        options.json.write_text(json.dumps({"circumstances": where, "found": found}, indent=2))


if __name__ == "__main__":
    main()
