"""Reads many fuzzed policy files, in processes whose memory and time are bounded, and says what became of them.

    python tests/fuzz/soak.py --cases 100000 --seed 1

A case is a failure if it is neither accepted nor refused in one line, takes longer than SECONDS_A_CASE, or needs more memory than
MEMORY_BYTES: then its number, its kind and the traceback are printed, its bytes are kept, and the exit code is 1.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).parents[2]
SECONDS_A_CASE = 20
DATA_BYTES = 6 * 2**30
"""What a process may ask for at all, torch and the compiled kernels included."""
MEMORY_BYTES = 256 * 2**20
"""How much more a process may hold while it judges a file than it held before."""


@dataclass
class Tally:
    """What became of some cases."""

    cases: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    accepted_kinds: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest_seconds: float = 0.0
    slowest_kind: str = ""
    memory_bytes: int = 0

    def add(self, other: "Tally") -> None:
        """Count another tally's cases too."""
        self.cases += other.cases
        for mine, theirs in (
            (self.kinds, other.kinds),
            (self.outcomes, other.outcomes),
            (self.accepted_kinds, other.accepted_kinds),
        ):
            mine.update(theirs)
        self.failures += other.failures
        self.memory_bytes = max(self.memory_bytes, other.memory_bytes)
        if other.slowest_seconds > self.slowest_seconds:
            self.slowest_seconds, self.slowest_kind = other.slowest_seconds, other.slowest_kind


class TookTooLong(BaseException):
    """Not an Exception, so that no code under test can swallow it."""


def read_cases(seed: int, numbers: range, folder: Path) -> Tally:
    """Judge these cases in this process, which a signal takes out of a hang."""
    import signal

    from fuzz.mutants import case
    from fuzz.verdicts import judge, warm_up

    def rang(signum: int, frame: FrameType | None) -> None:
        raise TookTooLong(f"longer than {SECONDS_A_CASE} seconds")

    signal.signal(signal.SIGALRM, rang)
    tally = Tally()
    warm_up()
    for number in numbers:
        kind, data = case(seed, number)
        path = folder / "case.json"
        path.write_bytes(data)
        held = _memory_from_now()
        began = time.monotonic()
        signal.alarm(SECONDS_A_CASE)
        try:
            outcome = judge(path)
        except (Exception, TookTooLong):
            outcome = "FAILED"
            kept = folder.parent / f"failed-{seed}-{number}.json"
            kept.write_bytes(data[: 2**21])
            tally.failures.append(f"case {number} of seed {seed}, {kind}, kept in {kept}: {traceback.format_exc()}")
        finally:
            signal.alarm(0)
        seconds = time.monotonic() - began
        grown = _memory("VmHWM") - held
        if grown > MEMORY_BYTES:
            tally.failures.append(f"case {number} of seed {seed}, {kind}: {grown / 2**20:.0f} MiB of memory")
        _count(tally, kind, outcome, seconds, grown)
    return tally


def _count(tally: Tally, kind: str, outcome: str, seconds: float, grown: int) -> None:
    tally.cases += 1
    tally.kinds[kind] += 1
    tally.outcomes[outcome] += 1
    tally.accepted_kinds[kind] += outcome == "accepted"
    tally.memory_bytes = max(tally.memory_bytes, grown)
    if seconds > tally.slowest_seconds:
        tally.slowest_seconds, tally.slowest_kind = seconds, kind


def _memory_from_now() -> int:
    """What this process holds, after Linux was told to forget the most it ever held."""
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(what: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{what}:")[2].split()[0]) * 1024


def soak(seed: int, cases: range, workers: int, chunk: int, folder: Path, tell: bool = False) -> Tally:
    """All these cases, in chunks, each in a process of its own; one that dies is a failure of its chunk."""
    chunks = [cases[start : start + chunk] for start in range(0, len(cases), chunk)]
    total, running, began = Tally(), list[tuple[subprocess.Popen[str], range]](), time.monotonic()
    while chunks or running:
        while chunks and len(running) < workers:
            running.append((_started(seed, chunks[0], folder), chunks.pop(0)))
        process, numbers = running.pop(0)
        tally = _collected(process, seed, numbers)
        total.add(tally)
        if tell:
            spent = time.monotonic() - began
            said = [f"{total.cases} of {len(cases)} cases, {len(total.failures)} failures, {spent:.0f} s", *tally.failures]
            print(*said, sep="\n", file=sys.stderr, flush=True)
            (folder / "so-far.md").write_text(summary(total, seed, spent))
    return total


def _started(seed: int, numbers: range, folder: Path) -> subprocess.Popen[str]:
    own = folder / f"chunk-{numbers.start}"
    own.mkdir(parents=True)
    # One thread: the images are tiny, and the processes are as many as there is room for.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NO_ALBUMENTATIONS_UPDATE": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    command = [sys.executable, str(Path(__file__)), "--seed", str(seed), "--folder", str(own)]
    command += ["--chunk-of", *map(str, (numbers.start, numbers.stop, numbers.step))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def _collected(process: subprocess.Popen[str], seed: int, numbers: range) -> Tally:
    limit = 600 + 2 * len(numbers)
    try:
        out, errors = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        out, errors = process.communicate()
    if process.returncode != 0:
        said = f"cases {numbers.start} to {numbers.stop - 1} of seed {seed}: exit code {process.returncode}: {errors[-2000:]}"
        return Tally(cases=len(numbers), failures=[said])
    tally = Tally()
    for name, value in json.loads(out.splitlines()[-1]).items():
        setattr(tally, name, Counter(value) if isinstance(value, dict) else value)
    return tally


def summary(tally: Tally, seed: int, seconds: float) -> str:
    """The tally for docs/soak.md."""
    lines = ["| kind of file | cases | accepted |", "|---|---|---|"]
    lines += [f"| {kind} | {count:,} | {tally.accepted_kinds[kind]:,} |" for kind, count in sorted(tally.kinds.items())]
    lines += ["", "| outcome | cases |", "|---|---|"]
    lines += [f"| {outcome.strip('; ')} | {count:,} |" for outcome, count in tally.outcomes.most_common()]
    lines += ["", f"{tally.cases:,} cases of seed {seed} in {seconds:.0f} s; {len(tally.failures)} failures;"]
    lines += [f"slowest: {tally.slowest_seconds:.2f} s ({tally.slowest_kind}); most memory: {tally.memory_bytes / 2**20:.0f} MiB"]
    return "\n".join(lines)


def main() -> int:
    """The command line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--cases", type=int, default=100_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    options.add_argument("--chunk", type=int, default=5_000, help="cases a process")
    options.add_argument("--folder", type=Path, default=None, help="where failed cases are kept")
    options.add_argument("--chunk-of", type=int, nargs=3, default=None, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.chunk_of:
        # A bound on what the process may ask for at all; what the kernel counts for each case is finer.
        resource.setrlimit(resource.RLIMIT_DATA, (DATA_BYTES, DATA_BYTES))
        tally = read_cases(given.seed, range(*given.chunk_of), given.folder)
        print(json.dumps(vars(tally)))
        return 0
    folder = given.folder or Path(tempfile.mkdtemp(prefix="policysearch-fuzz-"))
    began = time.monotonic()
    tally = soak(given.seed, range(given.cases), given.workers, given.chunk, folder, tell=True)
    print(summary(tally, given.seed, time.monotonic() - began))
    return 1 if tally.failures or tally.cases != given.cases else 0


if __name__ == "__main__":
    sys.exit(main())
