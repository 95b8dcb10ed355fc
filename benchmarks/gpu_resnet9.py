"""ResNet-9 of full width, and the small net, on a GPU: images a second, seconds an epoch, GPU use, and trials side by side.

    python benchmarks/gpu_resnet9.py [--data FILE.npz | --data-root CIFAR_DIRECTORY] [--images 50000] [--epochs 2]
        [--nets resnet9:width=64,small] [--at-once 1,2,4] [--train-epochs 0]

Trains what `policysearch search` would: RandAugment(2, 9) with crops and flips, drawn anew for each image and applied on the GPU;
bfloat16, channels_last, the images in the GPU's memory, deterministic kernels. Where fewer images are given, or none (then of
chance), they are repeated up to `--images`, for speed depends on their number alone. After a first epoch (kernels chosen, memory
taken) epochs are timed whole; then one more with the device waited for at each end of drawing, augmenting, stepping and scoring,
which is where the time goes. GPU use and memory are what `nvidia-smi` says ten times a second while all trials are at it (use:
the share of time in which any kernel runs). `--train-epochs` trains a whole trial on the images given, for its validation error.
Prints a line of JSON for each. Ends with exit code 2 where there is no GPU.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

SETTINGS: dict[str, dict[str, Any]] = {
    "resnet9": {"batch_images": 512, "peak_learning_rate": 0.4},
    "small": {"batch_images": 64},
}
SCORED_SHARE = 0.1  # so many images are scored after an epoch
START_SECONDS = 120.0


def main() -> int:
    """Measure and print; the exit code."""
    import torch

    given = _wishes()
    if not torch.cuda.is_available() and given.device == "cuda":
        print("there is no GPU here", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        images, labels = _images(given, Path(folder))
        _save(Path(folder), images, labels)
        job = {"folder": folder, "images": given.images, "epochs": given.epochs, "device": given.device}
        name = torch.cuda.get_device_name() if given.device == "cuda" else "cpu"
        print(json.dumps({"gpu": name, "torch": torch.__version__}), flush=True)
        if given.train_epochs:
            print(json.dumps(_trained(given, Path(folder))), flush=True)
        for net in given.nets.split(","):
            for count in map(int, given.at_once.split(",")):
                print(json.dumps(_measured({**job, "model": net}, count)), flush=True)
    return 0


def _wishes() -> argparse.Namespace:
    wishes = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    wishes.add_argument("--data", help="a .npz of images, as policysearch reads it")
    wishes.add_argument("--data-root", help="where CIFAR-10's files lie")
    wishes.add_argument("--images", type=int, default=50_000)
    wishes.add_argument("--epochs", type=int, default=2, help="timed, after a first one")
    wishes.add_argument("--nets", default="resnet9:width=64,small")
    wishes.add_argument("--at-once", default="1,2,4")
    wishes.add_argument("--train-epochs", type=int, default=0)
    wishes.add_argument("--device", default="cuda", choices=["cuda", "cpu"], help="cpu: to try the benchmark itself")
    return wishes.parse_args()


def _images(given: argparse.Namespace, folder: Path) -> tuple[Any, Any]:
    """The training images, uint8, and labels: real ones, or of chance."""
    import numpy as np

    if given.data or given.data_root:
        from trials.data import open_split

        split = open_split(_prepared(given, folder).directory, "train")
        return split.images, split.labels
    generator = np.random.default_rng(0)
    count = min(given.images, 5_000)
    return generator.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8), generator.integers(0, 10, count)


def _prepared(given: argparse.Namespace, folder: Path) -> Any:
    from trials.data import Source, prepare

    return prepare(Source(given.data or "cifar10", given.data_root), folder / "home")


def _save(folder: Path, images: Any, labels: Any) -> None:
    """Keep them where each process maps them from."""
    import numpy as np

    np.save(folder / "images.npy", images)
    np.save(folder / "labels.npy", labels)


def _recipe(model: str, device: str) -> Any:
    from trials.recipes import default_recipe

    return replace(default_recipe("cuda" if device == "cuda" else "cpu"), model=model, **SETTINGS[model.partition(":")[0]])


def _policy(channels: int, height: int, width: int) -> Any:
    from searchspaces.families.fixed import baselines
    from searchspaces.spaces import usual_base

    return baselines(channels, usual_base("photos", height, width))["randaugment(2,9)"]


def _measured(job: dict[str, Any], at_once: int) -> dict[str, Any]:
    """So many trainings side by side, each in a process of its own, begun together."""
    context = get_context("spawn")
    told, start = context.Queue(), context.Barrier(at_once)
    workers = [context.Process(target=_work, args=(job, start, told)) for _ in range(at_once)]
    over, seen = threading.Event(), list[tuple[float, float, float]]()
    watching = threading.Thread(target=_watch, args=(over, seen))
    watching.start()
    for worker in workers:
        worker.start()
    found = [told.get(timeout=10 * START_SECONDS) for _ in workers]
    for worker in workers:
        worker.join()
    over.set()
    watching.join()
    first, last = max(each["begun_at"] for each in found), min(each["ended_at"] for each in found)
    during = [(busy, memory) for at, busy, memory in seen if first <= at <= last]
    seconds = statistics.fmean(each["epoch_seconds"] for each in found)
    return {
        "net": job["model"],
        "trials_at_once": at_once,
        "first_epoch_seconds": round(max(each["first_epoch_seconds"] for each in found), 3),
        "epoch_seconds": round(seconds, 3),
        "images_per_second_of_all": round(at_once * job["images"] / seconds),
        "gpu_busy_percent_mean": round(statistics.fmean(busy for busy, _ in during), 1) if during else None,
        "gpu_memory_used_gib": round(max(memory for _, memory in during) / 1024, 2) if during else None,
        "peak_memory_gib_of_a_trial": round(max(each["peak_gib"] for each in found), 2),
        "seconds_by_part_of_one_epoch": found[0]["parts"] if at_once == 1 else None,
    }


def _work(job: dict[str, Any], start: Any, told: Any) -> None:
    """Train as a trial does, and tell what it took."""
    import numpy as np
    import torch

    from trials.data.store import Split
    from trials.evaluate import placed
    from trials.machine import reproducible
    from trials.models import fresh_model
    from trials.pixels import Normaliser
    from trials.seeds import torch_generator
    from trials.spans import Spans
    from trials.train import Trainer

    given, labels = (np.load(Path(job["folder"]) / f"{name}.npy", mmap_mode="r") for name in ("images", "labels"))
    which = np.arange(job["images"]) % len(given)
    split = Split(given[which], labels[which], tuple(map(str, range(int(labels.max()) + 1))), "")
    scored = max(1, int(SCORED_SHARE * len(which)))
    held = Split(split.images[:scored], split.labels[:scored], split.classes, "")
    recipe, seen_by = _recipe(job["model"], job["device"]), ([0.47] * given.shape[1], [0.25] * given.shape[1])

    def wait() -> None:
        if job["device"] == "cuda":
            torch.cuda.synchronize()

    with reproducible(recipe):
        net = placed(fresh_model(recipe, given.shape[1], len(split.classes), torch_generator(0)), recipe)
        parts = Spans(wait)
        trainer = Trainer(net, split, Normaliser(*seen_by, recipe), recipe, job["epochs"] + 2, Spans(), set())
        policy = _policy(*given.shape[1:])

        def epoch(number: int, spans: Spans) -> float:
            began = time.monotonic()
            _epoch(trainer, split, held, policy, recipe, seen_by, number, spans)
            wait()
            return time.monotonic() - began

        first = epoch(0, Spans())
        start.wait(START_SECONDS)
        begun_at = time.monotonic()
        taken = [epoch(1 + number, Spans()) for number in range(job["epochs"])]
        ended_at = time.monotonic()
        trainer._spans = parts  # the trainer's own, for the epoch that is taken apart
        epoch(1 + job["epochs"], parts)
    told.put(
        {
            "first_epoch_seconds": first,
            "epoch_seconds": statistics.median(taken),
            "begun_at": begun_at,
            "ended_at": ended_at,
            "peak_gib": torch.cuda.max_memory_allocated() / 1024**3 if job["device"] == "cuda" else 0.0,
            "parts": {name: round(seconds, 3) for name, seconds in parts.seconds.items()},
        }
    )


def _epoch(trainer: Any, split: Any, held: Any, policy: Any, recipe: Any, seen_by: Any, number: int, spans: Any) -> None:
    """Draw, augment, train, score."""
    from searchspaces.draw import draw
    from trials.evaluate import score
    from trials.seeds import numpy_generator

    with spans.timed("draw"):
        plan = draw(policy, split.images.shape, numpy_generator(number, "augment"))
    trainer.train_epoch(numpy_generator(number, "order").permutation(len(split.labels)), plan)
    with spans.timed("score"):
        score(trainer.net, held, recipe, *seen_by)


def _trained(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """A whole trial of the first net on the images as they were given, as a search runs it."""
    from trials.data import open_split
    from trials.run import run_trial
    from trials.values import DataRef, TrialSpec

    data, net = _prepared(given, folder), given.nets.split(",")[0]
    policy = _policy(data.channels, data.height, data.width)
    recipe, reference = _recipe(net, given.device), DataRef(str(data.directory), data.fingerprint)
    errors: list[float] = []
    spec = TrialSpec("gpu", policy, recipe, reference, 0, given.train_epochs)
    result = run_trial(spec, lambda epoch: errors.append(epoch.wrong / epoch.total), None)
    return {
        "net": net,
        "images": len(open_split(data.directory, "train").labels),
        "epochs": given.train_epochs,
        "validation_error_by_epoch": [round(error, 4) for error in errors],
        "error": result.error,
        "seconds": round(result.span_seconds["total"], 2),
        "environment": result.environment,
    }


def _watch(over: threading.Event, seen: list[tuple[float, float, float]]) -> None:
    """What `nvidia-smi` says of the first GPU: when, percent of time with a kernel, MiB used."""
    query = ["--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits", "--id=0", "--loop-ms=100"]
    try:
        asked = subprocess.Popen(["nvidia-smi", *query], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except OSError:
        return

    def end() -> None:
        over.wait()
        asked.kill()

    threading.Thread(target=end, daemon=True).start()
    assert asked.stdout is not None
    for line in asked.stdout:
        said = [part.strip() for part in line.split(",")]
        if len(said) == 2 and all(part.isdecimal() for part in said):
            seen.append((time.monotonic(), float(said[0]), float(said[1])))
    asked.wait()


if __name__ == "__main__":
    sys.exit(main())
