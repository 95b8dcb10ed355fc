"""What is kept of a search whose driver is killed at random moments: plain Ray Tune with OptunaSearch, and ours.

    python benchmarks/kill_loop_plain.py [--modes memory sqlite local ray] [--experiments 5] [--seed 0]
        [--snapshot-seconds S] [--patience-seconds S] [--json FILE]

An experiment is a search of 24 trials of 0.25 s, two at once: by Ray Tune with OptunaSearch in memory or on SQLite, restored as
Ray's guide says (plain_search.py), or by our local or Ray driver (our_search.py). `kill -9` meets its driver once or twice, each
time at a moment within the time that the trials left should take; `--seed` draws these moments and nothing else. Then it is begun
again until it is through, or stuck: three drivers in a row ended with an error. What happened is taken from a witness that the
trials write themselves, and set against the result grid, or the ledger. Prints a line for each experiment, and a table; half a
minute to two minutes an experiment.
"""

import argparse
import json
import math
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from marked_processes import Marked
from plain_search import optuna_states
from witness import TRIAL_SECONDS, WITNESS, said

SCRIPTS = {"memory": "plain_search.py", "sqlite": "plain_search.py", "local": "our_search.py", "ray": "our_search.py"}
STUCK_AFTER = 3
AT_ONCE = 2
LONGEST_SECONDS = 240.0
PATIENCE_SECONDS = 20.0
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # listens on 127.0.0.1 only
    "OMP_NUM_THREADS": "1",
}


@dataclass
class Experiment:
    """What came of one experiment."""

    mode: str
    seed: int
    trials: int
    kills: int = 0
    drivers: int = 0
    stuck: str = ""
    executions: int = 0
    acknowledged: int = 0
    in_grid: int = 0
    in_vain: int = 0
    missing: int = 0
    twice: int = 0
    unreachable: int = 0
    optuna: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def line(self) -> str:
        """All of it for a person."""
        end = f"stuck: {self.stuck}" if self.stuck else f"finished, {self.in_grid} trials in the grid"
        executions = (
            f"{self.executions} finished, {self.acknowledged} acknowledged, {self.in_vain} in vain,"
            f" {self.missing} missing from the grid, {self.twice} twice, {self.unreachable} without a grid"
        )
        kills = f"{self.kills} kills of {self.drivers} drivers"
        return f"{self.mode} seed {self.seed}: {kills}, {end}; executions: {executions}; {self.optuna}; {self.seconds:.0f} s"


class Loop:
    """One experiment: its directory, its processes, its kills."""

    def __init__(
        self, directory: Path, mode: str, seed: int, trials: int, environment: Mapping[str, str], patience_seconds: float
    ) -> None:
        self._directory, self._found = directory, Experiment(mode, seed, trials)
        self._patience_seconds = patience_seconds
        self._environment = {**ENVIRONMENT, **environment}
        self._generator = np.random.default_rng(seed)
        self._processes = Marked()
        self._kills_wanted = int(self._generator.integers(1, 3))
        self._ray = Path(tempfile.mkdtemp(prefix="ray-"))  # of its own and short: it holds sockets

    def run(self) -> Experiment:
        """Until it is through, or stuck."""
        began, errors = time.monotonic(), 0
        try:
            while not self._outcome.exists() and errors < STUCK_AFTER:
                errors = 0 if self._drive() else errors + 1
        finally:
            self._processes.wait_until_gone(0)
            shutil.rmtree(self._ray, ignore_errors=True)
        self._found.seconds = time.monotonic() - began
        self._judge()
        return self._found

    @property
    def _outcome(self) -> Path:
        return self._directory / "outcome.json"

    def _drive(self) -> bool:
        """Start a driver and wait for its end, or kill it; False when it ended with an error of its own."""
        command = [sys.executable, str(Path(__file__).parent / SCRIPTS[self._found.mode]), str(self._directory)]
        command += ["--mode", self._found.mode, "--trials", str(self._found.trials)]
        environment = {**self._environment, WITNESS: str(self._witness), "BENCHMARK_RAY": str(self._ray)}
        before = len(self._said("started"))
        driver = self._processes.start(command, self._directory / "log.txt", environment)
        self._found.drivers += 1
        kill_at, give_up_at = math.inf, time.monotonic() + LONGEST_SECONDS
        while driver.poll() is None and time.monotonic() < min(kill_at, give_up_at):
            time.sleep(0.01)
            to_kill = kill_at == math.inf and self._found.kills < self._kills_wanted
            if to_kill and len(self._said("started")) > before:
                kill_at = time.monotonic() + self._generator.uniform(0, self._seconds_left(before))
        ended_itself = driver.poll() is not None
        driver.kill()
        delivered = driver.wait() == -signal.SIGKILL and kill_at < give_up_at
        self._found.kills += delivered
        self._processes.wait_until_gone(self._patience_seconds)
        return delivered or (ended_itself and driver.returncode == 0)

    def _seconds_left(self, started: int) -> float:
        return max(2, self._found.trials - started) / AT_ONCE * TRIAL_SECONDS

    @property
    def _witness(self) -> Path:
        return self._directory / "witness.jsonl"

    def _said(self, word: str) -> list[str]:
        return said(self._witness.read_text() if self._witness.exists() else "", word)

    def _judge(self) -> None:
        found = self._found
        if found.mode == "sqlite":
            found.optuna = dict(optuna_states(self._directory))
        if self._outcome.exists():
            judge(found, self._witness.read_text(), json.loads(self._outcome.read_text())["grid"])
            return
        error = self._directory / "error.txt"
        found.stuck = error.read_text() if error.exists() else f"no end within {LONGEST_SECONDS:.0f} s"
        judge(found, self._witness.read_text(), None)


