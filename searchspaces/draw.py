"""Drawing: a policy, a shape and a generator become a `Plan`; the one place where augmentation is random.

Every image has draws of its own. Row i of the plan depends on the policy, the generator's seed and i, not on how many images
there are. The base's draws come from streams of their own, so two policies with equal bases meet the same crops and flips.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Float64

from searchspaces.draw_choices import ChoiceTable, choice_table, chosen_of, weighted
from searchspaces.draw_framing import CROP_AND_FLIP, TURNS_AND_WINDOWS, Draws, OwnSides, Rows, planned_base, planned_cutout
from searchspaces.ops import find_op
from searchspaces.ops.op import Op
from searchspaces.plan import NO_OP, Plan
from searchspaces.policy import Base, Policy, ResizedCrop, Step
from searchspaces.refusals import check_ops, check_shape

NOT_DRAWN = -1


def draw(
    policy: Policy, shape: tuple[int, int, int, int], generator: np.random.Generator, own_sides: OwnSides | None = None
) -> Plan:
    """What to do to a batch of `shape` (images, channels, height, width); all but the mixing of images with one another.

    Spawns four children of `generator`, so a second call draws anew. A step that does nothing to an image has code 0 there.
    `own_sides` (height and width in pixels of each image before it was brought to `shape`): the window of a resized crop of the
    base is drawn for these, and the plan's `whole_step` says so; without such a crop they change nothing.
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
    first_of_base = chain_steps if branches_first else 0
    for step, planned in enumerate(planned_base(policy.base, (height, width), crops, turns, own_sides), first_of_base):
        pages.write(planned.rows, step, find_op(planned.op), planned.values)
    draws = branch_stream.random((images, 1 + chain_steps * pages.slots_per_step))
    _draw_branches(policy, draws, pages, 0 if branches_first else len(policy.base.ops))
    if policy.batch.cutout > 0:
        assert turns is not None
        cutout = planned_cutout(policy.batch.cutout, policy.base.fill, (height, width), turns)
        pages.write(cutout.rows, pages.codes.shape[1] - 1, find_op(cutout.op), cutout.values)
    from_whole = own_sides is not None and isinstance(policy.base.crop, ResizedCrop)
    return pages.bound(policy.base, seed_stream, first_of_base if from_whole else None)


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

    def write_chosen(self, rows: Rows, step: int, table: ChoiceTable, chosen: Rows, draws: Draws) -> None:
        """Plan what these images drew from the table, except where it does nothing."""
        values = table.values(chosen, draws)
        does = table.does_something(chosen, values)
        rows = rows[does]
        self.codes[rows, step] = table.codes[chosen[does]]
        self.values[rows, step, : values.shape[1]] = values[does]

    def bound(self, base: Base, seed_stream: np.random.Generator, whole_step: int | None) -> Plan:
        """The plan, with a seed for every step where an op of the code book is noise."""
        seeded = any(find_op(name).seeded for name in self.code_book)
        seeds = seed_stream.integers(0, 2**63, self.codes.shape) if seeded else None
        setting = (base.fill, base.interpolation, seeds, base.resolution)
        return Plan(self.code_book, self.codes, self.values, *setting, whole_step)


def _draw_branches(policy: Policy, draws: Draws, pages: _Pages, first_step: int) -> None:
    """Slots of a step: whether, which choice, then for each parameter its value and its sign."""
    taken = weighted([branch.weight for branch in policy.branches], draws[:, 0])
    table, first_choice = _choices(policy, pages.code_book, (pages.slots_per_step - 2) // 2)
    rows_of: list[tuple[int, Rows | slice]] = [(0, slice(None))]
    if len(policy.branches) > 1:
        rows_of = [(number, np.flatnonzero(taken == number)) for number in np.unique(taken).tolist()]
    for step in range(max(len(branch.steps) for branch in policy.branches)):
        slots = draws[:, 1 + step * pages.slots_per_step : 1 + (step + 1) * pages.slots_per_step]
        chosen = np.full(len(draws), NOT_DRAWN)
        for number, rows in rows_of:
            if step < len(policy.branches[number].steps):
                chosen[rows] = _chosen(policy.branches[number].steps[step], slots[rows, :2], first_choice[number][step])
        rows = np.flatnonzero(chosen != NOT_DRAWN)
        pages.write_chosen(rows, first_step + step, table, chosen[rows], slots[rows, 2:])


def _chosen(step: Step, draws: Draws, first_choice: int) -> Rows:
    """The row in the table of all choices that each image draws; NOT_DRAWN where the step does not happen."""
    chosen = first_choice + chosen_of(step, draws[:, 1])
    return chosen if step.probability >= 1 else np.where(draws[:, 0] < step.probability, chosen, NOT_DRAWN)


@lru_cache(maxsize=16)
def _choices(policy: Policy, code_book: tuple[str, ...], parameters: int) -> tuple[ChoiceTable, tuple[tuple[int, ...], ...]]:
    """All choices of a policy, and for each branch and step where its own begin."""
    steps = [step for branch in policy.branches for step in branch.steps]
    ends = iter(np.cumsum([0, *(len(step.choices) for step in steps)]).tolist())
    first_choice = tuple(tuple(next(ends) for _ in branch.steps) for branch in policy.branches)
    return choice_table(tuple(choice for step in steps for choice in step.choices), code_book, parameters), first_choice
