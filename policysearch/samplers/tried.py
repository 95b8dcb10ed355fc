"""What a sampler is told of the policies of a study, and what it is to do. Plain values: no library, no ledger."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Protocol

from searchspaces.json_text import canonical_json
from searchspaces.policy_json import digest
from searchspaces.space import SearchSpace, Value
from trials.values import Recipe

State = Literal["done", "running", "failed", "stopped"]


@dataclass(frozen=True)
class Tried:
    """A policy of the study. `params` are its point in the space, active ones only; a baseline or an enqueued policy has none.

    `key` is the same for the same policy trained alike. `error` is the share of validation images wrong after the full number
    of epochs, of a done one alone; `rungs` are the errors by epochs of all its trials that have one. A stopped one was not worth
    its full number of epochs.
    """

    params: Mapping[str, Value]
    key: str
    state: State
    error: float | None = None
    rungs: Mapping[int, float] = field(default_factory=dict)


class Sampler(Protocol):
    """Suggests points of a space; `notes` say what it can't do there."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user."""

    def suggest(self, history: Sequence[Tried], number: int) -> Mapping[str, Value] | None:
        """Params of a policy that is none of `history`, for trial `number`; None when the space has no other.

        `history` holds every policy of the study in the order they were begun.
        """


def key_of(fingerprint: str, overrides: Mapping[str, float | str], recipe: Recipe) -> str:
    """What tells a policy and its training from all others of the study: its digest, and where its recipe is not the study's."""
    others = {name: value for name, value in overrides.items() if getattr(recipe, name) != value}
    return hashlib.sha256(canonical_json([fingerprint, others]).encode()).hexdigest() if others else fingerprint


@dataclass(frozen=True)
class Points:
    """A space whose points are told apart by the policy they decode to and by how `recipe`, the study's, is changed for it."""

    space: SearchSpace
    recipe: Recipe = field(default_factory=Recipe)

    def key(self, params: Mapping[str, object]) -> str:
        """As `key_of` says, of the policy at a point."""
        return key_of(digest(self.space.decode(params)), self.space.recipe_overrides(params), self.recipe)

    @cached_property
    def cells(self) -> dict[str, Mapping[str, Value]] | None:
        """The first point of each policy of a finite space by its key, in the space's order; None for a space without end."""
        points = self.space.cells()
        if points is None:
            return None
        first: dict[str, Mapping[str, Value]] = {}
        for point in points:
            first.setdefault(self.key(point), point)
        return first

    def left(self, history: Sequence[Tried]) -> list[Mapping[str, Value]] | None:
        """The points of a finite space whose policies are not in `history`, in the space's order."""
        if self.cells is None:
            return None
        seen = keys(history)
        return [point for key, point in self.cells.items() if key not in seen]


def keys(history: Sequence[Tried]) -> set[str]:
    """What has been tried."""
    return {tried.key for tried in history}
