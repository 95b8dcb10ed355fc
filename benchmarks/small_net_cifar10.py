"""How well the small net learns: 4,000 CIFAR-10 training images, scored on 10,000 other training images, none against flip+crop.

Prints accuracy over seeds and CPU seconds per epoch. Reads CIFAR-10 under $POLICYSEARCH_DATA_ROOT; the test
images are not used. `python benchmarks/small_net_cifar10.py [--seeds 3] [--epochs 40]`
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from searchspaces.policy import Base, PadCrop, Policy
from trials.data import Prepared, Source, prepare
from trials.recipes import default_recipe
from trials.run import run_trial
from trials.values import DataRef, TrialSpec

POLICIES = {"none": Policy(), "flip+crop": Policy(Base(crop=PadCrop(0.125), hflip=0.5))}


def main() -> None:
    """Run every policy with every seed, print a line each and the table's two rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=40)
    wishes = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        source = Source(data="cifar10", data_root=os.environ["POLICYSEARCH_DATA_ROOT"], train_images=4000, val_images=10_000)
        prepared = prepare(source, Path(home))
        for label, policy in POLICIES.items():
            found = [accuracy(prepared, label, policy, seed, wishes.epochs) for seed in range(wishes.seeds)]
            spread = statistics.stdev(found) if len(found) > 1 else float("nan")
            print(f"{label}: {statistics.mean(found):.2f} % +- {spread:.2f} (seeds 0 to {wishes.seeds - 1})", flush=True)


def accuracy(prepared: Prepared, label: str, policy: Policy, seed: int, epochs: int) -> float:
    """Percent right of the validation images after training once."""
    data = DataRef(str(prepared.directory), prepared.fingerprint)
    spec = TrialSpec(f"{label}-{seed}", policy, default_recipe(), data, seed, epochs)
    start = time.process_time()
    result = run_trial(spec, lambda epoch: None, None)
    seconds = (time.process_time() - start) / epochs
    if result.score is None:
        raise SystemExit(f"{label}, seed {seed}: {result.error}")
    right = 100 * (1 - result.score.wrong / result.score.total)
    print(f"  {label}, seed {seed}: {right:.2f} % in {seconds:.2f} CPU s per epoch, scoring included", flush=True)
    return right


if __name__ == "__main__":
    main()
