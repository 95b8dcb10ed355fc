"""Optuna's other samplers, by class name: they live as long as the process, and a new one is told what the ledger knows."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from search_fixture import FREE, Study

from policysearch.samplers import Points, Tried, make_sampler, optuna_live
from searchspaces.errors import BadInput
from searchspaces.policy import Base, Policy
from searchspaces.space import Categorical, Real, SearchSpace, When
from searchspaces.spaces import build_space

NAMES = ("BruteForceSampler", "NSGAIISampler", "NSGAIIISampler", "QMCSampler", "RandomSampler", "TPESampler")
PLANE = SearchSpace("plane", (Real("x", 0, 1), Real("y", 0, 1)), lambda p: Policy(Base(hflip=p["x"], vflip=p["y"])))
FORKED = SearchSpace(
    "forked",
    (Categorical("side", ("left", "right")), Real("x", 0, 1, when=When("side", ("left",)))),
    lambda p: Policy(Base(hflip=p.get("x", 0.5), vflip=0.5 if p["side"] == "left" else 0.0)),
)
needs_cmaes = pytest.mark.skipif(importlib.util.find_spec("cmaes") is None, reason="cmaes is not installed")


def bowl(space: SearchSpace, points: int) -> list[Tried]:
    """A history whose errors are lowest at x = 0.8."""
    generator, history = np.random.default_rng(5), list[Tried]()
    for _ in range(points):
        params = space.draw(generator)
        history.append(Tried(params, Points(space).key(params), "done", (float(params.get("x", 0)) - 0.8) ** 2))
    return history


def tried_by(name: str, space: SearchSpace, count: int, seed: int = 3) -> list[dict[str, Any]]:
    """The points of a search whose every third policy is stopped and every fifth fails."""
    chosen, history = make_sampler(name, space, seed), list[Tried]()
    for number in range(count):
        point = chosen.suggest(tuple(history), number)
        assert point is not None and space.check(point) == point
        key, error = Points(space).key(point), (number * 7 % 11) / 11
        if number % 5 == 4:
            history.append(Tried(point, key, "failed"))
        elif number % 3 == 2:
            history.append(Tried(point, key, "stopped", None, {3: error}))
        else:
            history.append(Tried(point, key, "done", error, {3: error, 9: error}))
    assert len({tried.key for tried in history}) == count
    return [dict(tried.params) for tried in history]


@pytest.mark.parametrize("name", [*NAMES, pytest.param("CmaEsSampler", marks=needs_cmaes)])
def test_each_searches_a_whole_study_without_repeating_a_policy(tmp_path: Path, name: str) -> None:
    study = Study(tmp_path)
    campaign = study.campaign(32, name)
    assert study.run(campaign, wrong=lambda number: 20 + 7 * number % 41) == FREE + 14
    assert campaign.stopped == "space"


@pytest.mark.parametrize("name", [*NAMES[1:], pytest.param("CmaEsSampler", marks=needs_cmaes)])
@pytest.mark.parametrize("space", [PLANE, FORKED], ids=["plane", "forked"])
def test_a_search_is_repeated_by_its_seed(name: str, space: SearchSpace) -> None:
    assert tried_by(name, space, 12) == tried_by(name, space, 12)
    assert tried_by(name, space, 12) != tried_by(name, space, 12, seed=4)


@pytest.mark.parametrize("name", NAMES)
def test_a_search_that_is_taken_up_again_goes_on(tmp_path: Path, name: str) -> None:
    study = Study(tmp_path)
    assert study.run(study.campaign(6, name)) == FREE + 6
    assert study.run(study.campaign(14, name)) == 8
    assert study.run(study.campaign(15, name)) == 0
    trials = study.ledger.trials(study.study.uid)
    assert len({trial.digest for trial in trials}) == len(trials) == FREE + 14


def test_a_new_one_knows_what_the_ledger_knows() -> None:
    points = [make_sampler("GPSampler", PLANE, seed).suggest(bowl(PLANE, 15), 15) or {} for seed in range(3)]
    assert all(abs(float(point["x"]) - 0.8) < 0.15 for point in points)


def test_one_that_lives_learns_what_came_of_its_suggestions() -> None:
    chosen, history = make_sampler("TPESampler", PLANE, 0), bowl(PLANE, 12)
    for number in range(12, 40):
        point = dict(chosen.suggest(tuple(history), number) or {})
        history.append(Tried(point, Points(PLANE).key(point), "running"))
        chosen.suggest(tuple(history), number)  # while it is under way another one is asked for
        history[-1] = Tried(point, history[-1].key, "done", (float(point["x"]) - 0.8) ** 2)
    assert np.mean([abs(float(tried.params["x"]) - 0.8) for tried in history[-10:]]) < 0.22, "by chance it is 0.34"


def test_a_policy_that_was_stopped_and_goes_on_later_is_known_as_finished() -> None:
    chosen, history = make_sampler("NSGAIISampler", PLANE, 0), list[Tried]()
    point = dict(chosen.suggest((), 0) or {})
    key = Points(PLANE).key(point)
    for state, error in (("running", None), ("stopped", None), ("running", None), ("done", 0.25)):
        history = [Tried(point, key, state, error, {} if state == "running" else {3: 0.5})]  # type: ignore[arg-type]
        chosen.suggest(tuple(history), 1)
    told = chosen._company._study.get_trials(deepcopy=False)  # type: ignore[attr-defined]
    mine = [(trial.state.name, trial.value) for trial in told if trial.params == point]
    assert mine == [("PRUNED", 0.5), ("COMPLETE", 0.25)]


def test_what_a_sampler_cannot_do_in_a_space_is_said() -> None:
    assert make_sampler("QMCSampler", PLANE, 0).notes == make_sampler("tpe", FORKED, 0).notes == ()
    (note,) = make_sampler("QMCSampler", FORKED, 0).notes
    assert note == "sampler QMCSampler: the parameters that don't exist everywhere are drawn by chance beside it"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("GridSampler", "can't be made without being told search_space; take grid instead"),
        ("PartialFixedSampler", "told fixed_params, base_sampler; take a space from a YAML file that fixes values instead"),
        ("BaseSampler", "Optuna has no such sampler; allowed are BruteForceSampler, CmaEsSampler, GPSampler, NSGAIIISampler"),
        ("BruteForceSampler", "the space plane has too many points to try all"),
        ("GoodSampler", "Optuna has no such sampler"),
    ],
)
def test_classes_that_cannot_be(name: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        make_sampler(name, PLANE, 0)


def test_a_missing_library_is_named_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(optuna_live.LIBRARIES, "CmaEsSampler", ("cmaes_that_is_not_there",))
    with pytest.raises(BadInput, match="CmaEsSampler': it needs cmaes_that_is_not_there; pip install cmaes_that_is_not_there"):
        make_sampler("CmaEsSampler", build_space("photometric"), 0)
