"""Half-way places, where torchvision's choice between two pixels is up to the machine, and ours is not.

torchvision maps places by a matrix product. Processors whose product rounds once for several steps (seen: Intel Xeon with MKL,
from some hundred places on) put a place that lies exactly between two pixels a hair to either side; ours rounds each step,
everywhere. Where the product rounds each step as well (seen: AMD EPYC), nothing here changes anything.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch

from searchspaces.ops.op import Op

HAIR = {"shear_x": 3e-5, "shear_y": 3e-5, "rotate": 1e-3}
"""In the op's own unit: more than such a product may be off, and far less than a pixel."""


@cache
def product_rounds_each_step() -> bool:
    """Whether this machine's product of (x, y, 1) and a map is x * a + y * b + c with each step rounded."""
    generator = torch.Generator().manual_seed(0)
    places = torch.rand(1, 4096, 3, generator=generator) * 40 - 20
    places[..., 2] = 1
    to = torch.rand(1, 3, 2, generator=generator)
    stepwise = (places[..., :1] * to[:, :1] + places[..., 1:2] * to[:, 1:2]) + to[:, 2:]
    return torch.equal(places.bmm(to), stepwise)


def settled(op: Op, ours: Any, theirs: Any, values: tuple[float, ...], expected: Callable[[tuple[float, ...]], Any]) -> Any:
    """`theirs`, with our pixel wherever it is the one that the reference takes at a value a hair to either side."""
    if op.name not in HAIR or product_rounds_each_step() or torch.equal(ours, theirs):
        return theirs
    for hair in (-HAIR[op.name], HAIR[op.name]):
        aside = expected((values[0] + hair, *values[1:]))
        theirs = torch.where((ours == aside).all(0, keepdim=True), ours, theirs)
    return theirs
