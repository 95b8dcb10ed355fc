"""What a large study costs: taking it up again, a suggestion, and `policysearch status`, with up to 10,000 finished trials.

    python benchmarks/suggest_speed.py [--sizes 100 1000 10000] [--samplers tpe random] [--space photometric]
        [--suggestions 40] [--json FILE]

The ledger (SQLite, big_ledger.py) is made first. Then a process of its own takes the study up as a search does, asks for
task after task and finishes each at once with a made-up result. Resume is from opening the ledger to the campaign that knows
every trial; the first suggestion may build what later ones use, and is given apart. A suggestion is the sampler's part; a
step is all that a driver waits for between two trials: suggestion, decoding, recording. Status is the command as a person
calls it, interpreter and imports included; beside it the same command in a home without a ledger.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
from big_ledger import EPOCHS, NAME, error_at, imagined, setting_of, write_big_ledger
from overhead import circumstances

from policysearch.campaign import Campaign
from policysearch.drivers import Event, Task
from policysearch.home import Home
from policysearch.kept_weights import KeptWeights
from policysearch.ledger import Ledger
from policysearch.samplers import make_sampler

STATUS_REPEATS = 3


class Timed:
    """A sampler whose suggestions are timed."""

    def __init__(self, sampler: Any) -> None:
        self._sampler, self.seconds = sampler, list[float]()

    def suggest(self, *told: Any) -> Any:
        """As the sampler's own."""
        began = time.perf_counter()
        try:
            return self._sampler.suggest(*told)
        finally:
            self.seconds.append(time.perf_counter() - began)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sampler, name)


def go_on(root: Path, space: str, sampler: str, suggestions: int) -> dict[str, Any]:
    """Take the study up in this process, and run so many trials that are over at once."""
    home, generator = Home(root), np.random.default_rng(0)
    setting = setting_of(space, home)
    timed = Timed(make_sampler(sampler, setting.space, setting.seed))
    weights = KeptWeights(home.study_directory(NAME) / "weights")
    heard: list[Event] = []
    began = time.perf_counter()
    ledger = Ledger(home.ledger_url)
    record = ledger.study(NAME)
    assert record is not None
    wanted = 10**6
    campaign: Any = Campaign(ledger, record, setting, timed, weights, wanted, heard.append)
    campaign.tell_finished()
    resume = time.perf_counter() - began
    steps = []
    for _ in range(suggestions):
        began = time.perf_counter()
        task = campaign.next_task()
        steps.append(time.perf_counter() - began)
        assert isinstance(task, Task)
        campaign.started(task.trial_uid)
        ledger.start_attempt(task.trial_uid)
        ledger.commit_result(
            imagined(task.trial_uid, error_at(setting.space, dict(ledger.trial(task.trial_uid).params)), generator)
        )
        campaign.finished(task.trial_uid)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"resume": resume, "suggestions": timed.seconds, "steps": steps, "heard": len(heard), "rss_mb": used}


def status_seconds(root: Path) -> float:
    """The command's wall time, median of a few."""
    seconds = []
    for _ in range(STATUS_REPEATS):
        began = time.perf_counter()
        command = [sys.executable, "-m", "policysearch", "status", "--home", str(root)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - began)
    return median(seconds)


def measured(root: Path, options: argparse.Namespace, size: int, sampler: str) -> dict[str, Any]:
    """`go_on` in a process of its own, for its memory."""
    command = [sys.executable, __file__, "--go-on", str(root), "--samplers", sampler]
    command += ["--space", options.space, "--suggestions", str(options.suggestions)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return {"trials": size, "sampler": sampler, **found}


def row(found: dict[str, Any]) -> str:
    """One line of the table."""
    first, *later = found["suggestions"]
    numbers = [found["resume"], first, median(later), quantiles(later, n=20)[-1], quantiles(found["steps"][1:], n=20)[-1]]
    cells = [f"{found['trials']:,}", found["sampler"], *(f"{number:.3f}" for number in numbers), f"{found['rss_mb']:.0f}"]
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10000])
    parser.add_argument("--samplers", nargs="+", default=["tpe", "random"])
    parser.add_argument("--space", default="photometric")
    parser.add_argument("--suggestions", type=int, default=40)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--go-on", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.go_on:
        print(json.dumps(go_on(options.go_on, options.space, options.samplers[0], options.suggestions)))
        return
    where, found, status = circumstances(), list[dict[str, Any]](), dict[int, float]()
    print(", ".join(f"{name} {value}" for name, value in where.items()), flush=True)
    print(f"space {options.space}, {EPOCHS} epochs a trial; seconds\n")
    print(
        "| finished trials | sampler | resume | first suggestion | median of the next | 95th percentile | step, 95th | RSS, MB |"
    )
    print(f"|{'---|' * 8}")
    for size in options.sizes:
        with tempfile.TemporaryDirectory(prefix="suggest-") as directory:
            write_big_ledger(Path(directory), options.space, size)
            status[size] = status_seconds(Path(directory))
            for sampler in options.samplers:
                found.append(measured(Path(directory), options, size, sampler))
                print(row(found[-1]), flush=True)
    with tempfile.TemporaryDirectory(prefix="suggest-") as directory:
        nothing = status_seconds(Path(directory))
    listed = ", ".join(f"{seconds:.2f} with {size:,} trials" for size, seconds in status.items())
    print(f"\npolicysearch status: {listed}, {nothing:.2f} without a ledger; load after {os.getloadavg()[0]:.1f}")
    if options.json:
        facts = {"where": where, "space": options.space, "status": status, "status_without": nothing, "found": found}
        options.json.write_text(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
