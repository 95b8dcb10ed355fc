"""How many trials an hour a whole search makes: policysearch, and what one would write today (whole_search_plain.py).

    python benchmarks/whole_search.py --data-root DIR [--searched 6] [--epochs 40] [--repeats 2] [--probe-epochs 3] [--json FILE]
           [--variant 0-reused: the one that an earlier run found the fastest, not probed again]

4,000 CIFAR-10 images to train on, 2,000 to validate, two trials at once on two cores. policysearch searches `--searched`
RandAugment policies and trains its five free baselines; the other has as many trainings in all, each a RandAugment policy. Both
train the same net by the same recipe for as many epochs, validate after each, and are timed from the start of their process to
its end; data are ready for both. What one would write has six variants (0, 1 or 2 DataLoader workers; actors reused or not):
each is probed with four trials of a few epochs, and the one that would be the fastest at full length is the one compared with.
Then both run in turn, `--repeats` times; the ratio is that of the medians. RandAugment(2, 9) is among the trainings of both, and
its errors must be the same within noise. policysearch has a new home each time, so that it compiles its kernels too.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from math import ceil
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
from marked_processes import Marked

from policysearch.home import Home
from policysearch.ledger import Ledger
from trials.data import Prepared, Source, prepare, read_meta

HERE = Path(__file__).parent
BASELINES, AT_ONCE, PROBES = 5, 2, 4
IMAGES = {"train_images": 4000, "val_images": 2000}
VARIANTS = {
    f"{workers}-{'reused' if reused else 'anew'}": (workers, reused) for workers, reused in product((0, 1, 2), (True, False))
}
ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "TOKENIZERS_PARALLELISM": "false"}


@dataclass(frozen=True)
class Run:
    """One search: seconds that its process ran, to its first epoch, an epoch; images that RandAugment(2, 9) got wrong."""

    name: str
    trainings: int
    wall_seconds: float
    start_seconds: float
    epoch_seconds: float
    wrong: int
    total: int

    @property
    def an_hour(self) -> float:
        """Trainings an hour, start and end included."""
        return 3600 * self.trainings / self.wall_seconds


def timed(command: Sequence[str], log: Path) -> tuple[float, float]:
    """When the command began and how long it ran; all that it started is gone when this returns."""
    marked, began, start = Marked(), time.time(), time.monotonic()
    process = marked.start(command, log, ENVIRONMENT)
    if process.wait() != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{log.read_text(errors='replace')[-2000:]}")
    wall = time.monotonic() - start
    marked.wait_until_gone(20)
    return began, wall


def run_plain(arrays: Path, trainings: int, epochs: int, variant: tuple[int, bool]) -> Run:
    """What one would write, in one of its variants."""
    workers, reused = variant
    with tempfile.TemporaryDirectory() as directory:
        words = [sys.executable, str(HERE / "whole_search_plain.py"), str(arrays), directory]
        words += ["--trials", str(trainings), "--epochs", str(epochs), "--loader-workers", str(workers)]
        began, wall = timed([*words, *(["--reuse-actors"] if reused else [])], Path(directory) / "log")
        found = [json.loads(line) for line in (Path(directory) / "trials").read_text().splitlines()]
    if len(found) != trainings:
        raise SystemExit(f"{plain_name(variant)}: {len(found)} of {trainings} trials ended")
    first = next(trial for trial in found if trial["config"] == {"num_ops": 2, "magnitude": 9})
    stamps = [trial["stamps"] for trial in found]
    pace = fmean((own[-1] - own[0]) / epochs for own in stamps)
    start = min(own[0] for own in stamps) - began
    return Run(plain_name(variant), trainings, wall, start, pace, first["wrong"], first["total"])


def plain_name(variant: tuple[int, bool]) -> str:
    """The variant in words."""
    workers, reused = variant
    return f"Ray Tune + OptunaSearch, {workers} loader workers, actors {'reused' if reused else 'anew'}"


def run_ours(root: str, searched: int, epochs: int, home: Path) -> Run:
    """policysearch, as its command line runs it; the data are prepared in `home`, where nothing else is."""
    words = [sys.executable, "-m", "policysearch", "search", "--data", "cifar10", "--data-root", root, "--home", str(home)]
    words += ["--train-images", str(IMAGES["train_images"]), "--val-images", str(IMAGES["val_images"])]
    words += ["--trials", str(searched), "--epochs", str(epochs), "--no-calibration", "--finalists", "0"]
    _, wall = timed(words, home / "log")
    ledger = Ledger(Home(home).ledger_url)
    trials = ledger.trials(ledger.studies()[0].uid)
    results = {trial.label: trial.result for trial in trials if trial.result is not None and trial.result.score is not None}
    if len(trials) != searched + BASELINES or len(results) < len(trials):
        raise SystemExit(f"policysearch: {len(results)} of {searched + BASELINES} trials ended")
    spans = [result.span_seconds["total"] for result in results.values()]
    score = results["randaugment(2,9)"].score
    assert score is not None
    start = wall - sum(spans) / AT_ONCE
    return Run("**policysearch**", len(trials), wall, start, fmean(spans) / epochs, score.wrong, score.total)


def projected_seconds(run: Run, probe_epochs: int, trainings: int, epochs: int) -> float:
    """How long a variant would take at full length, by what its probe took beside its epochs."""
    rounds, whole = ceil(run.trainings / AT_ONCE), ceil(trainings / AT_ONCE)
    beside = run.wall_seconds - rounds * probe_epochs * run.epoch_seconds
    return beside * max(1.0, whole / rounds if "anew" in run.name else 1.0) + whole * epochs * run.epoch_seconds


def fastest(arrays: Path, wishes: argparse.Namespace, trainings: int) -> tuple[int, bool]:
    """The variant that would be done first; each is probed, and its line printed."""
    print("| variant | start s | s an epoch (2 at once) | whole search, projected s |\n|---|---|---|---|", flush=True)
    found = {}
    for variant in VARIANTS.values():
        run = run_plain(arrays, PROBES, wishes.probe_epochs, variant)
        found[variant] = projected_seconds(run, wishes.probe_epochs, trainings, wishes.epochs)
        print(f"| {run.name} | {run.start_seconds:.0f} | {run.epoch_seconds:.2f} | {found[variant]:.0f} |", flush=True)
    return min(found, key=lambda variant: found[variant])


def write_arrays(prepared: Prepared, path: Path) -> None:
    """The same images for the other: train and val, and the mean and deviation of train."""
    meta = read_meta(prepared.directory)
    names = [f"{split}_{what}" for split in ("train", "val") for what in ("images", "labels")]
    arrays: dict[str, Any] = {name: np.load(prepared.directory / f"{name}.npy") for name in names}
    np.savez(path, **arrays, mean=np.array(meta["mean"]), std=np.array(meta["std"]))


def report(runs: Sequence[Run]) -> float:
    """Print both contenders' medians; the ratio of trainings an hour."""
    print("\n| | trainings | wall s | trainings an hour | start s | s an epoch (2 at once) | RandAugment(2, 9): % wrong |")
    print("|---|---|---|---|---|---|---|")
    rates = {}
    for name in dict.fromkeys(run.name for run in runs):
        own = [run for run in runs if run.name == name]
        rates[name] = median(run.an_hour for run in own)
        wall, start, pace = (
            median(getattr(run, what) for run in own) for what in ("wall_seconds", "start_seconds", "epoch_seconds")
        )
        errors = ", ".join(f"{100 * run.wrong / run.total:.1f}" for run in own)
        print(f"| {name} | {own[0].trainings} | {wall:.0f} | {rates[name]:.1f} | {start:.0f} | {pace:.2f} | {errors} |")
    ours = rates.pop("**policysearch**")
    return ours / max(rates.values())


