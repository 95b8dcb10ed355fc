"""What a large study costs: taking it up again, a suggestion, and `policysearch status`, with up to 10,000 finished trials.

    python benchmarks/suggest_speed.py [--sizes 100 1000 10000] [--samplers tpe random] [--space photometric]
        [--suggestions 40] [--json FILE]

The ledger (SQLite, big_ledger.py) is made first. One process repeats the search for one more trial: until that starts, and from
its end until the search is over. Others take the study up as a search does, ask for task after task and finish each at once with
a made-up result. Resume is from opening the ledger to the campaign that knows every trial; the first suggestion may build what
later ones use, and is given apart. A suggestion is the sampler's part; a step is all that a driver waits for between two trials:
suggestion, decoding, recording. Status is the command as a person calls it, interpreter and imports included; beside it the same
command in a home without a ledger. All times are given by the clock and, in brackets, in processor time, which a busy machine
changes less.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any, TypeAlias

import numpy as np
from big_ledger import EPOCHS, NAME, error_at, imagined, study_of, write_big_ledger
from overhead import circumstances

from policysearch.campaign import Campaign
from policysearch.drivers import Event, Task
from policysearch.home import Home
from policysearch.kept_weights import KeptWeights
from policysearch.ledger import Ledger
from policysearch.samplers import make_sampler
from policysearch.wished import wished

Seconds: TypeAlias = tuple[float, float]

STATUS_REPEATS = 3
WHOLE = "search"


def moment() -> Seconds:
    """Now, by the clock and in processor time of this process."""
    return time.perf_counter(), time.process_time()


def since(began: Seconds) -> Seconds:
    """How long ago that moment was."""
    return time.perf_counter() - began[0], time.process_time() - began[1]


class Timed:
    """A sampler whose suggestions are timed."""

    def __init__(self, sampler: Any) -> None:
        self._sampler, self.seconds = sampler, list[Seconds]()

    def suggest(self, *told: Any) -> Any:
        """As the sampler's own."""
        began = moment()
        try:
            return self._sampler.suggest(*told)
        finally:
            self.seconds.append(since(began))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sampler, name)


def whole_search(root: Path, space: str, trials: int) -> dict[str, Any]:
    """`Study.run` for one more trial: until it starts, and from its end until the search is over."""
    began, heard = moment(), dict[str, Seconds]()

    def listener(event: Event) -> None:
        if event.kind in ("started", "finished"):
            heard[event.kind] = since(began)

    study_of(root, space).run(trials=trials + 1, listener=listener)
    over = since(began)
    return {"begin": heard["started"], "end": (over[0] - heard["finished"][0], over[1] - heard["finished"][1])}


def go_on(root: Path, space: str, sampler: str, suggestions: int) -> dict[str, Any]:
    """Take the study up in this process, and run so many trials that are over at once."""
    home, generator, heard = Home(root), np.random.default_rng(0), list[Event]()
    began = moment()
    ledger = Ledger(home.ledger_url)
    wish = wished(study_of(root, space), None, ledger, {})
    assert wish.known is not None
    timed = Timed(make_sampler(sampler, wish.setting.space, wish.setting.seed, wish.setting.recipe))
    weights = KeptWeights(home.study_directory(NAME) / "weights")
    campaign = Campaign(ledger, wish.known, wish.setting, timed, weights, 10**6, heard.append)
    campaign.tell_finished()
    resume, steps = since(began), list[Seconds]()
    for _ in range(suggestions):
        began = moment()
        task = campaign.next_task()
        steps.append(since(began))
        assert isinstance(task, Task)
        campaign.started(task.trial_uid)
        ledger.start_attempt(task.trial_uid)
        ledger.commit_result(imagined(task.trial_uid, error_at(wish.setting.space, task.spec["params"]), generator))
        campaign.finished(task.trial_uid)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"resume": resume, "suggestions": timed.seconds, "steps": steps, "heard": len(heard), "rss_mb": used}