def judge(found: Experiment, witness: str, grid: Sequence[str] | None) -> None:
    """Set the witness against the keys of the grid, of which a stuck experiment has none."""
    finished = said(witness, "finished")
    found.executions, found.acknowledged = len(finished), len(said(witness, "acknowledged"))
    found.twice = sum(times - 1 for times in Counter(finished).values())
    if grid is None:
        found.unreachable = len(finished)
        return
    found.in_grid, found.in_vain = len(grid), len(finished) - len(grid)
    found.missing = sum(key not in set(grid) for key in finished)


def table(found: Sequence[Experiment]) -> str:
    """The sums of each mode, side by side."""
    modes = list(dict.fromkeys(experiment.mode for experiment in found))
    rows = [("", modes)]
    each = {mode: [experiment for experiment in found if experiment.mode == mode] for mode in modes}

    def sums(name: str) -> list[str]:
        return [str(sum(getattr(experiment, name) for experiment in each[mode])) for mode in modes]

    rows.append(("experiments", [str(len(each[mode])) for mode in modes]))
    rows.append(("drivers killed", sums("kills")))
    rows.append(("finished", [str(sum(not one.stuck for one in each[mode])) for mode in modes]))
    rows.append(("stuck for ever", [str(sum(bool(one.stuck) for one in each[mode])) for mode in modes]))
    rows.append(("executions that finished", sums("executions")))
    rows.append(("acknowledged", sums("acknowledged")))
    rows.append(("finished in vain: forgotten, then repeated or replaced", sums("in_vain")))
    rows.append(("finished, and missing from the result grid", sums("missing")))
    rows.append(("run twice", sums("twice")))
    rows.append(("finished, in an experiment that is stuck", sums("unreachable")))
    rows.append(("Optuna trials RUNNING for ever", [_running(each[mode]) for mode in modes]))
    lines = [f"| {name} | {' | '.join(cells)} |" for name, cells in rows]
    return "\n".join([lines[0], f"|---{'|---' * len(modes)}|", *lines[1:]])


def _running(found: Sequence[Experiment]) -> str:
    if any(not experiment.optuna for experiment in found):
        return "no such table"
    return str(sum(experiment.optuna.get("RUNNING", 0) for experiment in found))


def circumstances() -> dict[str, Any]:
    """Where and with what this was measured."""
    versions = {name: version(name) for name in ("ray", "optuna", "sqlalchemy")}
    machine = {"cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 1), "python": platform.python_version()}
    return {**versions, **machine, "date": time.strftime("%Y-%m-%d")}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the experiments, say what came of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modes", choices=SCRIPTS, nargs="+", default=list(SCRIPTS))
    parser.add_argument("--experiments", type=int, default=5, help="of each mode")
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--snapshot-seconds", type=float, help="how often Tune saves its state; its own default is 10 or more")
    parser.add_argument(
        "--patience-seconds",
        type=float,
        default=PATIENCE_SECONDS,
        help="what a killed driver leaves may take to end by itself",
    )
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    more = {"TUNE_GLOBAL_CHECKPOINT_S": str(options.snapshot_seconds)} if options.snapshot_seconds else {}
    where, found = circumstances(), list[Experiment]()
    print(", ".join(f"{name} {value}" for name, value in where.items()), flush=True)
    for seed in range(options.seed, options.seed + options.experiments):
        for mode in options.modes:
            with tempfile.TemporaryDirectory(prefix="kill-loop-") as directory:
                found.append(Loop(Path(directory), mode, seed, options.trials, more, options.patience_seconds).run())
            print(found[-1].line, flush=True)
    print(f"\n{table(found)}")
    if options.json:
        options.json.write_text(json.dumps({"where": where, "experiments": list(map(asdict, found))}, indent=1))


if __name__ == "__main__":
    main()
