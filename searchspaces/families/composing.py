"""Two families as one: the policies of the first, with the base or the batch part that the second finds, as in
`randaugment+geometry` or `randaugment+mixing`.

Refuses a second family that searches more than one of these, one that is searched already, and two parameters of one name.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal, TypeAlias

from searchspaces.errors import BadInput
from searchspaces.families.family import Family
from searchspaces.policy import Base, Policy
from searchspaces.space import SearchSpace

AND = "+"
Part: TypeAlias = Literal["base", "batch"]


def composed(first: Family, second: Family) -> Family:
    """The family whose points have the parameters of both. BadInput where the two don't go together."""
    part: Part = "batch" if second.searches_batch and not second.searches_base else "base"
    _check(first, second, part)
    name = f"{first.name}{AND}{second.name}"
    summary, source = f"{first.summary}; and {second.summary}", f"{first.source}; {second.source}"
    return Family(
        name,
        summary,
        source,
        partial(_build, first, second, part),
        searches_base=first.searches_base or part == "base",
        leaves_out=first.leaves_out and second.leaves_out,
        searches_batch=first.searches_batch or part == "batch",
    )


def on_part_of(space: SearchSpace, frame: SearchSpace, part: Part) -> SearchSpace:
    """The points of both spaces together: the policy of `space` with the base or the batch part of that of `frame`."""
    parameters, notes = (*space.parameters, *frame.parameters), tuple(dict.fromkeys((*space.notes, *frame.notes)))
    fixed = {**space.fixed, **frame.fixed}
    return SearchSpace(f"{space.name}{AND}{frame.name}", parameters, partial(_decode, space, frame, part), notes, fixed)


def on_base_of(space: SearchSpace, frame: SearchSpace) -> SearchSpace:
    """The points of both spaces together: the policy of `space` on the base of the policy of `frame`."""
    return on_part_of(space, frame, "base")


def _check(first: Family, second: Family, part: Part) -> None:
    if part == "batch":
        if first.searches_batch:
            raise BadInput(
                f"space {first.name + AND + second.name!r}: {first.name} searches the batch part already; give it once"
            )
        return
    for family, wanted in ((first, False), (second, True)):
        if family.searches_base is not wanted:
            raise BadInput(
                f"space {first.name + AND + second.name!r}: {family.name} {'does not search' if wanted else 'searches'} the"
                f" base; allowed is one space of ops, then {AND} and one of the base, as in randaugment+geometry"
            )


def _build(first: Family, second: Family, part: Part, channels: int, ground: Base, forbid: tuple[str, ...] = ()) -> SearchSpace:
    space, frame = (family.forbidding(forbid).build(channels, ground) for family in (first, second))
    return on_part_of(space, frame, part)


def _decode(space: SearchSpace, frame: SearchSpace, part: Part, params: Mapping[str, Any]) -> Policy:
    policy, framed = (one.decode_with({name: params[name] for name in _names(one) if name in params}) for one in (space, frame))
    return replace(policy, batch=framed.batch) if part == "batch" else replace(policy, base=framed.base)


def _names(space: SearchSpace) -> tuple[str, ...]:
    return (*(parameter.name for parameter in space.parameters), *space.fixed)