def status_seconds(root: Path) -> Seconds:
    """The command's time, median of a few."""
    seconds = []
    for _ in range(STATUS_REPEATS):
        began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "policysearch", "status", "--home", str(root)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        seconds.append((time.perf_counter() - began, used))
    return both(seconds, median)


def both(seconds: Sequence[Seconds], of: Callable[[Sequence[float]], float]) -> Seconds:
    """A statistic of the clock's times, and of the processor's."""
    by_clock, by_processor = zip(*seconds, strict=True)
    return of(by_clock), of(by_processor)


def high(seconds: Sequence[float]) -> float:
    """The 95th percentile."""
    return quantiles(seconds, n=20)[-1]


def shown(seconds: Seconds) -> str:
    """For a table."""
    return f"{seconds[0]:.3f} ({seconds[1]:.3f})"


def apart(root: Path, options: argparse.Namespace, part: str, trials: int) -> dict[str, Any]:
    """A part in a process of its own, for its memory."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--part", str(root), part, "--space", options.space]
    command += ["--suggestions", str(options.suggestions), "--sizes", str(trials)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    found: dict[str, Any] = json.loads(done.stdout)
    return {"trials": trials, "part": part, **found}


def part_of(options: argparse.Namespace) -> dict[str, Any]:
    """What the process of a part has found."""
    root, part = Path(options.part[0]), options.part[1]
    if part != WHOLE:
        return go_on(root, options.space, part, options.suggestions)
    (record,) = Ledger(Home(root).ledger_url).studies()
    searched = sum(standing.role == "trial" for standing in Ledger(Home(root).ledger_url).standings(record.uid))
    found = whole_search(root, options.space, searched)
    return {**found, "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def row(found: dict[str, Any]) -> str:
    """One line of the table."""
    first, *later = found["suggestions"]
    times = [found["resume"], first, both(later, median), both(later, high), both(found["steps"][1:], high)]
    cells = [f"{found['trials']:,}", found["part"], *map(shown, times), f"{found['rss_mb']:.0f}"]
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10000])
    parser.add_argument("--samplers", nargs="+", default=["tpe", "random"])
    parser.add_argument("--space", default="photometric")
    parser.add_argument("--suggestions", type=int, default=40)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.part:
        print(json.dumps(part_of(options)))
        return
    where, found, whole = circumstances(), list[dict[str, Any]](), list[str]()
    print(", ".join(f"{name} {value}" for name, value in where.items()), flush=True)
    print(f"space {options.space}, {EPOCHS} epochs a trial; seconds\n")
    print(
        "| finished trials | sampler | resume | first suggestion | median of the next | 95th percentile | step, 95th | RSS, MB |"
    )
    print(f"|{'---|' * 8}")
    for size in options.sizes:
        with tempfile.TemporaryDirectory(prefix="suggest-") as directory:
            root = Path(directory)
            write_big_ledger(root, options.space, size)
            status = status_seconds(root)
            search = apart(root, options, WHOLE, size)
            found.append({**search, "status": status})
            times = f"{shown(search['begin'])} | {shown(search['end'])} | {shown(status)}"
            whole.append(f"| {size:,} | {times} | {search['rss_mb']:.0f} |")
            for sampler in options.samplers:
                found.append(apart(root, options, sampler, size))
                print(row(found[-1]), flush=True)
    with tempfile.TemporaryDirectory(prefix="suggest-") as directory:
        nothing = status_seconds(Path(directory))
    print("\n| finished trials | search, to its next trial | from its last trial to the end | status | RSS of the search, MB |")
    print("\n".join([f"|{'---|' * 5}", *whole]))
    print(f"\npolicysearch status without a ledger: {shown(nothing)}; load after {os.getloadavg()[0]:.1f}")
    if options.json:
        facts = {"where": where, "space": options.space, "status_without": nothing, "found": found}
        options.json.write_text(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
