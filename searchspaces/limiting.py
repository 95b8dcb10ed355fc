"""What a study's images may not meet: a domain's limits and a user's forbids as one cut, put to work on spaces and policies.

What a user forbids of an op or a part of the base stands in place of what the domain says of that one. Refuses forbids that leave
a space nothing to search, or a baseline none of its ops.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from searchspaces.cutting import Cut, beyond, cut_base, cut_policy, cut_space
from searchspaces.domains import Domain, Limit, find_domain
from searchspaces.errors import BadInput
from searchspaces.families import find_family
from searchspaces.families.fixed import baselines
from searchspaces.forbidding import NOTHING_OF_DOMAIN, Forbid, cut_of, read_forbids
from searchspaces.policy import Base, Policy
from searchspaces.policy_json import digest
from searchspaces.space import SearchSpace

CUT_LABEL = " (cut)"
"""What the label of a baseline ends with that is not the published one."""
LOOKED_AT = 64


@dataclass(frozen=True)
class Limits:
    """A domain, those of its limits that hold, and the user's own forbids.

    Where only the data's reader named the domain it is not `wished` for, and none of its limits hold.
    """

    domain: Domain
    held: tuple[Limit, ...] = ()
    forbids: tuple[Forbid, ...] = ()
    wished: bool = True

    @cached_property
    def cut(self) -> Cut:
        """All of it as one cut; False where nothing is forbidden."""
        return cut_of((*(forbid for limit in self.held for forbid in read_forbids(limit.forbids)), *self.forbids))

    def base(self, height: int | None = None, width: int | None = None) -> Base:
        """What every image of this size meets: the domain's base without what is forbidden."""
        return cut_base(self.domain.base(height, width), self.cut)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, the same for the same limits: what the domain forbids, what the user does, and the cut."""
        by_domain = sorted(forbid for limit in self.held for forbid in limit.forbids)
        return {"by_domain": by_domain, "forbid": sorted(forbid.words for forbid in self.forbids), "cut": self.cut.to_dict()}

    def notes(self, channels: int) -> tuple[str, ...]:
        """Sentences for the user: what is forbidden and why, and images that the domain does not expect."""
        domain = f"domain {self.domain.name}"
        told = [f"{domain}: {', '.join(limit.forbids)} forbidden: {limit.reason}" for limit in self.held]
        if self.domain.limits and not self.wished:
            told += [
                f"the data is read as {self.domain.name}, and no op is forbidden; --{domain} would limit what changes labels"
            ]
        told += [f"forbidden by wish: {', '.join(forbid.words for forbid in self.forbids)}"] if self.forbids else []
        usual = self.domain.channels
        if self.held and usual is not None and channels not in usual:
            told += [f"{domain}: usual are {' or '.join(map(str, usual))} channels an image, these have {channels}"]
        return tuple(told)


def limits_of(wished: str | None, said: str, forbid: str | Sequence[str] = ()) -> Limits:
    """The limits of a study: of the domain that the user wished for, else the base alone of the one that the data's reader said
    it is, and what the user forbids. "none" among these lifts all that the domain forbids.

    BadInput for an unknown domain, and as `read_forbids` says.
    """
    forbids, domain = read_forbids(forbid), find_domain(said if wished is None else wished)
    named = {part.name for part in forbids}
    lifted = wished is None or NOTHING_OF_DOMAIN in named
    held = () if lifted else tuple(kept for limit in domain.limits if (kept := _without(limit, named)).forbids)
    own = tuple(part for part in forbids if part.name != NOTHING_OF_DOMAIN)
    return Limits(domain, held, own, wished is not None)


def recorded_cut(identity: Mapping[str, Any]) -> Cut:
    """The cut of a study by its recorded identity."""
    return Cut.from_dict(identity["limits"]["cut"]) if "limits" in identity else Cut()


def limited_space(wish: str | Mapping[str, Any], channels: int, base: Base, cut: Cut) -> SearchSpace:
    """The space as `build_space` makes it, on that base, without what is cut. Ops that are left out have no parameters where the
    family can do without them.

    BadInput where nothing is left to search.
    """
    family = find_family(wish)
    whole = family.build(channels, base)
    if not cut:
        return whole
    names = (*cut.left_out, *cut.moves)
    space = family.forbidding(names).build(channels, base) if family.leaves_out else whole
    limited = cut_space(space, cut, suffix="", why="searched policies and baselines alike keep to")
    _check_left(whole, limited, cut)
    return limited


def limited_baselines(channels: int, base: Base, cut: Cut) -> dict[str, Policy]:
    """The free baselines on that base, cut as the space is; those that this changes say so in their label.

    A baseline with a forbidden op would be neither safe nor a fair measure. BadInput where one loses all its ops.
    """
    free = baselines(channels, cut_base(base, cut))
    limited: dict[str, Policy] = {}
    for label, policy in free.items():
        kept = cut_policy(policy, cut)
        if policy.ops and not kept.ops:
            raise BadInput(f"forbid: nothing is left of the baseline {label} ({cut.words}); forbid less")
        limited[label if kept == policy else label + CUT_LABEL] = kept
    return limited


def check_within(label: str, policy: Policy, cut: Cut) -> None:
    """BadInput, naming what it has, for a policy that goes beyond the limits."""
    if found := beyond(policy, cut):
        raise BadInput(f"{label}: the study forbids what it has: {'; '.join(found)}; leave it out, or forbid less")


def _without(limit: Limit, named: set[str]) -> Limit:
    return replace(limit, forbids=tuple(text for text in limit.forbids if read_forbids(text)[0].name not in named))


def _check_left(whole: SearchSpace, limited: SearchSpace, cut: Cut) -> None:
    left = _some_of(limited)
    no_op = not any(policy.ops for policy in left) and any(policy.ops for policy in _some_of(whole))
    if no_op or len({digest(policy) for policy in left}) < 2:
        raise BadInput(f"forbid: of space {whole.name} nothing is left to search ({cut.words}); forbid less, or search another")


def _some_of(space: SearchSpace) -> list[Policy]:
    generator = np.random.default_rng(0)
    ends = [space.decode({parameter.name: parameter.ends[end] for parameter in space.parameters}) for end in (0, 1)]
    return [*ends, *(space.decode(space.draw(generator)) for _ in range(LOOKED_AT))]
