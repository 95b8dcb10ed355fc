"""Optuna's tree-structured Parzen estimator (Bergstra et al. 2011), rebuilt from the history for each suggestion.

It keeps no state of its own, so the same history, number and seed give the same suggestion in any process, and a search that was
killed goes on as if it hadn't been. How much it is told is bounded (`telling.worth_telling`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from policysearch.samplers.by_chance import RandomSampler
from policysearch.samplers.tried import Points, Tried, keys
from searchspaces.space import Value
from trials.seeds import derive_seed

ASKS = 20
RANDOM_TRIALS = 10  # as Optuna's default: so many trials by chance before the model is asked


@dataclass(frozen=True)
class TpeSampler:
    """Multivariate, as Optuna's default; in a space with conditions by groups of parameters that exist together.

    Trials under way count as bad ones (Optuna's constant liar), so that parallel suggestions differ.
    """

    points: Points
    seed: int
    notes: tuple[str, ...] = ()

    @cached_property
    def _by_chance(self) -> RandomSampler:
        return RandomSampler(self.points, self.seed)

    @cached_property
    def _frozen(self) -> dict[tuple[str, str, int], Any]:
        """Trials made before, in Optuna's words: no state, for the same are made anew."""
        return {}

    @cached_property
    def _distributions(self) -> Mapping[str, Any]:
        return self.points.space.to_optuna()

    def suggest(self, history: Sequence[Tried], number: int) -> Mapping[str, Value] | None:
        """As `Sampler.suggest` says; where the model only repeats itself, by chance."""
        if self.points.left(history) == []:
            return None
        from policysearch.samplers.telling import quiet
        from searchspaces.render.optuna import suggest

        seen = keys(history)
        with quiet():
            study = self._told(history, number)
            for _ in range(ASKS):
                point = self.points.space.check(suggest(self.points.space, study.ask()))
                if self.points.key(point) not in seen:
                    return point
        return self._by_chance.suggest(history, number)

    def _told(self, history: Sequence[Tried], number: int) -> Any:
        """An Optuna study in memory that knows what is worth telling."""
        import optuna

        from policysearch.samplers.telling import frozen, worth_telling

        space = self.points.space
        sampler = optuna.samplers.TPESampler(
            seed=derive_seed("sampler", self.seed, number) % 2**32,
            n_startup_trials=RANDOM_TRIALS,
            constant_liar=True,
            group=any(parameter.when is not None for parameter in space.parameters),
        )
        study = optuna.create_study(sampler=sampler, direction="minimize", study_name="history")
        for tried in worth_telling(history):
            known = (tried.key, tried.state, len(tried.rungs))
            if known not in self._frozen:
                self._frozen[known] = frozen(tried, space, self._distributions)
            if self._frozen[known] is not None:
                study.add_trial(self._frozen[known])
        return study
