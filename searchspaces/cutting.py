"""A space cut down to what keeps labels: ranges of ops ended, ops left out, flips and turns of the base switched off.

It works on what a space decodes to, so it serves every family. Zero strength stays the identity; a policy that loses all its ops
is its base. Refuses nothing: it is told what to cut.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from searchspaces.families.family import without_moves
from searchspaces.ops import find_op
from searchspaces.ops.op import Op
from searchspaces.policy import Branch, Choice, Constant, Distribution, Levels, Policy, Step, Uniform
from searchspaces.space import SearchSpace

SUFFIX = "-trimmed"


@dataclass(frozen=True)
class Cut:
    """What is cut: the lowest and highest strength that ops may have, ops that no branch may have, and moves of the base.

    Moves are left out of branches too. False where nothing is cut.
    """

    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    moves: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.ranges or self.left_out or self.moves)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        ranges = {op: list(ends) for op, ends in self.ranges.items()}
        return {"ranges": ranges, "left_out": list(self.left_out), "moves": list(self.moves)}

    @staticmethod
    def from_dict(raw: Mapping[str, Any]) -> "Cut":
        """The inverse of `to_dict`."""
        ranges = {op: (float(low), float(high)) for op, (low, high) in raw["ranges"].items()}
        return Cut(ranges, tuple(raw["left_out"]), tuple(raw["moves"]))

    @property
    def words(self) -> str:
        """What is cut, for people."""
        told = [_range_in_words(find_op(op), *ends) for op, ends in self.ranges.items()]
        out = dict.fromkeys((*self.left_out, *self.moves))
        return "; ".join([*told, *([f"no {', '.join(out)}"] if out else [])]) or "nothing"


def cut_space(space: SearchSpace, cut: Cut) -> SearchSpace:
    """The space whose every policy is cut, under a name of its own. Its parameters stay, also those that now change nothing."""
    if not cut:
        return space
    decode = partial(_decode, space.decode_with, cut)
    return replace(
        space, name=space.name + SUFFIX, decode_with=decode, notes=(*space.notes, f"trimmed to keep labels: {cut.words}")
    )


def cut_policy(policy: Policy, cut: Cut) -> Policy:
    """The policy, cut."""
    branches = tuple(replace(branch, steps=_cut_steps(branch, cut)) for branch in policy.branches)
    return replace(policy, base=without_moves(policy.base, cut.moves), branches=branches)


def _decode(decode_with: Callable[[Mapping[str, Any]], Policy], cut: Cut, params: Mapping[str, Any]) -> Policy:
    return cut_policy(decode_with(params), cut)


def _cut_steps(branch: Branch, cut: Cut) -> tuple[Step, ...]:
    out = {*cut.left_out, *cut.moves}
    left = [(step, tuple(_cut_choice(choice, cut) for choice in step.choices if choice.op not in out)) for step in branch.steps]
    return tuple(replace(step, choices=choices) for step, choices in left if choices)


def _cut_choice(choice: Choice, cut: Cut) -> Choice:
    if choice.op not in cut.ranges:
        return choice
    low, high = cut.ranges[choice.op]
    identity = find_op(choice.op).strength.identity
    if choice.values[0].signed:  # as likely to either side, so no further to one than to the other
        reach = min(identity - low, high - identity)
        low, high = identity - reach, identity + reach
    return replace(choice, values=(_ended(choice.values[0], low, high), *choice.values[1:]))


def _ended(values: Distribution, low: float, high: float) -> Distribution:
    """The distribution without what lies outside; where nothing is inside, the end that is nearest."""
    if isinstance(values, Constant):
        return replace(values, value=min(max(values.value, low), high))
    if isinstance(values, Uniform):
        if values.low <= high and values.high >= low:
            return replace(values, low=max(values.low, low), high=min(values.high, high))
        return Constant(low if values.high < low else high, values.signed)
    kept = tuple(value for value in values.values if low <= value <= high)
    return Levels(kept, values.signed) if kept else Constant(min(max(values.values[0], low), high), values.signed)


def _range_in_words(op: Op, low: float, high: float) -> str:
    strength = op.strength
    unit = f" {strength.unit}" if strength.unit else ""
    if low == strength.low:
        return f"{op.name} to at most {high:.4g}{unit}"
    if high == strength.high:
        return f"{op.name} from at least {low:.4g}{unit}"
    return f"{op.name} from {low:.4g} to {high:.4g}{unit}"
