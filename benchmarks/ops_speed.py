"""How fast a policy is carried out: RandAugment(2, 9) on torchvision's scale, beside other libraries on the same machine.

    python benchmarks/ops_speed.py [--sides 32 224] [--repeats 9] [--each-op] [--threads]

Prints a table for each side: images a second of processor time, and the ratio to torchvision v2 on PIL images, the yardstick. All
are run in turn, so that the machine's moods meet all alike; medians over the repeats, one thread. timm, Albumentations and kornia
are left out where they can't be imported. `--each-op` times op by op instead, `--threads` the gain from one to two threads by the
clock, for which the machine should be idle.
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np
import torch
from other_libraries import EACH_IMAGE, MEAN, STD, Contender, others, pil_images, torchvision_pil, whole_paths
from torchvision.transforms import v2

from searchspaces import engines
from searchspaces.draw import draw
from searchspaces.engines import grouped
from searchspaces.levels import level_value, scale_ops
from searchspaces.ops import find_op
from searchspaces.plan import Plan
from searchspaces.policy import Base, Batch, Branch, Choice, PadCrop, Policy, Step

THEIRS = {32: 256, 224: 32}
OURS = {32: 16384, 224: 512}
"""Images a repeat; other sides take those of 224. Ours are many, or a repeat would be over before the caches are warm."""
BATCH = {32: 1024, 224: 64}
"""Ours are done as a trial does an epoch: drawn at once, carried out batch by batch."""
LEVEL = 9
PIL_NAMES = {
    "autocontrast": "AutoContrast",
    "brightness": "Brightness",
    "contrast": "Contrast",
    "equalize": "Equalize",
    "identity": "Identity",
    "posterize": "Posterize",
    "rotate": "Rotate",
    "saturation": "Color",
    "sharpness": "Sharpness",
    "shear_x": "ShearX",
    "shear_y": "ShearY",
    "solarize": "Solarize",
    "translate_x": "TranslateX",
    "translate_y": "TranslateY",
}


def randaugment(base: Base, cutout: float = 0.0) -> Policy:
    """RandAugment(2, 9) on torchvision's scale, with a base."""
    choices = tuple(Choice(name, (level_value(name, LEVEL, "torchvision"),)) for name in scale_ops("torchvision"))
    return Policy(base, (Branch((Step(choices),) * 2),), batch=Batch(cutout=cutout))


def pictures(count: int, side: int) -> np.ndarray:
    """Smooth colours with some noise on them, uint8 (images, 3, side, side): levels are spread as those of photographs."""
    generator = torch.Generator().manual_seed(side)
    coarse = (torch.rand(count, 3, cells, cells, generator=generator) for cells in (4, 8, 16))
    smooth = sum(torch.nn.functional.interpolate(part, (side, side), mode="bilinear") for part in coarse)
    noise = 0.1 * torch.randn(count, 3, side, side, generator=generator)
    levels: np.ndarray = ((smooth / 3 + noise) * 255).clamp(0, 255).to(torch.uint8).numpy()
    return levels


def ours(side: int) -> list[Contender]:
    """The ops alone: a plan drawn anew for each repeat, and carried out batch by batch."""
    images = torch.from_numpy(pictures(OURS.get(side, OURS[224]), side))
    policy, generator = randaugment(Base()), np.random.default_rng(0)
    batches = _batches(len(images), side)
    few = images[batches[0]]

    def by_fused() -> None:
        plan = draw(policy, _shape(images), generator)
        for batch in batches:
            engines.apply(images[batch], plan.rows(batch))

    def by_grouped() -> None:
        grouped.apply(few, draw(policy, _shape(few), generator))

    return [
        Contender("**policysearch, fused**", EACH_IMAGE, len(images), by_fused),
        Contender("policysearch, grouped in torch", EACH_IMAGE, len(few), by_grouped),
    ]


def our_whole_path(side: int) -> Contender:
    """As a trial does it: rows of a data set, augmented and normalised, in channels-last layout."""
    images = pictures(OURS.get(side, OURS[224]), side)
    policy, generator = randaugment(Base(PadCrop(0.125), 0.5), cutout=0.5), np.random.default_rng(0)
    mean, scale = np.float32(255) * np.array(MEAN, np.float32), 1 / (np.float32(255) * np.array(STD, np.float32))
    batches = _batches(len(images), side)
    out = torch.empty((batches[0].stop, *images.shape[1:])).contiguous(memory_format=torch.channels_last)

    def run() -> None:
        plan, order = draw(policy, _shape(images), generator), generator.permutation(len(images))
        for batch in batches:
            engines.apply_normalised(images, order[batch], plan.rows(order[batch]), mean, scale, channels_last=True, out=out)

    return Contender("**policysearch, fused**", EACH_IMAGE, len(images), run)


