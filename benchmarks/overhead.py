"""What a trial costs beyond itself, and how long a search takes to begin: plain Optuna, plain Ray Tune and both our drivers.

    python benchmarks/overhead.py [--seconds 0.1] [--trials 60] [--repeats 3] [--only NAME ...] [--json FILE]

Each contender searches the same space at random with the same trial, which does nothing for `--seconds`
(overhead_contenders.py), one trial at a time and, where there are workers, two at once; all of them in turn, `--repeats`
times. The gap is from the last moment of a trial to the first moment of the next in the same worker: the result is recorded
and reported in it, the next task chosen and handed over. The first gaps of a worker are left out, but for the mean.
Processor time is a trial's share of what all processes of the search use between the first trials and the last. Start is
from the beginning of the process to the first moment of the first trial. Medians over the repeats; ratios are to plain Ray
Tune with as many workers, which met the same moods of the machine.
"""

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from marked_processes import Marked
from overhead_contenders import CONTENDERS, SECONDS, STAMPS

SETTLED_AFTER = 3  # gaps of a worker
LOOK_SECONDS = 0.4
LONGEST_SECONDS = 600.0
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # listens on 127.0.0.1 only
    "OMP_NUM_THREADS": "1",
}
NAMES = {
    "optuna-memory": "Optuna, ask and tell in memory",
    "optuna-sqlite": "Optuna, optimize in SQLite",
    "ray-tune": "Ray Tune, reused actors",
    "ray-tune-quiet": "Ray Tune, without its loggers",
    "local": "**policysearch, local driver**",
    "ray": "**policysearch, Ray driver**",
}
WORKERS = {name: (1,) if name.startswith("optuna") else (1, 2) for name in NAMES}
YARDSTICK = "ray-tune"


@dataclass(frozen=True)
class Run:
    """One search: seconds to its first trial, the settled gaps; a trial's wall beyond its own time, and its processor time."""

    name: str
    workers: int
    trials: int
    start_seconds: float
    gap_seconds: tuple[float, ...]
    wall_seconds: float
    processor_seconds: float
    load: float


def search(name: str, workers: int, trials: int, seconds: float) -> Run:
    """Run one contender in a process of its own."""
    processes, load = Marked(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="overhead-") as scratch:
        directory = Path(scratch)
        environment = {**ENVIRONMENT, STAMPS: str(directory / "stamps"), SECONDS: str(seconds)}
        script = Path(__file__).parent / "overhead_contenders.py"
        command = [sys.executable, str(script), name, str(directory), "--workers", str(workers), "--trials", str(trials)]
        began = time.monotonic()
        process = processes.start(command, directory / "log", environment)
        try:
            used = _watched(process, processes, directory / "stamps", trials)
            code = process.wait(10)
        finally:
            processes.wait_until_gone(20)
        if code != 0:
            raise RuntimeError(f"{name} ended with exit code {code}:\n{(directory / 'log').read_text()[-3000:]}")
        lines = (directory / "stamps").read_text().splitlines()
    return _measured(name, workers, lines, began, load, used)


def _watched(process: "subprocess.Popen[bytes]", processes: Marked, stamps: Path, trials: int) -> float:
    """Wait for the end; the processor seconds a trial of all its processes, between the first trials and the last."""
    found, give_up_at = list[tuple[int, float]](), time.monotonic() + LONGEST_SECONDS
    while process.poll() is None and time.monotonic() < give_up_at:
        time.sleep(LOOK_SECONDS)
        count = len(stamps.read_bytes().splitlines()) if stamps.exists() else 0
        if SETTLED_AFTER < count < trials:
            found.append((count, processes.processor_seconds()))
    (first, before), (last, after) = (found[0], found[-1]) if found else ((0, 0.0), (0, 0.0))
    return (after - before) / (last - first) if last > first else math.nan


def _measured(name: str, workers: int, lines: Sequence[str], began: float, load: float, used: float) -> Run:
    spans: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for line in lines:
        process, first, last = line.split()
        spans[process].append((float(first), float(last)))
    each = [sorted(found) for found in spans.values()]
    gaps = [after[0] - before[1] for found in each for before, after in list(pairwise(found))[SETTLED_AFTER:]]
    begun = min(found[0][0] for found in each)
    wall = sum(found[-1][1] - found[0][0] - sum(last - first for first, last in found) for found in each) / len(lines)
    return Run(name, workers, len(lines), begun - began, tuple(gaps), wall, used, load)


def table(runs: Sequence[Run]) -> str:
    """Medians over the repeats, and ratios to the yardstick with as many workers."""
    lines = [
        "| | workers | gap, median ms | ratio to Ray Tune | 95th percentile | mean of all | processor, ms | start, s |",
        f"|{'---|' * 8}",
    ]
    grouped: dict[tuple[str, int], list[Run]] = defaultdict(list)
    for run in runs:
        grouped[run.name, run.workers].append(run)
    for (name, workers), found in grouped.items():
        gap, high = _median_gap(found), median(quantiles(run.gap_seconds, n=20)[-1] for run in found)
        yardstick = grouped.get((YARDSTICK, workers))
        ratio = f"{gap / _median_gap(yardstick):.2f}" if yardstick else "-"
        wall, start = median(run.wall_seconds for run in found), median(run.start_seconds for run in found)
        known = [run.processor_seconds for run in found if not math.isnan(run.processor_seconds)]
        used = f"{1e3 * median(known):.0f}" if known else "-"
        times = f"{1e3 * gap:.1f} | {ratio} | {1e3 * high:.1f} | {1e3 * wall:.1f}"
        lines.append(f"| {NAMES[name]} | {workers} | {times} | {used} | {start:.1f} |")
    return "\n".join(lines)


def _median_gap(runs: Sequence[Run]) -> float:
    return median(median(run.gap_seconds) for run in runs)


def circumstances() -> dict[str, Any]:
    """Where and with what this was measured."""
    versions = {name: version(name) for name in ("policysearch", "ray", "optuna", "sqlalchemy")}
    machine = {"cores": os.cpu_count(), "load before": round(os.getloadavg()[0], 1), "python": platform.python_version()}
    return {**versions, **machine, "date": time.strftime("%Y-%m-%d")}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.1)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, default=list(NAMES))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    where, runs = circumstances(), list[Run]()
    print(", ".join(f"{name} {value}" for name, value in where.items()), flush=True)
    for _ in range(options.repeats):
        for name in options.only:
            for workers in WORKERS[name]:
                runs.append(search(name, workers, options.trials, options.seconds))
                print(f"{name} with {workers}: {1e3 * median(runs[-1].gap_seconds):.1f} ms", file=sys.stderr, flush=True)
    print(f"load after {os.getloadavg()[0]:.1f}; trials of {options.seconds} s, {options.trials} a search")
    print(f"\n{table(runs)}")
    if options.json:
        options.json.write_text(
            json.dumps({"where": where, "seconds": options.seconds, "runs": list(map(asdict, runs))}, indent=1)
        )


if __name__ == "__main__":
    main()
