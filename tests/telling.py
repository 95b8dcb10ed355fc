"""Images and values that tell a right op from a wrong one: what the contract suites of the ops share."""

from dataclasses import replace

import numpy as np
import torch

from searchspaces.arrays import ImageBatch, PerImageValues
from searchspaces.ops.op import Interpolation, Op, Parameter, Setting

GREY, RGB, OBLONG, TALL_GREY = (1, 28, 28), (3, 32, 32), (3, 20, 36), (1, 40, 18)
SHAPES = (GREY, RGB, OBLONG, TALL_GREY)
VALUES = 16
NOISE = 5
"""Which of the telling images is noise."""


def noise(images: int, shape: tuple[int, int, int], seed: int = 0) -> ImageBatch:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (images, *shape), dtype=np.uint8))


def telling_images(shape: tuple[int, int, int]) -> ImageBatch:
    """A ramp over all levels, black, white, one level throughout, two levels, noise, faint noise."""
    pixels = int(np.prod(shape))
    ramp = torch.arange(pixels).remainder(256).to(torch.uint8).view(shape)
    flat = [torch.full(shape, level, dtype=torch.uint8) for level in (0, 255, 77)]
    two = torch.where(ramp < 100, 40, 41).to(torch.uint8)
    return torch.stack([ramp, *flat, two, *noise(1, shape), *noise(1, shape) // 8 + 100])


def spread(op: Op, parameter: Parameter) -> list[float]:
    """Values over the hard limits and, for the strength, over every span and its mirror image; all ends included."""
    values = [*np.linspace(parameter.low, parameter.high, VALUES), parameter.identity]
    if parameter is op.strength:
        for span in op.spans.values():
            strengths = np.linspace(span.weak, span.strong, VALUES)
            values += [*strengths, *(2 * parameter.identity - strengths if op.signed else ())]
    if parameter.whole:
        near = [parameter.identity + step for step in (-5, -2, -1, 1, 2, 5)]
        return sorted({float(round(value)) for value in [*values, *near] if parameter.low <= value <= parameter.high})
    return sorted({float(value) for value in values})


def telling_values(op: Op) -> list[tuple[float, ...]]:
    """Rows of values: each parameter's spread with the others at their identity, and again with a modest strength; at last all of
    them moving at once."""
    spreads = [spread(op, parameter) for parameter in op.parameters]
    modest = sorted(spreads[0], key=lambda value: abs(value - op.strength.identity))[max(1, len(spreads[0]) // 4)]
    rows = [
        (*others[:place], value, *others[place + 1 :])
        for others in (op.identity, (modest, *op.identity[1:]))
        for place, column in enumerate(spreads)
        for value in column
    ]
    return list(dict.fromkeys([*rows, *zip(*spreads, strict=False)]))


def as_tensor(rows: list[tuple[float, ...]]) -> PerImageValues:
    return torch.tensor(rows, dtype=torch.float64)


def setting_of(op: Op, images: int, fill: int = 0, interpolation: Interpolation = "nearest") -> Setting:
    """What a kernel is given for so many images; where it is seeded, each of them has a seed of its own, the same every time."""
    seeds = torch.from_numpy(np.random.default_rng(3).integers(0, 2**63, images)) if op.seeded else None
    return Setting(fill, interpolation, seeds)


def alone(setting: Setting, image: int) -> Setting:
    """The same for one image of the batch."""
    return setting if setting.seeds is None else replace(setting, seeds=setting.seeds[image : image + 1])