def _batches(images: int, side: int) -> list[slice]:
    batch = BATCH.get(side, BATCH[224])
    return [slice(start, start + batch) for start in range(0, images, batch)]


def _shape(images: torch.Tensor | np.ndarray) -> tuple[int, int, int, int]:
    count, channels, height, width = images.shape
    return count, channels, height, width


def rates(contenders: Sequence[Contender], repeats: int, clock: Callable[[], float] = time.process_time) -> list[list[float]]:
    """Images a second of each contender at each repeat, all of them in turn."""
    for contender in contenders:
        contender.run()
    found: list[list[float]] = [[] for _ in contenders]
    for _ in range(repeats):
        for place, contender in enumerate(contenders):
            start = clock()
            contender.run()
            found[place].append(contender.images / (clock() - start))
    return found


def print_table(title: str, contenders: Sequence[Contender], repeats: int) -> None:
    """Medians, and their ratios to the first contender's."""
    found = [median(rate) for rate in rates(contenders, repeats)]
    print(f"\n{title}\n\n| | who draws | images a second | ratio |\n|---|---|---|---|")
    for contender, rate in zip(contenders, found, strict=True):
        print(f"| {contender.name} | {contender.draws} | {rate:,.0f} | {rate / found[0]:.2f} |")


def print_each_op(side: int, repeats: int) -> None:
    """Microseconds an image of every op at level 9, torchvision's on PIL images and ours."""
    theirs, levels = THEIRS.get(side, THEIRS[224]), pictures(OURS.get(side, OURS[224]), side)
    print(f"\n{side} x {side}, microseconds an image\n")
    print("| op | torchvision v2, PIL | policysearch, fused | ratio |\n|---|---|---|---|")
    for name in scale_ops("torchvision"):
        contenders = [_one_op_of_pil(name, levels[:theirs]), _one_op(name, levels)]
        pil, fused = (1e6 / median(rate) for rate in rates(contenders, repeats))
        print(f"| {name} | {pil:.2f} | {fused:.2f} | {pil / fused:.0f} |", flush=True)


def _one_op_of_pil(name: str, levels: np.ndarray) -> Contender:
    augment, images = v2.RandAugment(), pil_images(levels)
    magnitudes, _ = augment._AUGMENTATION_SPACE[PIL_NAMES[name]]
    found = magnitudes(31, *levels.shape[2:])
    magnitude = 0.0 if found is None else float(found[LEVEL])
    given: dict[str, Any] = {"interpolation": v2.InterpolationMode.NEAREST, "fill": augment._fill}

    def run() -> None:
        for image in images:
            augment._apply_image_or_video_transform(image, PIL_NAMES[name], magnitude, **given)

    return Contender(name, EACH_IMAGE, len(images), run)


def _one_op(name: str, levels: np.ndarray) -> Contender:
    images, op = torch.from_numpy(levels), find_op(name)
    values = np.tile([level_value(name, LEVEL, "torchvision").ends[0] for _ in op.parameters], (len(levels), 1, 1))
    codes = np.full((len(levels), 1), 0 if op.kind == "none" else 1, np.int16)
    plan = Plan(("identity", name), codes, values)

    def run() -> None:
        for batch in _batches(len(levels), levels.shape[-1]):
            engines.apply(images[batch], plan.rows(batch))

    return Contender(name, EACH_IMAGE, len(levels), run)


def print_threads(side: int, repeats: int) -> None:
    """What a second thread gains, by the clock."""
    images = torch.from_numpy(pictures(OURS.get(side, OURS[224]), side))
    plan = draw(randaugment(Base()), _shape(images), np.random.default_rng(0))

    def with_threads(threads: int) -> Contender:
        def run() -> None:
            for batch in _batches(len(images), side):
                engines.apply(images[batch], plan.rows(batch), threads)

        return Contender(f"{threads}", EACH_IMAGE, len(images), run)

    before = os.getloadavg()[0]
    alone, both = (median(rate) for rate in rates([with_threads(1), with_threads(2)], repeats, time.perf_counter))
    print(
        f"{side} x {side}: {alone:,.0f} images a second with one thread, {both:,.0f} with two: {both / alone:.2f} times", end=""
    )
    print(f" (load before: {before:.1f})")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", type=int, nargs="+", default=[32, 224])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--each-op", action="store_true")
    parser.add_argument("--threads", action="store_true")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    for side in options.sides:
        levels = pictures(THEIRS.get(side, THEIRS[224]), side)
        if options.each_op:
            print_each_op(side, options.repeats)
        elif options.threads:
            print_threads(side, options.repeats)
        else:
            contenders = [torchvision_pil(levels), *ours(side), *others(levels)]
            print_table(f"{side} x {side}, the ops alone", contenders, options.repeats)
            paths = [*whole_paths(levels), our_whole_path(side)]
            print_table(f"{side} x {side}, from uint8 data to a normalised float batch", paths, options.repeats)


if __name__ == "__main__":
    main()
