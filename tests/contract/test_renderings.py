"""Every space in the words of the two optimisers, held against the optimisers themselves: what they suggest comes back."""

import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import ray
from hypothesis import given, settings
from hypothesis import strategies as st
from ray import tune
from ray.tune.experiment import Experiment
from ray.tune.search.basic_variant import BasicVariantGenerator
from ray.tune.search.optuna import OptunaSearch
from space_fixture import CASES
from strategies import points

from searchspaces.policy import Policy
from searchspaces.space import Categorical, Parameter, Real, SearchSpace, Value, Whole
from searchspaces.spaces import build_space

DRAWS = 200
ENOUGH = 150
MOST_OF_A_GRID = 600

optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.fixture(params=CASES.values(), ids=list(CASES), scope="module")
def space(request: pytest.FixtureRequest) -> SearchSpace:
    wish, channels = request.param
    return build_space(wish, channels)


@pytest.fixture(autouse=True)
def experiments_are_known() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def check_round_trip(space: SearchSpace, suggested: dict[str, Any], policy: Policy | None = None) -> dict[str, Value]:
    """What was suggested, its canonical form and the canonical form of that are one policy and one recipe; the params again."""
    params = space.check(suggested)
    assert space.check(params) == params
    assert list(params) == [parameter.name for parameter in space.active(params)]
    assert space.decode(suggested) == space.decode(params) == (policy or space.decode(params))
    assert space.recipe_overrides(suggested) == space.recipe_overrides(params)
    return params


def check_reach(space: SearchSpace, found: list[dict[str, Any]]) -> None:
    """No value outside; of a parameter that came up often enough all values, or where it is real some near both ends.

    The rarest wanted value has a chance of 1 in 14; 150 draws miss it once in 70,000 (and the seeds are fixed).
    """
    for parameter in space.parameters:
        values = [params[parameter.name] for params in found if parameter.name in params]
        if parameter.points is not None:
            assert set(values) <= set(parameter.points)
            assert len(values) < ENOUGH or set(values) == set(parameter.points)
        elif values:
            assert parameter.low <= min(values) <= max(values) <= parameter.high
            shares = [share(parameter, value) for value in values]
            assert len(values) < ENOUGH or (min(shares) < 0.1 and max(shares) > 0.9)


def share(parameter: Real, value: float) -> float:
    low, high, value = (math.log(x) if parameter.log else x for x in (parameter.low, parameter.high, value))
    return (value - low) / (high - low)


def by_optuna(space: SearchSpace, sampler: optuna.samplers.BaseSampler, trials: int) -> list[dict[str, Any]]:
    study = optuna.create_study(sampler=sampler)
    found = []
    for number in range(trials):
        trial = study.ask()
        policy = space.suggest(trial)
        assert check_round_trip(space, trial.params, policy) == trial.params, "asked for what exists, and for nothing else"
        found.append(trial.params)
        study.tell(trial, (number * 7) % 11)
    return found


@pytest.mark.parametrize(
    ("sampler", "trials"),
    [
        (lambda: optuna.samplers.RandomSampler(seed=0), DRAWS),
        (lambda: optuna.samplers.TPESampler(seed=0, n_startup_trials=4), 12),
        (lambda: optuna.samplers.TPESampler(seed=0, n_startup_trials=4, group=True, multivariate=True), 12),
    ],
    ids=["random", "tpe", "tpe-group"],
)
def test_what_optuna_suggests_decodes_to_the_policy_it_got(
    space: SearchSpace, sampler: Callable[[], optuna.samplers.BaseSampler], trials: int
) -> None:
    check_reach(space, by_optuna(space, sampler(), trials))


def test_optuna_asked_by_distributions_gives_points(space: SearchSpace) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=3))
    for _ in range(10):
        trial = study.ask(space.to_optuna())
        assert set(trial.params) == {parameter.name for parameter in space.parameters}
        check_round_trip(space, trial.params, space.suggest(trial))


@given(data=st.data())
@settings(max_examples=10)
def test_optuna_takes_any_point_as_a_trial_that_was(space: SearchSpace, data: st.DataObject) -> None:
    params, distributions = data.draw(points(space)), space.to_optuna()
    there = {name: distributions[name] for name in params}
    trial = optuna.trial.create_trial(value=0.5, params=params, distributions=there)
    study = optuna.create_study()
    study.add_trial(trial)
    check_round_trip(space, study.trials[0].params, space.decode(params))
    fixed = optuna.trial.FixedTrial(params)
    assert space.suggest(fixed) == space.decode(params)


