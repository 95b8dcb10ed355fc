"""What images may not meet, as people write it: `hflip,hue,rotate>15,crop<0.5`, and the cut that it comes to.

A forbid names an op or a part of the base, and may bound an op's strength in the op's own unit. Refuses unknown names, and bounds
that would forbid an op to do nothing: zero strength is always allowed.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from searchspaces.cutting import Cut
from searchspaces.errors import BadInput
from searchspaces.families.family import CROP, MOVES
from searchspaces.json_text import shown
from searchspaces.ops import op_table
from searchspaces.ops.op import Op

NOTHING_OF_DOMAIN = "none"
"""A forbid by this name lifts all that the domain forbids."""
PARTS = (*MOVES, CROP)
"""What of the base can be forbidden: ops of branches too, but for the crop."""
MOST = 200
_FORM = re.compile(r"([A-Za-z][A-Za-z0-9_:]*)\s*(?:([<>])\s*(\S+))?")
_HIDDEN = ("resized_crop", "identity")  # the crop is called crop, whichever it is; and nothing is always allowed


@dataclass(frozen=True)
class Forbid:
    """An op or a part of the base that may not be met: at all, or (`side` ">" or "<") with more or less than `bound`."""

    name: str
    side: str = ""
    bound: float = 0.0

    @property
    def words(self) -> str:
        """As it is written."""
        return f"{self.name}{self.side}{self.bound:g}" if self.side else self.name


def read_forbids(wish: str | Sequence[str]) -> tuple[Forbid, ...]:
    """From text with commas, or a list of texts: each forbid once, in order; "none" is among them as `Forbid("none")`.

    BadInput names what is unknown or can't be forbidden, with what is allowed.
    """
    if not isinstance(wish, str) and (not isinstance(wish, Sequence) or not all(isinstance(part, str) for part in wish)):
        raise BadInput(f"forbid {shown(wish)}: allowed is text such as hflip,hue,rotate>15, or a list of such")
    parts = [part.strip() for text in ([wish] if isinstance(wish, str) else wish) for part in text.split(",")]
    if len(parts) > MOST:
        raise BadInput(f"forbid: {len(parts)} given; allowed are at most {MOST}")
    return tuple(dict.fromkeys(_forbid(part) for part in parts if part))


def cut_of(forbids: Iterable[Forbid]) -> Cut:
    """The cut that takes all that is forbidden. Of two bounds of one side the tighter holds; an op forbidden has no range."""
    forbids = [forbid for forbid in forbids if forbid.name != NOTHING_OF_DOMAIN]
    out = {forbid.name for forbid in forbids if not forbid.side}
    ranges: dict[str, tuple[float, float]] = {}
    for forbid in forbids:
        if forbid.side and forbid.name != CROP and forbid.name not in out:
            low, high = _range(_ops()[forbid.name], forbid)
            before = ranges.get(forbid.name, (-math.inf, math.inf))
            ranges[forbid.name] = (max(before[0], low), min(before[1], high))
    idle = {name for name, (low, high) in ranges.items() if low == high}
    least = max((forbid.bound for forbid in forbids if forbid.name == CROP and forbid.side), default=0.0)
    return Cut(
        {name: ends for name, ends in sorted(ranges.items()) if name not in idle},
        tuple(sorted((out | idle) - set(PARTS))),
        tuple(name for name in PARTS if name in out),
        0.0 if CROP in out else least,
    )


def _forbid(text: str) -> Forbid:
    found = _FORM.fullmatch(text)
    if found is None:
        raise BadInput(f"forbid {shown(text)}: allowed is a name, or NAME>VALUE or NAME<VALUE, as in hflip,hue,rotate>15")
    name, side, bound = found[1], found[2] or "", _number(text, found[3]) if found[2] else 0.0
    if name == NOTHING_OF_DOMAIN:
        if side:
            raise BadInput(f"forbid {shown(text)}: {name} lifts what the domain forbids, and has no bound")
        return Forbid(name)
    if name not in _ops() and name != CROP:
        _refuse_unknown(name)
    if side:
        _check_bound(text, name, side, bound)
    return Forbid(name, side, bound)


def _ops() -> dict[str, Op]:
    return {op.name: op for op in op_table() if op.name not in (*_HIDDEN, CROP)}


def _number(text: str, written: str) -> float:
    try:
        number = float(written)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadInput(f"forbid {shown(text)}: {shown(written)} is no number; give one in the op's unit, as in rotate>15")
    return number + 0.0  # -0.0 is 0.0


def _refuse_unknown(name: str) -> None:
    known = (*PARTS, *(op for op in _ops() if op not in PARTS))
    closest = get_close_matches(name, known, n=1)
    hint = f"did you mean {closest[0]!r}? " if closest else ""
    raise BadInput(f"forbid {shown(name)}: there is no such op or part of the base; {hint}allowed are {', '.join(known)}")


def _check_bound(text: str, name: str, side: str, bound: float) -> None:
    """BadInput unless the bound leaves the op its zero strength, lies in its limits, and says something."""
    wrong = f"forbid {shown(text)}: "
    if name == CROP:
        if side == ">" or not 0 < bound < 1:
            raise BadInput(f"{wrong}allowed is crop<SHARE, the least of the area that a crop keeps (above 0, below 1), or crop")
        return
    strength = _ops()[name].strength
    if name in MOVES or (strength.whole and (strength.low, strength.high) == (0, 1)):
        raise BadInput(f"{wrong}{name} has no strength to bound; forbid {name} as a whole")
    if not strength.low <= bound <= strength.high:
        limits = f"{strength.low:g} to {strength.high:g}"
        raise BadInput(f"{wrong}{name} counts in {strength.unit}; allowed is a bound from {limits}")
    if side == "<" and _both_ways(_ops()[name]):
        raise BadInput(f"{wrong}{name} goes both ways from 0; write {name}>{abs(bound):g}, which bounds both")
    if (bound < strength.identity) if side == ">" else (bound > strength.identity):
        other = "<" if side == ">" else ">"
        raise BadInput(
            f"{wrong}at {strength.identity:g} {strength.unit} {name} does nothing, and nothing is always allowed; give"
            f" {name}{side} with a bound on the far side of that, {name}{other}, or {name} to forbid it as a whole"
        )


def _both_ways(op: Op) -> bool:
    """Whether its strength says how far it goes to either side of 0, as degrees do: one bound is then meant for both sides."""
    strength = op.strength
    return strength.identity == 0 and strength.low == -strength.high


def _range(op: Op, forbid: Forbid) -> tuple[float, float]:
    strength = op.strength
    bound = forbid.bound
    if strength.whole:
        bound = float(math.floor(bound) if forbid.side == ">" else math.ceil(bound))
    if _both_ways(op):
        return (-bound, bound)
    ends = (strength.low, bound) if forbid.side == ">" else (bound, strength.high)
    return (float(ends[0]), float(ends[1]))
