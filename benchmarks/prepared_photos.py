"""What photos of unlike sizes cost: preparing them on one core and on two, cropping them for training, and memory of N workers.

Writes photos of its own (noise over soft shapes, JPEG) of many sizes, or takes a folder's (--data DIR, with train/CLASS/ in it).
Cores are given by affinity, in turn, so that the ratio is of one run; on a machine with other work its parts tell more: CPU
seconds, and those of them that are the main thread's, which no second core shares. Crops are told in CPU seconds; their other
side is what a user would write: Pillow opens the file, torchvision draws and takes the crop.
`python benchmarks/prepared_photos.py [--photos 400 | --data DIR] [--image-size 224] [--rounds 3]` prints a table.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2

from searchspaces.draw import draw
from searchspaces.policy import Base, Policy, ResizedCrop
from trials.data import Source, Split, open_split, prepare
from trials.frames import framed

POLICY = Policy(Base(crop=ResizedCrop(), interpolation="bilinear"))
PREPARING = """
import os, sys, time
from pathlib import Path
os.sched_setaffinity(0, set(map(int, sys.argv[4].split(","))))
import torch
from trials.data import Source, prepare
began = time.perf_counter(), time.process_time(), time.thread_time()
prepare(Source(sys.argv[1], image_size=int(sys.argv[3])), Path(sys.argv[2]))
print(time.perf_counter() - began[0], time.process_time() - began[1], time.thread_time() - began[2])
"""
WORKER = """
import sys
from pathlib import Path
from trials.data import open_split
split = open_split(Path(sys.argv[1]), "train")
seen = sum(int(split.whole.image(number).sum()) for number in range(len(split.labels)))
print(next(line.split()[1] for line in open("/proc/self/smaps_rollup") if line.startswith("Rss")), flush=True)
sys.stdin.readline()
private = [line.split()[1] for line in open("/proc/self/smaps_rollup") if line.startswith(("Pss:", "Private_Dirty"))]
print(*private, flush=True)
sys.stdin.readline()
"""


def main() -> None:
    """Prepare, crop, open in several processes; print what each took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--photos", type=int, default=400)
    parser.add_argument("--data", type=Path, metavar="DIR", help="These photos instead of some that are written.")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--sides", type=int, nargs=2, default=(240, 600), metavar="PIXELS", help="Shortest and longest side.")
    wishes = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        root = wishes.data or Path(folder) / "photos"
        if wishes.data is None:
            write_photos(root, wishes.photos, wishes.sides)
        cores = sorted(os.sched_getaffinity(0))
        took: dict[int, list[tuple[float, ...]]] = {1: [], 2: []}
        for number in range(wishes.rounds):
            for count in took if len(cores) > 1 else (1,):
                took[count].append(preparing(root, Path(folder) / f"home-{number}-{count}", wishes.image_size, cores[:count]))
        for count, runs in took.items():
            if runs:
                seconds, cpu, main_thread = min(runs)
                every = ", ".join(f"{run[0]:.2f}" for run in runs)
                print(
                    f"prepared on {count} core(s): {seconds:.2f} s (of {every}); CPU {cpu:.2f} s, main thread {main_thread:.2f} s"
                )
        if took[2]:
            by_round = sorted(one[0] / two[0] for one, two in zip(took[1], took[2], strict=True))
            every = ", ".join(f"{ratio:.2f}" for ratio in by_round)
            print(f"two cores are {statistics.median(by_round):.2f} times as fast as one (by round: {every})")
        for name, most_pixel_bytes in (("levels", 1 << 40), ("JPEG files", 0)):
            source = Source(str(root), image_size=wishes.image_size)
            prepared = prepare(source, Path(folder) / "home", most_pixel_bytes=most_pixel_bytes)
            crop_seconds = cropping(open_split(prepared.directory, "train"), wishes.image_size)
            size_mb = sum(path.stat().st_size for path in prepared.directory.glob("train_*")) / 1e6
            print(f"crops from {name}: {1 / crop_seconds:.0f} a second and core; training part {size_mb:.0f} MB")
            if most_pixel_bytes:
                shared(prepared.directory, wishes.workers)
        print(f"crops by Pillow and torchvision: {1 / plainly_cropping(root, wishes.image_size):.0f} a second and core")


def write_photos(root: Path, count: int, sides: Sequence[int]) -> None:
    """So many photos in three splits and two classes, with sides between these two in pixels."""
    generator = np.random.default_rng(0)
    for split, share in (("train", 0.7), ("val", 0.15), ("test", 0.15)):
        for name in ("one", "other"):
            (root / split / name).mkdir(parents=True)
            for index in range(max(4, round(count * share / 2))):
                short, long = sorted(generator.integers(sides[0], sides[1], 2).tolist())
                soft = generator.integers(0, 256, (7, 9, 3), dtype=np.uint8)
                image = np.asarray(Image.fromarray(soft).resize((long, short), Image.Resampling.BICUBIC)).astype(np.int16)
                noisy = (image + generator.normal(0, 8, image.shape)).clip(0, 255).astype(np.uint8)
                Image.fromarray(noisy).save(root / split / name / f"{index}.jpg", quality=90)


def preparing(root: Path, home: Path, size: int, cores: list[int]) -> tuple[float, ...]:
    """Seconds, CPU seconds and the main thread's of preparing in a process of its own on these cores."""
    command = [sys.executable, "-c", PREPARING, str(root), str(home), str(size), ",".join(map(str, cores))]
    return tuple(map(float, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()))


def cropping(split: Split, size: int) -> float:
    """CPU seconds of a random resized crop of one image."""
    assert split.whole is not None
    index = np.arange(len(split.labels))
    plan = draw(POLICY, split.images.shape, np.random.default_rng(0), split.whole.sides)
    framed(split.whole, index[:16], plan.rows(index[:16]), (size, size), set())
    began = time.process_time()
    framed(split.whole, index, plan, (size, size), set())
    return (time.process_time() - began) / len(index)


def plainly_cropping(root: Path, size: int) -> float:
    """The same by the file, Pillow and torchvision."""
    crop, paths = v2.Compose([v2.RandomResizedCrop(size, antialias=True), v2.PILToTensor()]), sorted(root.glob("train/*/*"))
    began = time.process_time()
    for path in paths:
        crop(Image.open(path).convert("RGB"))
    return (time.process_time() - began) / len(paths)


def shared(directory: Path, workers: int) -> None:
    """How much of N processes that have read every image is theirs alone."""
    command = [sys.executable, "-c", WORKER, str(directory)]
    running = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(workers)]
    resident = [int(said(one)) / 1000 for one in running]
    for one in running:
        go_on(one)
    proportional = [int(said(one).split()[0]) / 1000 for one in running]
    for one in running:
        go_on(one)
        one.wait()
    print(f"{workers} workers: {resident[0]:.0f} MB resident each, together {sum(proportional):.0f} MB of memory")


def said(process: "subprocess.Popen[str]") -> str:
    """Its next line."""
    assert process.stdout is not None
    return process.stdout.readline()


def go_on(process: "subprocess.Popen[str]") -> None:
    """Let it pass its next stop."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


if __name__ == "__main__":
    main()
