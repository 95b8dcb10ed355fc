"""Where the processor time of one trial goes, as a worker runs it: claim, training, result in the ledger.

    python benchmarks/trial_profile.py --data-root DIR [--epochs 20] [--repeats 3] [--plain-memory]

RandAugment(2, 9) on 4,000 CIFAR-10 images, 2,000 to validate, on one thread, kernels compiled before. Each repeat trains once
under Python's own profiler, by processor time: what is called some hundred times an epoch is hardly slowed. Medians over the
repeats, in seconds and as shares of the whole. "Bookkeeping" is the ledger: opening it, claiming the trial, renewing the claim,
noting epochs, committing the result. The driver's share, which runs beside, is in overhead.py.
"""

import argparse
import cProfile
import os
import pstats
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

from policysearch.drivers import Task
from policysearch.drivers.execution import execute
from policysearch.drivers.worker_environment import memory_keeping
from policysearch.home import Home
from policysearch.ledger import Ledger
from searchspaces.families.fixed import baselines
from searchspaces.policy import Base, PadCrop
from searchspaces.policy_json import digest
from trials.data import Prepared, Source, prepare
from trials.recipes import default_recipe
from trials.values import DataRef, TrialSpec

LEDGER = "policysearch/ledger/"
LABEL = "randaugment(2,9)"


def profiled(prepared: Prepared, home: Path, epochs: int, number: int) -> dict[str, float]:
    """Processor seconds of each part of one trial."""
    policy = baselines(prepared.channels, Base(PadCrop(0.125), hflip=0.5))[LABEL]
    data = DataRef(str(prepared.directory), prepared.fingerprint)
    spec = TrialSpec(f"profile{number}", policy, default_recipe("cpu"), data, number, epochs).to_dict()
    ledger = Ledger.open(Home(home).ledger_url)
    study = ledger.create_study(f"profile-{number}", {"made": number})
    ledger.add_trial(study.uid, 0, "baseline", LABEL, {}, digest(policy), LABEL, spec)
    task = Task(spec, Home(home).ledger_url, str(home / f"{number}.pt"))
    profiler = cProfile.Profile(time.process_time)
    result = profiler.runcall(execute, task, lambda epoch: None)
    if result.score is None:
        raise SystemExit(result.error)
    return shares(pstats.Stats(profiler))


def shares(stats: pstats.Stats) -> dict[str, float]:
    """Seconds by part, and the rest."""
    rows = stats.stats  # type: ignore[attr-defined]  # (file, line, function): calls, primitive calls, own, cumulative, callers
    whole = max(cumulative for _, _, _, cumulative, _ in rows.values())
    scoring = _cumulative(rows, lambda file, name: file.endswith("trials/evaluate.py") and name == "score")
    found = {
        "augmentation and normalisation": _cumulative(
            rows, lambda file, name: file.endswith("pixels.py") and name == "augmented", "train.py"
        ),
        "drawing it": _cumulative(rows, lambda file, name: file.endswith("searchspaces/draw.py") and name == "draw"),
        "forward pass": _cumulative(rows, lambda file, name: name == "_wrapped_call_impl", "train.py"),
        "backward pass": _cumulative(rows, lambda file, name: file.endswith("autograd/__init__.py") and name == "backward"),
        "optimiser": _cumulative(rows, lambda file, name: name == "wrapper" and file.endswith("optimizer.py"), "train.py"),
        "scoring": scoring,
        "bookkeeping": _cumulative(rows, lambda file, name: LEDGER in file, "execution.py"),
    }
    return found | {"all else": whole - sum(found.values()), "whole": whole}


def _cumulative(rows: dict[tuple[str, int, str], tuple], matches: Callable[[str, str], bool], called_from: str = "") -> float:  # type: ignore[type-arg]
    """Time in all functions that match, with what they call; of calls from one file alone, if it is given."""
    total = 0.0
    for (file, _, name), (_, _, _, cumulative, callers) in rows.items():
        if matches(file, name):
            own = [found[3] for (caller, _, _), found in callers.items() if caller.endswith(called_from)]
            total += sum(own) if called_from else cumulative
    return total


def main() -> None:
    """Profile, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", default=os.environ.get("POLICYSEARCH_DATA_ROOT"))
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--plain-memory", action="store_true", help="without what workers are told of memory")
    wishes = parser.parse_args()
    if not wishes.plain_memory and memory_keeping(os.environ).keys() - {"GLIBC_TUNABLES"}:  # read when a process starts
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | memory_keeping(os.environ))
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        prepared = prepare(Source("cifar10", wishes.data_root, train_images=4000, val_images=2000), home)
        profiled(prepared, home, 1, 1000)  # compiles, and warms what is warmed once
        runs = [profiled(prepared, home, wishes.epochs, number) for number in range(wishes.repeats)]
    medians = {part: median(run[part] for run in runs) for part in runs[0]}
    print("| part | processor seconds | share |\n|---|---|---|")
    for part, seconds in medians.items():
        print(f"| {part} | {seconds:.2f} | {100 * seconds / medians['whole']:.1f} % |")


if __name__ == "__main__":
    main()
