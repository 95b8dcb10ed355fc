"""A space cut down: ranges of ops ended, ops left out, flips, turns and the crop of the base switched off or made gentler.

It works on what a space decodes to, so it serves every family, and any policy. Zero strength stays the identity; a policy that
loses all its ops is its base. Refuses nothing: it is told what to cut, by `--trim` or by what a study's images may not meet.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from searchspaces.families.family import without_moves
from searchspaces.framing import Base, Batch, PadCrop, ResizedCrop
from searchspaces.ops import find_op
from searchspaces.ops.op import Op
from searchspaces.policy import Branch, Choice, Constant, Distribution, Levels, Policy, Step, Uniform
from searchspaces.space import SearchSpace

SUFFIX = "-trimmed"
ERASE = "erase"
"""The op that the cutout of a batch is carried out with."""


@dataclass(frozen=True)
class Cut:
    """What is cut: the lowest and highest strength that ops may have, ops that no branch may have, and moves of the base
    ("hflip", "vflip", "quarter_turns", "crop").

    Moves are left out of branches too. `crop_least` is the smallest share of an image's area that a crop may keep; 0: any. False
    where nothing is cut.
    """

    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    moves: tuple[str, ...] = ()
    crop_least: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.ranges or self.left_out or self.moves or self.crop_least)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        ranges = {op: list(ends) for op, ends in self.ranges.items()}
        told = {"ranges": ranges, "left_out": list(self.left_out), "moves": list(self.moves)}
        return told | ({"crop_least": self.crop_least} if self.crop_least else {})

    @staticmethod
    def from_dict(raw: Mapping[str, Any]) -> "Cut":
        """The inverse of `to_dict`."""
        ranges = {op: (float(low), float(high)) for op, (low, high) in raw["ranges"].items()}
        return Cut(ranges, tuple(raw["left_out"]), tuple(raw["moves"]), float(raw.get("crop_least", 0.0)))

    @property
    def words(self) -> str:
        """What is cut, for people."""
        told = [_range_in_words(find_op(op), *ends) for op, ends in self.ranges.items()]
        crop = [f"crops that keep at least {self.crop_least:.4g} of the area"] if self.crop_least else []
        out = dict.fromkeys((*self.left_out, *self.moves))
        return "; ".join([*told, *crop, *([f"no {', '.join(out)}"] if out else [])]) or "nothing"


def cut_space(space: SearchSpace, cut: Cut, suffix: str = SUFFIX, why: str = "trimmed to keep labels") -> SearchSpace:
    """The space whose every policy is cut, under a name with that suffix, with a note of why.

    Its parameters stay, also those that now change nothing.
    """
    if not cut:
        return space
    decode = partial(_decode, space.decode_with, cut)
    return replace(space, name=space.name + suffix, decode_with=decode, notes=(*space.notes, f"{why}: {cut.words}"))


def cut_policy(policy: Policy, cut: Cut) -> Policy:
    """The policy, cut."""
    branches = tuple(replace(branch, steps=_cut_steps(branch, cut)) for branch in policy.branches)
    return replace(policy, base=cut_base(policy.base, cut), branches=branches, batch=_cut_batch(policy.batch, cut))


def cut_base(base: Base, cut: Cut) -> Base:
    """The base, cut."""
    plain = without_moves(base, cut.moves)
    return replace(plain, crop=_cut_crop(plain.crop, cut.crop_least))


def beyond(policy: Policy, cut: Cut) -> tuple[str, ...]:
    """What the policy has that the cut would take, for people: ops left out, ops beyond their range, parts of the base."""
    return tuple(dict.fromkeys(_beyond(policy, cut)))


def _beyond(policy: Policy, cut: Cut) -> Iterator[str]:
    out = {*cut.left_out, *cut.moves}
    for choice in (choice for branch in policy.branches for step in branch.steps for choice in step.choices):
        if choice.op in out:
            yield f"op {choice.op}"
        elif _cut_choice(choice, cut) != choice:
            yield f"op {choice.op} (allowed is {_ends_in_words(find_op(choice.op), *cut.ranges[choice.op])})"
    before, after = policy.base, cut_base(policy.base, cut)
    for name in ("hflip", "vflip", "quarter_turns"):
        if getattr(before, name) != getattr(after, name):
            yield f"{name} of its base"
    if before.crop != after.crop:
        yield "crop of its base" + (f" (allowed is at least {cut.crop_least:.4g} of the area)" if after.crop else "")
    if policy.batch != _cut_batch(policy.batch, cut):
        yield f"cutout, which is op {ERASE}"


def _decode(decode_with: Callable[[Mapping[str, Any]], Policy], cut: Cut, params: Mapping[str, Any]) -> Policy:
    return cut_policy(decode_with(params), cut)


def _cut_crop(crop: PadCrop | ResizedCrop | None, least: float) -> PadCrop | ResizedCrop | None:
    """The crop, of which no window keeps less than `least` of the image's area."""
    if crop is None or not least:
        return crop
    if isinstance(crop, PadCrop):  # a window furthest into a corner keeps 1 - padding of either side
        padding = min(crop.padding, 1 - math.sqrt(least))
        return PadCrop(padding) if padding > 0 else None
    low = max(crop.scale_low, least)
    return replace(crop, scale_low=low, scale_high=max(crop.scale_high, low))


def _cut_batch(batch: Batch, cut: Cut) -> Batch:
    if ERASE in cut.left_out:
        return replace(batch, cutout=0.0)
    return replace(batch, cutout=min(batch.cutout, cut.ranges[ERASE][1])) if ERASE in cut.ranges else batch


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
    before = "to " if low == op.strength.low else "from " if high == op.strength.high else ""
    return f"{op.name} {before}{_ends_in_words(op, low, high)}"


def _ends_in_words(op: Op, low: float, high: float) -> str:
    strength = op.strength
    unit = f" {strength.unit}" if strength.unit else ""
    if low == strength.low:
        return f"at most {high:.4g}{unit}"
    return f"at least {low:.4g}{unit}" if high == strength.high else f"from {low:.4g} to {high:.4g}{unit}"
