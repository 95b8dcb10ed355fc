"""ResNet-9 of full width on CIFAR-10 on a GPU: images a second, seconds an epoch, GPU use, and what trials cost side by side.

    python benchmarks/gpu_resnet9.py CIFAR_DIRECTORY [--epochs 6] [--at-once 1,2,4] [--gpus-per-trial 1]

Trains what `policysearch search` would: RandAugment(2, 9) with crops and flips, drawn anew for each image and applied on the GPU;
bfloat16, channels_last, the images in the GPU's memory, deterministic kernels. The first epoch (kernels chosen, memory taken) is
told apart. GPU use is what `nvidia-smi` says ten times a second while epochs are trained (the share of time in which any kernel
runs). Prints JSON. Ends with exit code 2 where there is no GPU: it has not been run on one yet.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

BATCH_IMAGES = 512
WIDTH = 64


def main() -> int:
    """Measure and print; the exit code."""
    import torch

    wishes = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    wishes.add_argument("data_root")
    wishes.add_argument("--epochs", type=int, default=6)
    wishes.add_argument("--at-once", default="1,2,4")
    wishes.add_argument("--gpus-per-trial", type=int, default=1)
    given = wishes.parse_args()
    if not torch.cuda.is_available():
        print("there is no GPU here", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as home:
        spec = _spec(given.data_root, Path(home), given.epochs, given.gpus_per_trial)
        runs = [_measured(spec, count) for count in map(int, given.at_once.split(","))]
    machine = {"gpu": torch.cuda.get_device_name(), "torch": torch.__version__, "gpus_per_trial": given.gpus_per_trial}
    print(json.dumps({**machine, "batch_images": BATCH_IMAGES, "width": WIDTH, "runs": runs}, indent=2))
    return 0


def _spec(data_root: str, home: Path, epochs: int, processes: int) -> dict[str, Any]:
    from searchspaces.families.fixed import baselines
    from searchspaces.spaces import usual_base
    from trials.data import Source, prepare
    from trials.recipes import default_recipe
    from trials.values import DataRef, TrialSpec

    data = prepare(Source("cifar10", data_root), home)
    recipe = replace(
        default_recipe("cuda"),
        model=f"resnet9:width={WIDTH}",
        batch_images=BATCH_IMAGES,
        peak_learning_rate=0.4,
        processes=processes,
    )
    policy = baselines(data.channels, usual_base(data.domain, data.height, data.width))["randaugment(2,9)"]
    spec = TrialSpec("gpu", policy, recipe, DataRef(str(data.directory), data.fingerprint), 0, epochs).to_dict()
    return {**spec, "images": data.counts["train"]}


def _measured(spec: dict[str, Any], at_once: int) -> dict[str, Any]:
    """So many trials side by side, each in a process of its own."""
    over, busy = threading.Event(), list[float]()
    watching = threading.Thread(target=_watch, args=(over, busy))
    watching.start()
    with ProcessPoolExecutor(at_once, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(_trial, [spec] * at_once))
    over.set()
    watching.join()
    seconds = statistics.fmean(each["epoch_seconds"] for each in found)
    return {
        "trials_at_once": at_once,
        "first_epoch_seconds": statistics.fmean(each["first_epoch_seconds"] for each in found),
        "epoch_seconds": seconds,
        "images_per_second_of_a_trial": spec["images"] / seconds,
        "images_per_second_of_all": at_once * spec["images"] / seconds,
        "gpu_busy_percent_median": statistics.median(busy) if busy else None,
        "peak_memory_gib_of_a_trial": max(each["peak_gib"] for each in found),
        "validation_error": found[0]["validation_error"],
        "seconds_by_span": found[0]["spans"],
    }


def _trial(spec: dict[str, Any]) -> dict[str, Any]:
    import torch

    from trials.run import run_trial
    from trials.values import TrialSpec

    moments = [time.monotonic()]
    given = TrialSpec.from_dict({name: value for name, value in spec.items() if name != "images"})
    result = run_trial(given, lambda epoch: moments.append(time.monotonic()), None)
    assert result.score is not None, result.error
    epochs = [after - before for before, after in pairwise(moments)]
    return {
        "first_epoch_seconds": epochs[0],
        "epoch_seconds": statistics.median(epochs[1:]),
        "peak_gib": torch.cuda.max_memory_allocated() / 1024**3,
        "validation_error": result.score.wrong / result.score.total,
        "spans": {name: round(seconds, 3) for name, seconds in result.span_seconds.items()},
    }


def _watch(over: threading.Event, busy: list[float]) -> None:
    """What `nvidia-smi` says of the first GPU, while anything runs on it."""
    command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--id=0"]
    while not over.wait(0.1):
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
        if said.isdecimal() and int(said) > 0:
            busy.append(float(said))


if __name__ == "__main__":
    sys.exit(main())
