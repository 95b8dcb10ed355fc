"""Kills drivers and workers of pretended studies until enough kills are delivered, and says what was lost.

    python tests/faults/soak.py --kills 1000 --seed 1

Every study goes through one programme of faults and is then searched until it is done, without a human; all that
docs/reliability.md states is recomputed from the tables and from independent witnesses. A study that breaks a statement is kept,
its seed is printed, and the exit code is 1.
"""

import argparse
import math
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

if __name__ == "__main__":  # as a script, it must find what lies beside it
    sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]
    os.environ["PYTHONPATH"] = os.pathsep.join([*sys.path[:2], os.environ.get("PYTHONPATH", "")])

from faults.checking import Books, check
from faults.pretended import Wishes
from faults.programmes import PROGRAMMES, kills
from faults.scenes import Scene, prepare_drivers

# What a kill costs is mostly the starting of processes, so the programmes that kill many of them get the longer studies.
LONG = ("kill workers", *(name for name in PROGRAMMES if name.startswith("kill at")))
TELL_SECONDS = 30.0


@dataclass
class Tally:
    """What came of the studies so far."""

    faults: Counter[str] = field(default_factory=Counter)
    programmes: Counter[str] = field(default_factory=Counter)
    studies: int = 0
    recovered: int = 0
    trials: int = 0
    executions: int = 0
    acknowledged: int = 0
    lost: int = 0
    counted_twice: int = 0
    repeated: int = 0
    spared: int = 0
    late: int = 0
    failed: int = 0
    recovery_seconds: list[float] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def add(self, scene: Scene, books: Books) -> None:
        """Count a study that keeps all statements."""
        self.recovered += 1
        self.trials += len(books.trials)
        self.executions += sum(books.begun.values())
        self.acknowledged += len(books.acknowledged)
        self.lost += books.lost
        self.counted_twice += books.counted_twice
        self.repeated += books.repeated
        self.spared += scene.spared
        self.late += books.late
        self.failed += sum(trial.result is not None and trial.result.score is None for trial in books.trials)
        self.recovery_seconds += scene.recovery_seconds


def play(number: int, seed: int, root: Path) -> tuple[str, Scene, Books | None, str]:
    """One study, number `number` of the soak: programme, scene, books, and what is broken."""
    names = list(PROGRAMMES)
    name = names[number % len(names)]
    scene = Scene(Wishes(str(root), trials=30 if name in LONG else 10, seconds=0.04, seed=number))
    try:
        PROGRAMMES[name](scene, np.random.default_rng([seed, number]))
        return name, scene, check(scene), ""
    except Exception as error:  # whatever a test of survival raises, the others go on
        return name, scene, None, f"study {number} of seed {seed}, {name}: {type(error).__name__}: {error}"


def soak(wanted_kills: int, seed: int, folder: Path, at_once: int, minutes: float = math.inf, tell: bool = False) -> Tally:
    """Play studies until so many kills are delivered, or begin no more after so many minutes."""
    tally, said_at = Tally(), time.monotonic()
    give_up_at = said_at + 60 * minutes
    numbers: Iterator[int] = iter(range(10**9))
    with ThreadPoolExecutor(at_once) as threads:
        running: set[Future[tuple[str, Scene, Books | None, str]]] = set()
        while running or (kills(tally.faults) < wanted_kills and time.monotonic() < give_up_at):
            while len(running) < at_once and kills(tally.faults) < wanted_kills and time.monotonic() < give_up_at:
                number = next(numbers)
                running.add(threads.submit(play, number, seed, folder / f"study-{number}"))
            over, running = wait(running, return_when=FIRST_COMPLETED)
            for future in over:
                _count(tally, *future.result())
            if tell and time.monotonic() > said_at + TELL_SECONDS:
                said_at = time.monotonic()
                print(
                    f"{kills(tally.faults)} kills, {tally.studies} studies, {len(tally.broken)} broken",
                    file=sys.stderr,
                    flush=True,
                )
    return tally


def _count(tally: Tally, name: str, scene: Scene, books: Books | None, broken: str) -> None:
    tally.studies += 1
    tally.programmes[name] += 1
    tally.faults += scene.faults
    if books is None:
        tally.broken.append(broken)
        print(broken, file=sys.stderr, flush=True)
        return
    tally.add(scene, books)
    shutil.rmtree(scene.root, ignore_errors=True)


def bound(events: int, of: int) -> str:
    """The upper bound, at 95 %, of a rate of which no event was seen in so many."""
    return f"at most {100 * 3 / of:.2g} % (3/{of:,})" if not events and of else "-"


def summary(tally: Tally, seed: int, seconds: float) -> str:
    """The tally for docs/reliability.md."""
    delivered, unrecovered = kills(tally.faults), tally.studies - tally.recovered
    recovery = sorted(tally.recovery_seconds) or [0.0]
    p50, p95 = (recovery[min(len(recovery) - 1, int(share * len(recovery)))] for share in (0.5, 0.95))
    repeated = f"{tally.repeated:,} of {tally.executions:,} ({100 * tally.repeated / max(1, tally.executions):.1f} %)"
    rows = [
        ("kills delivered", f"{delivered:,}", ""),
        ("studies not recovered", f"{unrecovered} of {tally.studies:,}", bound(unrecovered, tally.studies)),
        ("acknowledged results lost", f"{tally.lost} of {tally.acknowledged:,}", bound(tally.lost, tally.acknowledged)),
        ("the same, a kill", f"{tally.lost} in {delivered:,}", bound(tally.lost, delivered)),
        ("results counted twice", f"{tally.counted_twice} of {tally.trials:,}", bound(tally.counted_twice, tally.trials)),
        ("executions repeated", f"{repeated}; {tally.spared:,} may have been under way at a fault", ""),
        ("trials failed, two workers lost", f"{tally.failed:,}", ""),
        ("late results kept", f"{tally.late:,}", ""),
        ("new search to its first new trial", f"p50 {p50:.1f} s, p95 {p95:.1f} s, longest {recovery[-1]:.1f} s", ""),
    ]
    lines = ["| fault | delivered |", "|---|---|"]
    lines += [f"| {fault} | {count:,} |" for fault, count in sorted(tally.faults.items())]
    lines += ["", "| figure | value | upper bound of the rate, 95 % |", "|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    lines += ["", f"Seed {seed}, {seconds:.0f} s; {len(tally.broken)} broken."]
    return "\n".join(lines)


def main() -> int:
    """The command line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kills", type=int, default=1_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--minutes", type=float, default=math.inf, help="begin no study after so many")
    options.add_argument("--at-once", type=int, default=os.cpu_count() or 2, help="studies at once")
    options.add_argument("--folder", type=Path, default=None, help="where studies that break a statement are kept")
    given = options.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="policysearch-faults-"))
    prepare_drivers()
    began = time.monotonic()
    tally = soak(given.kills, given.seed, folder, given.at_once, given.minutes, tell=True)
    print(summary(tally, given.seed, time.monotonic() - began))
    return 1 if tally.broken else 0


if __name__ == "__main__":
    sys.exit(main())
