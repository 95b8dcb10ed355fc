"""Drawing: a policy, a shape and a generator become a `Plan`; the one place where augmentation is random.

Every image has draws of its own. Row i of the plan depends on the policy, the generator's seed and i, not on how many images
there are. The base's draws come from a stream of their own, so two policies with equal bases meet the same crops and flips.
"""

import numpy as np
from jaxtyping import Bool, Float64, Int64

from searchspaces.ops import find_op
from searchspaces.ops.op import Op, Parameter
from searchspaces.plan import NO_OP, Plan
from searchspaces.policy import Branch, Choice, Constant, Distribution, PadCrop, Policy, Step, Uniform
from searchspaces.refusals import check_ops, check_shape

Draws = Float64[np.ndarray, "images slots"]
"""Uniform on [0, 1), one row an image."""
Rows = Int64[np.ndarray, "some"]
Column = Float64[np.ndarray, "some"]

CROP_AND_FLIP = 3
"""Slots of the base: crop x, crop y, flip. All are drawn whether used or not, so that they mean the same in every policy."""


def draw(policy: Policy, shape: tuple[int, int, int, int], generator: np.random.Generator) -> Plan:
    """What to do to a batch of `shape` (images, channels, height, width).

    Spawns three children of `generator`, so a second call draws anew. A step that does nothing to an image has code 0 there.
    Raises BadInput where an op of the policy can't take images with so many channels or needs a library that isn't installed.
    """
    check_shape(shape)
    images, channels, height, width = shape
    check_ops(policy.ops, channels)
    base_stream, branch_stream, seed_stream = generator.spawn(3)
    pages = _Pages(policy, images)
    chain_steps = max(len(branch.steps) for branch in policy.branches)
    base_steps = (policy.base.crop is not None) + (policy.base.hflip > 0)
    branches_first = policy.placement == "before-crop"
    _draw_base(policy, (height, width), base_stream.random((images, CROP_AND_FLIP)), pages, chain_steps if branches_first else 0)
    draws = branch_stream.random((images, 1 + chain_steps * pages.slots_per_step))
    _draw_branches(policy.branches, draws, pages, 0 if branches_first else base_steps)
    seeded = any(find_op(name).seeded for name in pages.code_book)
    seeds = seed_stream.integers(0, 2**63, pages.codes.shape) if seeded else None
    return Plan(pages.code_book, pages.codes, pages.values, policy.base.fill, policy.base.interpolation, seeds)


class _Pages:
    """The plan's arrays while they are being written, nothing planned at first."""

    def __init__(self, policy: Policy, images: int) -> None:
        base_ops = (*(("crop",) if policy.base.crop else ()), *(("hflip",) if policy.base.hflip > 0 else ()))
        names = dict.fromkeys(("identity", *base_ops, *policy.ops))
        steps = len(base_ops) + max(len(branch.steps) for branch in policy.branches)
        parameters = max(len(find_op(name).parameters) for name in names)
        # The base's ops don't count here, so that it doesn't move the branches' draws.
        branch_parameters = max((len(find_op(name).parameters) for name in policy.ops), default=0)
        self.code_book = tuple(names)
        self.codes = np.full((images, steps), NO_OP, dtype=np.int16)
        self.values = np.zeros((images, steps, parameters), dtype=np.float64)
        self.slots_per_step = 2 + 2 * branch_parameters

    def write(self, rows: Rows, step: int, op: Op, values: Float64[np.ndarray, "some parameters"]) -> None:
        """Plan `op` for these images, except where its values do nothing."""
        acts = (values != np.array(op.identity)).any(axis=1) & (op.kind != "none")
        rows = rows[acts]
        self.codes[rows, step] = self.code_book.index(op.name)
        self.values[rows, step, : values.shape[1]] = values[acts]


def _draw_base(policy: Policy, sides: tuple[int, int], draws: Draws, pages: _Pages, step: int) -> None:
    rows = np.arange(len(draws))
    if policy.base.crop is not None:
        pages.write(rows, step, find_op("crop"), _crop_corners(policy.base.crop, sides, draws))
        step += 1
    if policy.base.hflip > 0:
        flipped = rows[draws[:, 2] < policy.base.hflip]
        pages.write(flipped, step, find_op("hflip"), np.ones((len(flipped), 1)))


def _crop_corners(crop: PadCrop, sides: tuple[int, int], draws: Draws) -> Float64[np.ndarray, "images 2"]:
    """Where each window's upper left corner is, (x, y) in pixels of the image: whole, uniform over what the padding allows."""
    height, width = sides
    paddings = np.array([crop.pixels(width), crop.pixels(height)])
    corners: Float64[np.ndarray, "images 2"] = np.floor(draws[:, :2] * (2 * paddings + 1)) - paddings
    return corners


def _draw_branches(branches: tuple[Branch, ...], draws: Draws, pages: _Pages, first_step: int) -> None:
    taken = _weighted([branch.weight for branch in branches], draws[:, 0])
    for number in np.unique(taken):
        rows = np.flatnonzero(taken == number)
        for index, step in enumerate(branches[number].steps):
            start = 1 + index * pages.slots_per_step
            _draw_step(step, rows, draws[rows, start : start + pages.slots_per_step], pages, first_step + index)


def _draw_step(step: Step, rows: Rows, draws: Draws, pages: _Pages, column: int) -> None:
    """Slots: whether, which choice, then for each parameter its value and its sign."""
    happens = draws[:, 0] < step.probability
    rows, draws = rows[happens], draws[happens]
    chosen = _weighted([choice.weight for choice in step.choices], draws[:, 1])
    for number in np.unique(chosen):
        members = chosen == number
        choice = step.choices[number]
        pages.write(rows[members], column, find_op(choice.op), _values(choice, draws[members, 2:]))


def _values(choice: Choice, draws: Draws) -> Float64[np.ndarray, "some parameters"]:
    """Each parameter's value, in its unit."""
    parameters = find_op(choice.op).parameters
    columns = [
        _signed(parameter, distribution, _unsigned(distribution, draws[:, 2 * index]), draws[:, 2 * index + 1] < 0.5)
        for index, (parameter, distribution) in enumerate(zip(parameters, choice.values, strict=True))
    ]
    return np.stack(columns, axis=1)


def _unsigned(distribution: Distribution, draws: Column) -> Column:
    if isinstance(distribution, Constant):
        return np.full(len(draws), float(distribution.value))
    if isinstance(distribution, Uniform):
        # Rounding must not carry a value past the upper end.
        between: Column = np.minimum(distribution.low + draws * (distribution.high - distribution.low), distribution.high)
        return between
    levels = np.array(distribution.values, dtype=np.float64)
    drawn: Column = levels[np.floor(draws * len(levels)).astype(np.int64)]
    return drawn


def _signed(parameter: Parameter, distribution: Distribution, values: Column, mirrored: Bool[np.ndarray, "some"]) -> Column:
    """Values mirrored about the identity where the sign came out negative."""
    return np.where(mirrored, 2 * parameter.identity - values, values) if distribution.signed else values


def _weighted(weights: list[float], draws: Column) -> Rows:
    """The index that each draw falls on when the weights share out [0, 1)."""
    ends = np.cumsum(weights)
    index: Rows = np.minimum(np.searchsorted(ends, draws * ends[-1], side="right"), len(weights) - 1)
    return index