def main() -> None:
    """Probe, run both in turn, print the tables and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data-root", default=os.environ.get("POLICYSEARCH_DATA_ROOT"), required="POLICYSEARCH_DATA_ROOT" not in os.environ
    )
    parser.add_argument("--searched", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--probe-epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--variant", choices=VARIANTS)
    parser.add_argument("--json", type=Path)
    wishes = parser.parse_args()
    trainings, runs = wishes.searched + BASELINES, list[Run]()
    with tempfile.TemporaryDirectory() as folder:
        source = Source("cifar10", wishes.data_root, **IMAGES)  # type: ignore[arg-type]
        arrays = Path(folder) / "arrays.npz"
        write_arrays(prepare(source, Path(folder) / "kept"), arrays)
        variant = VARIANTS[wishes.variant] if wishes.variant else fastest(arrays, wishes, trainings)
        for _ in range(wishes.repeats):
            with tempfile.TemporaryDirectory() as home:
                prepare(source, Path(home))
                runs.append(run_ours(wishes.data_root, wishes.searched, wishes.epochs, Path(home)))
            runs.append(run_plain(arrays, trainings, wishes.epochs, variant))
    ratio = report(runs)
    print(f"\ntrainings an hour, policysearch to the fastest variant: {ratio:.2f}")
    if wishes.json is not None:
        wishes.json.write_text(json.dumps([asdict(run) for run in runs], indent=1))


if __name__ == "__main__":
    main()
