"""Drawing: a policy, a shape and a generator become a `Plan`; the one place where augmentation is random.

Every image has draws of its own. Row i of the plan depends on the policy, the generator's seed and i, not on how many images
there are. The base's draws come from streams of their own, so two policies with equal bases meet the same crops and flips.
"""

import numpy as np
from jaxtyping import Bool, Float64

from searchspaces.draw_framing import CROP_AND_FLIP, TURNS_AND_WINDOWS, Draws, Rows, planned_base, planned_cutout
from searchspaces.ops import find_op
from searchspaces.ops.op import Op, Parameter
from searchspaces.plan import NO_OP, Plan
from searchspaces.policy import Base, Branch, Choice, Constant, Distribution, Policy, ResizedCrop, Step, Uniform
from searchspaces.refusals import check_ops, check_shape

Column = Float64[np.ndarray, "some"]


def draw(policy: Policy, shape: tuple[int, int, int, int], generator: np.random.Generator) -> Plan:
    """What to do to a batch of `shape` (images, channels, height, width); all but the mixing of images with one another.

    Spawns four children of `generator`, so a second call draws anew. A step that does nothing to an image has code 0 there.
    Raises BadInput where an op of the policy can't take images with so many channels or needs a library that isn't installed.
    """
    check_shape(shape)
    images, channels, height, width = shape
    check_ops(policy.ops, channels)
    base_stream, branch_stream, seed_stream, turn_stream = generator.spawn(4)
    pages = _Pages(policy, images)
    crops = base_stream.random((images, CROP_AND_FLIP))
    turns = turn_stream.random((images, TURNS_AND_WINDOWS)) if _needs_turns(policy) else None
    chain_steps = max(len(branch.steps) for branch in policy.branches)
    branches_first = policy.placement == "before-crop"
    for step, planned in enumerate(planned_base(policy.base, (height, width), crops, turns)):
        pages.write(planned.rows, step + (chain_steps if branches_first else 0), find_op(planned.op), planned.values)
    draws = branch_stream.random((images, 1 + chain_steps * pages.slots_per_step))
    _draw_branches(policy.branches, draws, pages, 0 if branches_first else len(policy.base.ops))
    if policy.batch.cutout > 0:
        assert turns is not None
        cutout = planned_cutout(policy.batch.cutout, policy.base.fill, (height, width), turns)
        pages.write(cutout.rows, pages.codes.shape[1] - 1, find_op(cutout.op), cutout.values)
    return pages.bound(policy.base, seed_stream)


def _needs_turns(policy: Policy) -> bool:
    base = policy.base
    return isinstance(base.crop, ResizedCrop) or base.vflip > 0 or base.quarter_turns > 0 or policy.batch.cutout > 0


class _Pages:
    """The plan's arrays while they are being written, nothing planned at first."""

    def __init__(self, policy: Policy, images: int) -> None:
        own_ops = (*policy.base.ops, *policy.batch.ops)
        names = dict.fromkeys(("identity", *policy.base.ops, *policy.ops, *policy.batch.ops))
        steps = len(own_ops) + max(len(branch.steps) for branch in policy.branches)
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

    def bound(self, base: Base, seed_stream: np.random.Generator) -> Plan:
        """The plan, with a seed for every step where an op of the code book is noise."""
        seeded = any(find_op(name).seeded for name in self.code_book)
        seeds = seed_stream.integers(0, 2**63, self.codes.shape) if seeded else None
        return Plan(self.code_book, self.codes, self.values, base.fill, base.interpolation, seeds, base.resolution)


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
