"""Which policy to try next. A sampler keeps no state: it is asked with the ledger's history and a trial's number.

Its randomness derives from the study's seed and that number, so the same history gives the same suggestion in any process. No
policy is suggested twice in a study, whatever params lead to it. Refuses a grid over a space that has none.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from searchspaces.errors import BadInput
from searchspaces.policy_json import digest
from searchspaces.space import SearchSpace, Value
from trials.seeds import derive_seed, numpy_generator

if TYPE_CHECKING:
    import optuna

    from policysearch.ledger import TrialRecord

DRAWS = 1000
TPE_ASKS = 20
TPE_RANDOM_TRIALS = 10  # as Optuna's default: so many trials by chance before the model is asked


class Sampler(Protocol):
    """Suggests points of a space."""

    def suggest(self, history: "Sequence[TrialRecord]", number: int) -> Mapping[str, Value] | None:
        """Params whose policy no trial of `history` has, for trial `number`; None when the space has no other policy.

        `history` holds every trial of the study by number: finished ones, failed ones and those under way.
        """


@dataclass(frozen=True)
class Untried:
    """What of a space has not been tried."""

    space: SearchSpace

    @cached_property
    def cells(self) -> dict[str, Mapping[str, Value]] | None:
        """The params of every policy of a finite space by its digest, in the space's order; None for a space without end."""
        points = self.space.cells()
        if points is None:
            return None
        first: dict[str, Mapping[str, Value]] = {}
        for point in points:
            first.setdefault(digest(self.space.decode(point)), point)
        return first

    def left(self, history: "Sequence[TrialRecord]") -> list[Mapping[str, Value]] | None:
        """The points of a finite space whose policies are not in `history`, in the space's order."""
        if self.cells is None:
            return None
        seen = {trial.digest for trial in history}
        return [point for fingerprint, point in self.cells.items() if fingerprint not in seen]

    def is_new(self, point: Mapping[str, Value], history: "Sequence[TrialRecord]") -> bool:
        """Whether no trial of `history` has the policy at `point`."""
        fingerprint = digest(self.space.decode(point))
        return all(trial.digest != fingerprint for trial in history)


@dataclass(frozen=True)
class GridSampler:
    """Every policy of a finite space once, in an order shuffled by the seed, so that a grid cut short is no corner of it."""

    space: SearchSpace
    seed: int

    @cached_property
    def _untried(self) -> Untried:
        return Untried(self.space)

    def suggest(self, history: "Sequence[TrialRecord]", number: int) -> Mapping[str, Value] | None:
        """As `Sampler.suggest` says; `number` makes no difference."""
        cells = self._untried.cells
        assert cells is not None, "make_sampler refuses such a space"
        points = list(cells.items())
        seen = {trial.digest for trial in history}
        order = numpy_generator("sampler", self.seed, "grid").permutation(len(points))
        return next((points[place][1] for place in order if points[place][0] not in seen), None)


@dataclass(frozen=True)
class RandomSampler:
    """Independent draws, uniform in each parameter (on its logarithm where the parameter says so)."""

    space: SearchSpace
    seed: int

    @cached_property
    def _untried(self) -> Untried:
        return Untried(self.space)

    def suggest(self, history: "Sequence[TrialRecord]", number: int) -> Mapping[str, Value] | None:
        """As `Sampler.suggest` says. A space that is not finite counts as used up after 1,000 draws of known policies."""
        generator = numpy_generator("sampler", self.seed, number)
        left = self._untried.left(history)
        if left is not None:
            return left[int(generator.integers(len(left)))] if left else None
        for _ in range(DRAWS):
            point = self.space.draw(generator)
            if self._untried.is_new(point, history):
                return point
        return None


@dataclass(frozen=True)
class TpeSampler:
    """Optuna's tree-structured Parzen estimator on the share of validation images wrong, rebuilt from the history each time.

    Baselines have no params in the space and failed trials no error: both are left out. Trials under way count as bad ones
    (Optuna's constant liar), so that parallel suggestions differ. Bergstra et al. 2011.
    """

    space: SearchSpace
    seed: int

    @cached_property
    def _untried(self) -> Untried:
        return Untried(self.space)

    @cached_property
    def _by_chance(self) -> RandomSampler:
        return RandomSampler(self.space, self.seed)

    def suggest(self, history: "Sequence[TrialRecord]", number: int) -> Mapping[str, Value] | None:
        """As `Sampler.suggest` says; where the model only repeats itself, by chance."""
        if self._untried.left(history) == []:
            return None
        study, distributions = self._told(history, number)
        for _ in range(TPE_ASKS):
            point = dict(study.ask(distributions).params)
            if self._untried.is_new(point, history):
                return point
        return self._by_chance.suggest(history, number)

    def _told(self, history: "Sequence[TrialRecord]", number: int) -> "tuple[optuna.Study, dict[str, Any]]":
        """An Optuna study in memory that knows the history, and the space as Optuna says it."""
        import optuna

        seed = derive_seed("sampler", self.seed, number) % 2**32
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=TPE_RANDOM_TRIALS, constant_liar=True)
        loud = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)  # it would announce the study it makes
        try:
            study = optuna.create_study(sampler=sampler, direction="minimize", study_name="history")
        finally:
            optuna.logging.set_verbosity(loud)
        distributions = self.space.to_optuna()
        study.add_trials([frozen for trial in history if (frozen := _frozen(trial, distributions)) is not None])
        return study, distributions


def _frozen(trial: "TrialRecord", distributions: "dict[str, Any]") -> "optuna.trial.FrozenTrial | None":
    """A searched trial in Optuna's words; None for one that has nothing to say to it."""
    import optuna

    if trial.role != "trial" or (trial.result is not None and trial.result.score is None):
        return None
    score = None if trial.result is None else trial.result.score
    return optuna.trial.create_trial(
        state=optuna.trial.TrialState.RUNNING if score is None else optuna.trial.TrialState.COMPLETE,
        value=None if score is None else score.wrong / score.total,
        params=trial.params,
        distributions=distributions,
    )


SAMPLERS: Mapping[str, Callable[[SearchSpace, int], Sampler]] = {"tpe": TpeSampler, "random": RandomSampler, "grid": GridSampler}


def make_sampler(name: str, space: SearchSpace, seed: int) -> Sampler:
    """The sampler of that name. Raises BadInput for an unknown name, and for a grid over a space without end."""
    if name not in SAMPLERS:
        raise BadInput(f"sampler {name!r}: allowed are {', '.join(SAMPLERS)}")
    if name == "grid" and space.cells() is None:
        raise BadInput(f"sampler 'grid': the space {space.name} is not a finite grid; allowed for it are tpe, random")
    return SAMPLERS[name](space, seed)
