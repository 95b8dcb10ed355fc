"""What all trials of a study have in common, as the search runs with it: decided once, before the first of them.

Holds no state and refuses nothing: wishes that can't be are refused before (`policysearch.study`, `policysearch.wished`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from policysearch.ledger import Standing
from policysearch.rungs import ETA, EarlyStopping
from searchspaces.errors import BadInput
from searchspaces.policy import Policy
from searchspaces.space import SearchSpace
from trials.values import DataRef, Recipe


@dataclass(frozen=True)
class Setting:
    """What all trials of a study share, what it searches, and the policies by label that are run beside.

    `rungs` are the numbers of epochs that a searched policy may train for, ascending to `budget_epochs`; of each the best
    `1 / eta` go on; `by` says what the lower ones have less of (`policysearch.rungs`). Where `objective` names a trainer of the
    user's own, `data` may be None. A trial that takes longer than `limit_seconds` hangs; None leaves it to `usual_limit`.
    """

    space: SearchSpace
    baselines: Mapping[str, Policy]
    recipe: Recipe
    data: DataRef | None
    seed: int
    budget_epochs: int
    enqueued: Mapping[str, Policy] = field(default_factory=dict)
    rungs: tuple[int, ...] = ()
    eta: int = ETA
    objective: str | None = None
    limit_seconds: float | None = None
    by: str = "epochs"

    @property
    def early_stopping(self) -> EarlyStopping:
        """The rungs, of which there is at least the last."""
        return EarlyStopping(self.rungs or (self.budget_epochs,), self.eta, self.by)

    def epochs_trained(self, budget_epochs: int, told: int) -> int:
        """How many of its epochs a finished trial has trained: all, but where patience may have ended it those it has told of."""
        may_end = self.objective is None and self.recipe.patience_epochs > 0
        return told if may_end and told else budget_epochs

    def epochs_of(self, row: Standing) -> int:
        """The same of a trial that the ledger has."""
        return self.epochs_trained(row.budget_epochs, row.epochs)

    def overrides(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """What of the recipe is another at a point of the space; nothing for params that are no point of it."""
        try:
            return self.space.recipe_overrides(params)
        except BadInput:
            return {}
