"""Two families as one: the branches of the first, on the base that the second finds, as in `randaugment+geometry`.

Refuses a second family that does not search the base alone, and two parameters of one name.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from searchspaces.errors import BadInput
from searchspaces.families.family import Family
from searchspaces.policy import Base, Policy
from searchspaces.space import SearchSpace

AND = "+"


def composed(branches: Family, base: Family) -> Family:
    """The family whose points have the parameters of both. BadInput where the two don't go together."""
    for family, wanted in ((branches, False), (base, True)):
        if family.searches_base is not wanted:
            raise BadInput(
                f"space {branches.name + AND + base.name!r}: {family.name} {'does not search' if wanted else 'searches'} the"
                f" base; allowed is one space of ops, then {AND} and one of the base, as in randaugment+geometry"
            )
    name = f"{branches.name}{AND}{base.name}"
    summary, source = f"{branches.summary}; and {base.summary}", f"{branches.source}; {base.source}"
    leaves_out = branches.leaves_out and base.leaves_out
    return Family(name, summary, source, partial(_build, branches, base), searches_base=True, leaves_out=leaves_out)


def on_base_of(space: SearchSpace, frame: SearchSpace) -> SearchSpace:
    """The points of both spaces together: the policy of `space` on the base of the policy of `frame`."""
    parameters, notes = (*space.parameters, *frame.parameters), tuple(dict.fromkeys((*space.notes, *frame.notes)))
    fixed = {**space.fixed, **frame.fixed}
    return SearchSpace(f"{space.name}{AND}{frame.name}", parameters, partial(_decode, space, frame), notes, fixed)


def _build(branches: Family, base: Family, channels: int, ground: Base, forbid: tuple[str, ...] = ()) -> SearchSpace:
    space, frame = (family.forbidding(forbid).build(channels, ground) for family in (branches, base))
    return on_base_of(space, frame)


def _decode(space: SearchSpace, frame: SearchSpace, params: Mapping[str, Any]) -> Policy:
    policy, framed = (
        part.decode_with({name: params[name] for name in _names(part) if name in params}) for part in (space, frame)
    )
    return replace(policy, base=framed.base)


def _names(space: SearchSpace) -> tuple[str, ...]:
    return (*(parameter.name for parameter in space.parameters), *space.fixed)
