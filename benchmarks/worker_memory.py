"""How much memory a search takes with one, two and four workers, and how many copies of the images they hold.

    python benchmarks/worker_memory.py --data-root DIR [--workers 1 2 4] [--train-images 4000] [--trials 4] [--epochs 3]
        [--json FILE]

Each is `policysearch search` on CIFAR-10 as a person types it, in a home of its own that has images and kernels already. All its
processes are looked at twice a second: their proportional set sizes (PSS: a page that several share counts in parts) add up to
what the search really takes, and the peak of that is told. The mapped files of the images are looked at too: what each process
has of them in its memory (RSS), which is what copies would take, and their PSS, which they take together. A process that has
images in its memory is one that trains: the table says how many did at once, for trials may be too short for all. A search has no
more workers than cores; where more are wished here, it is told that there are as many cores (memory asks for none). Linux only.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from marked_processes import Marked

LOOK_SECONDS = 0.5
LONGEST_SECONDS = 3600.0
MIB = 1024**2
WITH_CORES = """
import os, sys
cores = int(sys.argv.pop(1))
os.sched_getaffinity = lambda process: set(range(cores))
from policysearch.cli import main
main()
"""


@dataclass(frozen=True)
class Seen:
    """One look at all processes of a search, in bytes: all that they take, and of the images' mapped files."""

    processes: int
    training: int
    taken: int
    images_taken: int
    images_met: int


@dataclass(frozen=True)
class Run:
    """One search: workers, the peak of what it took and how many trained then, of the images the most that was taken and met at
    one look, and how many trained at most.
    """

    workers: int
    peak: int
    processes: int
    training: int
    most_training: int
    images_taken: int
    images_met: int
    wall_seconds: float


def sizes_of(smaps: str, part: str) -> tuple[int, int, int]:
    """Of the text of a /proc/PID/smaps: PSS of all, and PSS and RSS of the mappings whose path has `part` in it, in bytes."""
    taken = images_taken = images_met = 0
    inside = False
    for line in smaps.splitlines():
        name, _, rest = line.partition(":")
        if " " in name:  # the head of a mapping: its addresses come first
            inside = part in line
        elif name == "Pss":
            taken += (size := 1024 * int(rest.split()[0]))
            images_taken += size if inside else 0
        elif name == "Rss" and inside:
            images_met += 1024 * int(rest.split()[0])
    return taken, images_taken, images_met


def look(processes: Marked, images: Path) -> Seen:
    """What all living processes take now."""
    found = []
    for pid in processes.alive():
        try:
            found.append(sizes_of(Path(f"/proc/{pid}/smaps").read_text(), f"{images}/"))
        except OSError:  # it has ended meanwhile
            continue
    taken, images_taken, images_met = (sum(each) for each in zip(*found, strict=True)) if found else (0, 0, 0)
    return Seen(len(found), sum(met > 0 for _, _, met in found), taken, images_taken, images_met)


def search(home: Path, name: str, workers: int, wishes: Sequence[str]) -> Run:
    """One search, watched from its beginning to its end."""
    processes, seen, began = Marked(), list[Seen](), time.monotonic()
    entry = ["-m", "policysearch"] if workers <= len(os.sched_getaffinity(0)) else ["-c", WITH_CORES, str(workers)]
    command = [sys.executable, *entry, "search", *wishes, "--home", str(home)]
    command += ["--workers", str(workers), "--study", name]
    process = processes.start(command, home / f"log-{name}", {"MLFLOW_TRACKING_URI": f"sqlite:///{home / 'mlflow.db'}"})
    try:
        while process.poll() is None and time.monotonic() - began < LONGEST_SECONDS:
            seen.append(look(processes, home / "data"))
            time.sleep(LOOK_SECONDS)
    finally:
        processes.wait_until_gone(20)
    if process.returncode != 0:
        raise RuntimeError(f"the search ended with {process.returncode}:\n{(home / f'log-{name}').read_text()[-3000:]}")
    peak = max(seen, key=lambda each: each.taken)
    images_taken, images_met = max(each.images_taken for each in seen), max(each.images_met for each in seen)
    most = max(each.training for each in seen)
    wall = time.monotonic() - began
    return Run(workers, peak.taken, peak.processes, peak.training, most, images_taken, images_met, wall)


def table(runs: Sequence[Run]) -> str:
    """A row a search; growth is that of each worker more than the row before has."""
    lines = [
        "| workers | trained at once | peak, MiB | a worker more, MiB | images: taken, MiB | met, MiB | wall, s |",
        f"|{'---|' * 7}",
    ]
    before: Run | None = None
    for run in runs:
        grown = "" if before is None else f"{(run.peak - before.peak) / (run.workers - before.workers) / MIB:,.0f}"
        images = f"{run.images_taken / MIB:,.1f} | {run.images_met / MIB:,.1f}"
        lines.append(
            f"| {run.workers} | {run.most_training} | {run.peak / MIB:,.0f} | {grown} | {images} | {run.wall_seconds:.0f} |"
        )
        before = run
    return "\n".join(lines)


def main() -> None:
    """Search with each number of workers, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, help="of CIFAR-10; without it the shipped sample is searched")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--train-images", type=int, default=4000)
    parser.add_argument("--trials", type=int, default=4, help="beside the five free baselines")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--json", type=Path)
    wished = parser.parse_args()
    data = ["sample"] if wished.data_root is None else ["cifar10", "--data-root", str(wished.data_root)]
    wishes = ["--data", *data, "--train-images", str(wished.train_images), "--val-images", str(max(30, wished.train_images // 4))]
    wishes += ["--no-calibration", "--finalists", "0"]
    length = ["--trials", str(wished.trials), "--epochs", str(wished.epochs)]
    with tempfile.TemporaryDirectory(prefix="worker-memory-") as scratch:
        home = Path(scratch)
        search(home, "first", 1, [*wishes, "--trials", "1", "--epochs", "1"])  # it prepares and compiles
        runs = [search(home, f"with-{workers}", workers, [*wishes, *length]) for workers in wished.workers]
    print(f"{os.cpu_count()} cores, {' '.join([*wishes, *length])}\n\n{table(runs)}")
    if wished.json is not None:
        wished.json.write_text(json.dumps([asdict(run) for run in runs], indent=1))


if __name__ == "__main__":
    main()