def by_ray(param_space: dict[str, Any], samples: int, folder: Path) -> list[dict[str, Any]]:
    """The configs that Ray Tune's own generator hands to a trainable; no Ray is started for it."""
    generator = BasicVariantGenerator(random_state=0)
    experiment = Experiment("spaces", run=lambda config: None, config=param_space, num_samples=samples, storage_path=str(folder))
    generator.add_configurations([experiment])
    trials = []
    while (trial := generator.next_trial()) is not None:
        trials.append(trial)
    assert not ray.is_initialized()
    return [trial.config for trial in trials]


def test_what_ray_generates_decodes(space: SearchSpace, tmp_path: Path) -> None:
    found = by_ray(space.to_ray(), DRAWS, tmp_path)
    assert len(found) == DRAWS
    for config in found:
        plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in config.items()}
        assert space.decode(config) == space.decode(plain)
        check_round_trip(space, config)
    check_reach(space, found)


def combinations(space: SearchSpace) -> int:
    return math.prod(len(parameter.points) for parameter in space.parameters if parameter.points is not None)


def test_rays_grid_is_every_value_of_what_is_finite(space: SearchSpace, tmp_path: Path) -> None:
    for parameter in space.parameters:
        domain = space.to_ray(grid=True)[parameter.name]
        assert parameter.points is None or domain == {"grid_search": list(parameter.points)}
    if combinations(space) > MOST_OF_A_GRID:
        return
    found = by_ray(space.to_ray(grid=True), 1, tmp_path)
    assert len(found) == combinations(space)
    params = [check_round_trip(space, config) for config in found]
    cells = space.cells()
    if cells is not None:
        assert {tuple(point.items()) for point in params} == {tuple(cell.items()) for cell in cells}
        listed = by_ray({"point": tune.grid_search(cells)}, 1, tmp_path)
        assert [config["point"] for config in listed] == cells


def test_rays_optuna_search_asks_for_what_exists_and_no_more(space: SearchSpace) -> None:
    search = OptunaSearch(space=space.define_by_run, metric="error", mode="min", seed=0)
    for number in range(14):
        config = search.suggest(str(number))
        assert config is not None
        assert check_round_trip(space, config) == config
        search.on_trial_complete(str(number), {"error": (number * 7) % 11})
    assert not ray.is_initialized()


def test_ray_and_optuna_mean_the_same_ranges(space: SearchSpace) -> None:
    """Ray's own translation of our Ray space is our Optuna space, except that stepped numbers are choices there."""
    translated = OptunaSearch.convert_search_space(space.to_ray())
    for parameter in space.parameters:
        theirs, ours = translated[parameter.name], space.to_optuna()[parameter.name]
        if isinstance(parameter, Whole) and parameter.step > 1:
            assert list(theirs.choices) == list(parameter.points)
        else:
            assert theirs == ours


def drawn_as_ever(parameter: Parameter, generator: np.random.Generator) -> Value:
    """The draw that studies have been begun with; another stream would give a study that goes on other policies."""
    if isinstance(parameter, Real):
        low, high = (math.log(parameter.low), math.log(parameter.high)) if parameter.log else (parameter.low, parameter.high)
        drawn = float(generator.uniform(low, high))
        return min(max(math.exp(drawn), parameter.low), parameter.high) if parameter.log else drawn
    return parameter.points[int(generator.integers(len(parameter.points)))]


def test_points_by_chance_are_points_and_their_stream_stays(space: SearchSpace) -> None:
    found = [space.draw(np.random.default_rng(number)) for number in range(DRAWS)]
    for params in found:
        assert check_round_trip(space, params) == params
    check_reach(space, found)
    if not space.conditional:
        generators = map(np.random.default_rng, range(3))
        assert found[:3] == [{p.name: drawn_as_ever(p, generator) for p in space.parameters} for generator in generators]


def test_a_choice_is_never_told_by_its_place(space: SearchSpace) -> None:
    """Optuna stores places in storages and gives values back; a choice that compares equal to another would be confused."""
    for parameter in space.parameters:
        if isinstance(parameter, Categorical):
            assert [parameter.checked(choice) for choice in parameter.choices] == list(parameter.choices)
