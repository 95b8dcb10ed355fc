"""Every other sampler of Optuna's, by its class name. These have a state of their own, so that one lives as long as the process.

Nothing of that state is stored, and none is read: a search that is taken up again makes a new sampler, of another seed, and tells
it the ledger's history as trials that others suggested. What a sampler has from its own suggestions beyond that (CMA-ES's
covariance, a population's generation, a sequence's place) begins anew. Refuses classes that can't be made from a seed alone, and
missing libraries.
"""

import importlib.util
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from policysearch.samplers.by_chance import RandomSampler
from policysearch.samplers.tried import Points, Tried, keys
from searchspaces.errors import BadInput
from searchspaces.space import Categorical, Value
from trials.seeds import derive_seed

ASKS = 5  # some fit a model anew for each
LIBRARIES = {"CmaEsSampler": ("cmaes",), "GPSampler": ("scipy", "torch"), "QMCSampler": ("scipy",)}
INSTEAD = {"GridSampler": "grid", "PartialFixedSampler": "a space from a YAML file that fixes values"}
CONDITIONS = {
    "CmaEsSampler": "the parameters that don't exist everywhere, and those without an order, are drawn by chance beside it",
    "GPSampler": "the parameters that don't exist everywhere are drawn by chance beside it",
    "QMCSampler": "the parameters that don't exist everywhere are drawn by chance beside it",
}
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "QMCSampler": {"scramble": True},  # a new one would repeat the first one's points otherwise
    "TPESampler": {"constant_liar": True},
}


def make_live(name: str, points: Points, seed: int) -> "LiveSampler":
    """The sampler by the name of Optuna's class. BadInput says why there is none, or why it can't search this space."""
    import optuna

    cls = getattr(optuna.samplers, name, None)
    if not (inspect.isclass(cls) and issubclass(cls, optuna.samplers.BaseSampler)) or inspect.isabstract(cls):
        raise BadInput(f"sampler {name!r}: Optuna has no such sampler; allowed are {', '.join(_allowed())}")
    missing = [library for library in LIBRARIES.get(name, ()) if importlib.util.find_spec(library) is None]
    if missing:
        raise BadInput(f"sampler {name!r}: it needs {' and '.join(missing)}; pip install {' '.join(missing)}, or take tpe")
    needed = _needed(cls)
    if needed:
        cure = f"; take {INSTEAD[name]} instead" if name in INSTEAD else "; take tpe instead"
        raise BadInput(f"sampler {name!r}: it can't be made without being told {', '.join(needed)}{cure}")
    if name == "BruteForceSampler" and points.space.cells() is None:
        raise BadInput(f"sampler {name!r}: the space {points.space.name} has too many points to try all; take tpe or random")
    return LiveSampler(name, points, seed, _notes(name, points))


def _allowed() -> list[str]:
    import optuna

    named = [(name, getattr(optuna.samplers, name)) for name in optuna.samplers.__all__]
    return sorted(name for name, cls in named if inspect.isclass(cls) and not inspect.isabstract(cls) and not _needed(cls))


def _needed(cls: type) -> list[str]:
    """The arguments without a default."""
    found = _arguments(cls).values()
    return [p.name for p in found if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]


def _arguments(cls: type) -> Mapping[str, inspect.Parameter]:
    """What the class is made from; Optuna wraps some constructors, to warn of old ways to call them."""
    return inspect.signature(cls).parameters


def _notes(name: str, points: Points) -> tuple[str, ...]:
    space = points.space
    flat = not space.conditional and not (name == "CmaEsSampler" and any(isinstance(p, Categorical) for p in space.parameters))
    return () if flat or name not in CONDITIONS else (f"sampler {name}: {CONDITIONS[name]}",)


@dataclass(frozen=True)
class LiveSampler:
    """One of Optuna's samplers with a study in memory, kept in step with the history."""

    name: str
    points: Points
    seed: int
    notes: tuple[str, ...] = ()

    def suggest(self, history: Sequence[Tried], number: int) -> Mapping[str, Value] | None:
        """As `Sampler.suggest` says, but for the state; where it only repeats itself, by chance."""
        from policysearch.samplers.telling import quiet

        if self.points.left(history) == []:
            return None
        with quiet():
            return self._company.suggest(history, number) or RandomSampler(self.points, self.seed).suggest(history, number)

    @cached_property
    def _company(self) -> "_Company":
        return _Company(self)


class _Company:
    """The Optuna study, and which of its trials is which policy."""

    def __init__(self, sampler: LiveSampler) -> None:
        self._sampler, self._points = sampler, sampler.points
        self._distributions = sampler.points.space.to_optuna()
        self._study: Any = None
        self._asked: dict[str, Any] = {}
        self._told: dict[str, str] = {}

    def suggest(self, history: Sequence[Tried], number: int) -> Mapping[str, Value] | None:
        """A new point; None where it only repeats itself."""
        from searchspaces.render.optuna import suggest

        if self._study is None:
            self._study = self._begun(number)
        for tried in history:
            if tried.params and self._told.get(tried.key) != tried.state:
                self._tell(tried)
        seen = keys(history)
        for _ in range(ASKS):
            trial = self._study.ask()
            point = self._points.space.check(suggest(self._points.space, trial))
            key = self._points.key(point)
            if key not in seen:
                self._asked[key], self._told[key] = trial, "running"
                return point
            self._repeated(trial, next(tried for tried in history if tried.key == key))
        return None

    def _begun(self, number: int) -> Any:
        import optuna

        cls = getattr(optuna.samplers, self._sampler.name)
        options = dict(SETTINGS.get(self._sampler.name, {}))
        if "seed" in _arguments(cls):
            options["seed"] = derive_seed("sampler", self._sampler.name, self._sampler.seed, number) % 2**32
        if self._sampler.name == "TPESampler":
            options["group"] = self._points.space.conditional
        return optuna.create_study(sampler=cls(**options), direction="minimize", study_name="history")

    def _tell(self, tried: Tried) -> None:
        """Bring the policy's trial up to date: the one that was asked for, or else one that others suggested."""
        from policysearch.samplers.telling import STATES, frozen

        self._told[tried.key] = tried.state
        if tried.state == "running" and tried.key in self._asked:
            return
        trial = self._asked.pop(tried.key, None)
        if trial is None:
            if tried.state in ("done", "stopped"):
                # One that had been stopped and has gone on since stands twice: as what was known then, and as what is now.
                other = frozen(tried, self._points.space, self._distributions)
                if other is not None:
                    self._study.add_trial(other)
            return
        for epochs, error in sorted(tried.rungs.items()):
            trial.report(error, epochs)
        self._finish(trial, tried.error, STATES[tried.state])

    def _repeated(self, trial: Any, before: Tried) -> None:
        """End a trial that nobody will run: it is known already."""
        from policysearch.samplers.telling import STATES

        done = before.state == "done"
        self._finish(trial, before.error if done else None, STATES["done" if done else "failed"])

    def _finish(self, trial: Any, error: float | None, state: Any) -> None:
        import optuna

        try:
            self._study.tell(trial, error if state == optuna.trial.TrialState.COMPLETE else None, state)
        except RuntimeError:
            # BruteForceSampler says by `study.stop()`, which only an objective may call, that it has seen all.
            if self._sampler.name != "BruteForceSampler":
                raise
