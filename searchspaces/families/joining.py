"""Several families as one conditional space, as in `randaugment,photometric`: which of them is the first parameter.

Each family's own parameters follow under its name (`randaugment.ops`) and exist only where it is the one. Refuses a family given
twice, and one of ops beside one of the base.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from searchspaces.errors import BadInput
from searchspaces.families.composing import AND
from searchspaces.families.family import Family
from searchspaces.families.option import LISTED, NAMED
from searchspaces.json_text import shown
from searchspaces.policy import Base, Policy
from searchspaces.space import Categorical, Parameter, SearchSpace, When

WHICH = "family"
MOST = 16
_OPTION = re.compile(r"[^:=]*=")


def split_families(wish: str) -> list[str]:
    """The families of a wish: it is split at its commas, but not before what goes on with a family's options (`name=value`)."""
    first, *others = wish.split(LISTED)
    parts = [[first]]
    for piece in others:
        if _OPTION.match(piece):
            parts[-1].append(piece)
        else:
            parts.append([piece])
    if len(parts) > MOST:
        raise BadInput(f"space {shown(wish)}: {len(parts)} families; allowed are at most {MOST}")
    return [LISTED.join(pieces) for pieces in parts]


def joined(families: Sequence[Family]) -> Family:
    """The family whose points are those of all of them. BadInput for one given twice, and where some search the base alone."""
    names = [family.name for family in families]
    for name in names:
        if AND in name:
            raise BadInput(f"space {LISTED.join(names)!r}: the base goes with all or none; write it last, behind all families")
        if names.count(name) > 1:
            raise BadInput(f"space {LISTED.join(names)!r}: {name} given twice; give each family once")
    if len({family.searches_base for family in families}) > 1:
        searching = next(family.name for family in families if family.searches_base)
        raise BadInput(f"space {LISTED.join(names)!r}: {searching} searches the base; write it last, behind all: +{searching}")
    if len({family.searches_batch for family in families}) > 1:
        searching = next(family.name for family in families if family.searches_batch)
        raise BadInput(
            f"space {LISTED.join(names)!r}: {searching} searches the batch part; write it last, behind all: +{searching}"
        )
    name, summary = LISTED.join(names), "one of: " + "; ".join(family.summary for family in families)
    source = "; ".join(dict.fromkeys(family.source for family in families))
    return Family(
        name,
        summary,
        source,
        partial(_build, tuple(families)),
        searches_base=families[0].searches_base,
        leaves_out=all(family.leaves_out for family in families),
        searches_batch=families[0].searches_batch,
    )


def _build(families: Sequence[Family], channels: int, base: Base, forbid: tuple[str, ...] = ()) -> SearchSpace:
    spaces = [family.forbidding(forbid).build(channels, base) for family in families]
    parts = {family.name: part for family, part in zip(families, zip(_prefixes(families), spaces, strict=True), strict=True)}
    own = (_under(prefix, parameter, name) for name, (prefix, space) in parts.items() for parameter in space.parameters)
    notes = tuple(f"{space.name}: {note}" for space in spaces for note in space.notes)
    return SearchSpace(LISTED.join(parts), (Categorical(WHICH, tuple(parts)), *own), partial(_decode, parts), notes)


def _under(prefix: str, parameter: Parameter, choice: Any) -> Parameter:
    """The parameter under its family's name, on condition that the family is the one."""
    when = parameter.when
    return replace(
        parameter,
        name=prefix + parameter.name,
        when=When(WHICH, (choice,)) if when is None else When(prefix + when.name, when.values),
    )


def _prefixes(families: Sequence[Family]) -> list[str]:
    """What each family's parameters begin with: its name without options, numbered from its second time on."""
    found: list[str] = []
    for family in families:
        name = re.sub(r"[^a-z0-9_]", "_", family.name.partition(NAMED)[0].lower())
        numbered = (f"{name}_{number}." for number in range(2, MOST + 2))
        found.append(next(prefix for prefix in (f"{name}.", *numbered) if prefix not in found))
    return found


def _decode(parts: Mapping[str, tuple[str, SearchSpace]], params: Mapping[str, Any]) -> Policy:
    prefix, space = parts[params[WHICH]]
    return space.decode_with({name.removeprefix(prefix): value for name, value in params.items() if name.startswith(prefix)})
