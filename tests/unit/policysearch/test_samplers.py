"""Samplers without a state: a function of history, seed and number; never the same policy twice; done when the space is."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import search_fixture
from hypothesis import given, settings
from hypothesis import strategies as st
from search_fixture import FREE, FREE_CELL, Study, imagined, sequence

from policysearch.drivers import Task
from policysearch.ledger import TrialRecord
from policysearch.samplers import SAMPLERS, Points, Tried, make_sampler
from policysearch.samplers.telling import frozen, worth_telling
from searchspaces.errors import BadInput
from searchspaces.policy import Base, Policy
from searchspaces.space import Categorical, Real, SearchSpace, When, Whole
from searchspaces.spaces import build_space
from trials.values import Recipe

CASES = (
    ("tpe", "photometric"),
    ("tpe", "randaugment,photometric"),
    ("random", "randaugment"),
    ("grid", "randaugment"),
)
RAY_CASES = (("ray:random", "photometric"), ("ray:random", "randaugment,photometric"), ("ray:grid", "randaugment"))
SCRIPT = """
import json, sys
from pathlib import Path
from search_fixture import sequence
print(json.dumps([sequence(Path(sys.argv[1]) / str(place), sampler, family)
                  for place, (sampler, family) in enumerate(json.loads(sys.argv[2]))]))
"""
FINITE = SearchSpace(
    "finite",
    (
        Categorical("family", ("a", "b")),
        Whole("a.x", 0, 3, when=When("family", ("a",))),
        Whole("b.y", 0, 1, when=When("family", ("b",))),
    ),
    lambda p: Policy(Base(hflip=p.get("a.x", 0) / 10 + p.get("b.y", 0) / 100 + (0.5 if p["family"] == "a" else 0))),
)
LINE = SearchSpace("line", (Real("x", 0, 1),), lambda p: Policy(Base(hflip=p["x"])))
RATED = SearchSpace(
    "rated",
    (Whole("x", 0, 1), Categorical("recipe.peak_learning_rate", (0.1, 0.2))),
    lambda p: Policy(Base(hflip=p["x"] / 2)),
)


def searched(study: Study) -> list[TrialRecord]:
    return [trial for trial in study.ledger.trials(study.study.uid) if trial.role == "trial"]


def done(points: Points, params: dict[str, Any], error: float) -> Tried:
    return Tried(points.space.check(params), points.key(params), "done", error, {9: error})


@pytest.mark.parametrize("cases", [CASES, pytest.param(RAY_CASES, marks=pytest.mark.slow)], ids=["ours", "ray"])
def test_the_same_seed_gives_the_same_sequence_in_another_process(tmp_path: Path, cases: Any) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "there"), json.dumps(cases)]
    path = os.pathsep.join((str(Path(search_fixture.__file__).parent), str(Path(search_fixture.__file__).parents[1])))
    environment = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": path}
    there = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    ours = [sequence(tmp_path / "here" / str(place), sampler, family) for place, (sampler, family) in enumerate(cases)]
    assert ours == json.loads(there.stdout)
    assert all(len({json.dumps(params) for params in one}) == 12 for one in ours)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_cell_is_tried_once_and_then_there_is_no_more(tmp_path: Path, sampler: str) -> None:
    study = Study(tmp_path)
    campaign = study.campaign(32, sampler)
    assert study.run(campaign) == FREE + 14
    assert campaign.stopped == "space"
    cells = [{"ops": n, "level": m} for n in (1, 2, 3) for m in range(3, 28, 6)]
    tried = sorted((dict(trial.params) for trial in searched(study)), key=cells.index)
    assert tried == [cell for cell in cells if cell != FREE_CELL], "that one is a baseline"


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_cells_of_a_space_with_conditions_are_those_of_what_exists(sampler: str) -> None:
    points, history = Points(FINITE), list[Tried]()
    chosen = make_sampler(sampler, FINITE, 3)
    while (point := chosen.suggest(history, len(history))) is not None:
        history.append(done(points, dict(point), 0.5))
    assert sorted(map(str, (tried.params for tried in history))) == sorted(map(str, FINITE.cells() or ()))
    assert len(history) == 6


@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if name != "ray:grid"])
def test_another_seed_gives_another_order(sampler: str) -> None:
    space = build_space("randaugment")
    firsts = [[make_sampler(sampler, space, seed).suggest((), number) for number in range(4)] for seed in range(8)]
    assert len({json.dumps(first) for first in firsts}) > 1


def test_one_that_has_been_asked_before_answers_as_a_new_one_does() -> None:
    """What it keeps to be quick must not be what a trial was before."""
    used, points = make_sampler("tpe", LINE, 0), Points(LINE)
    history = [done(points, {"x": place / 40}, place / 40) for place in range(20)]
    states: Any = (
        ("running", None, {}),
        ("stopped", None, {3: 0.9}),
        ("running", None, {3: 0.9}),
        ("done", 0.0, {3: 0.9, 9: 0.0}),
    )
    for state, error, rungs in states:
        best = [Tried({"x": place / 40}, points.key({"x": place / 40}), state, error, rungs) for place in range(30, 38)]
        told = (*history, *best)
        answers = [used.suggest(told, number) for number in range(40, 46)]
        assert answers == [make_sampler("tpe", LINE, 0).suggest(told, number) for number in range(40, 46)]


@pytest.mark.parametrize("sampler", ["tpe", "random", "ray:random"])
def test_the_trials_number_is_in_the_seed(sampler: str) -> None:
    chosen = make_sampler(sampler, LINE, 0)
    assert len({str(chosen.suggest((), number)) for number in range(8)}) == 8


def test_trials_under_way_and_failed_ones_are_not_suggested_again(tmp_path: Path) -> None:
    study = Study(tmp_path)
    campaign = study.campaign(15, "tpe")
    tasks = []
    while isinstance(task := campaign.next_task(), Task):  # nobody finishes: all are under way
        tasks.append(task)
        if len(tasks) % 2:
            study.ledger.commit_result(type(imagined("", 1))(task.trial_uid, "failed", error="made to fail"))
            campaign.finished(task.trial_uid)
    assert len({trial.digest for trial in searched(study)}) == 14


def test_tpe_learns_from_the_history() -> None:
    """Taught that high is good, it ends higher than taught that low is good; the samplers' chance is the same in both."""
    points, ends = Points(LINE), list[float]()
    for sign in (1, -1):
        chosen, history = make_sampler("tpe", LINE, 3), list[Tried]()
        for number in range(30):
            point = dict(chosen.suggest(history, number) or {})
            history.append(done(points, point, 0.5 - 0.4 * sign * (float(point["x"]) - 0.5)))
        ends.append(sum(float(tried.params["x"]) for tried in history[-10:]) / 10)
    assert ends[0] > 0.7 and ends[1] < 0.3


def test_a_family_that_does_well_is_suggested_more() -> None:
    space = build_space("randaugment,photometric")
    points, counts = Points(space), list[int]()
    points_by_chance = [space.draw(np.random.default_rng(number)) for number in range(60)]
    for good in ("randaugment", "photometric"):
        history = [done(points, point, 0.2 if point["family"] == good else 0.6) for point in points_by_chance]
        chosen = make_sampler("tpe", space, 3)
        counts.append(sum((chosen.suggest(history, number) or {})["family"] == "randaugment" for number in range(60, 80)))
    assert counts[0] > 13 and counts[1] < 7


def test_params_that_decode_alike_count_as_one_policy() -> None:
    space = build_space("randaugment")
    rounded = SearchSpace("rounded", (Real("x", 0, 1),), lambda p: space.decode({"ops": 1 + (p["x"] > 0.5), "level": 9}))
    points = Points(rounded)
    seen, other = done(points, {"x": 0.1}, 0.5), done(points, {"x": 0.9}, 0.5)
    for sampler in ("tpe", "random", "ray:random", "NSGAIISampler"):
        point = make_sampler(sampler, rounded, 0).suggest([seen], 1)
        assert point is not None and point["x"] > 0.5  # type: ignore[operator]
    assert make_sampler("tpe", rounded, 0).suggest([seen, other], 2) is None


def test_how_a_policy_is_trained_is_part_of_the_point() -> None:
    points = Points(RATED, Recipe(peak_learning_rate=0.2))
    assert points.cells is not None and len(points.cells) == 4
    plain = Points(SearchSpace("plain", (Whole("x", 0, 1),), RATED.decode_with))
    assert points.key({"x": 1, "recipe.peak_learning_rate": 0.2}) == plain.key({"x": 1}), "that is the study's own recipe"
    assert points.key({"x": 1, "recipe.peak_learning_rate": 0.1}) != plain.key({"x": 1})


histories = st.lists(
    st.tuples(st.sampled_from(["done", "running", "failed", "stopped", "free"]), st.integers(0, 9), st.sampled_from([3, 9])),
    min_size=8,
    max_size=40,
)


def made(drawn: Sequence[tuple[str, int, int]]) -> list[Tried]:
    history = []
    for place, (state, error, epochs) in enumerate(drawn):
        if state == "free":
            history.append(Tried({}, str(place), "done", error / 10, {27: error / 10}))
        elif state == "done":
            history.append(Tried({"x": place}, str(place), "done", error / 10, {9: 0.9, 27: error / 10}))
        else:
            rungs = {epochs: error / 10} if state == "stopped" else {}
            history.append(Tried({"x": place}, str(place), state, None, rungs))  # type: ignore[arg-type]
    return history


@given(histories)
@settings(deadline=None)
def test_of_a_long_history_the_best_and_the_latest_are_told_and_all_under_way(drawn: list[tuple[str, int, int]]) -> None:
    history = made(drawn)
    told = worth_telling(history, most=6, best=3)
    assert told == [tried for tried in history if tried in told], "in order"
    assert all(tried.params and tried.state != "failed" for tried in told)
    assert [t for t in told if t.state == "running"] == [t for t in history if t.state == "running"]
    able = [tried for tried in history if tried.params and tried.state in ("done", "stopped")]
    over = [tried for tried in told if tried.state != "running"]
    assert len(over) == min(6, len(able))
    left = [tried for tried in able if tried not in over]
    if left:
        errors = sorted(tried.error for tried in able if tried.error is not None)[:3]
        assert sorted(t.error for t in over if t.error is not None)[: len(errors)] == errors
        assert able[-1] in over


def test_of_stopped_ones_those_that_came_furthest_are_told_before_those_with_a_low_error() -> None:
    rungs = [{3: 0.1}, {3: 0.6, 9: 0.5}, {3: 0.2}, {3: 0.5, 9: 0.4}, {3: 0.05}, {3: 0.9}]
    history = [Tried({"x": place}, str(place), "stopped", None, errors) for place, errors in enumerate(rungs)]
    assert worth_telling(history, most=3, best=2) == [history[1], history[3], history[5]]


def test_stopped_policies_are_told_as_pruned_with_what_is_known_of_them() -> None:
    space = build_space("photometric,randaugment")
    distributions = space.to_optuna()
    params = space.check({"family": "randaugment", "randaugment.ops": 2, "randaugment.level": 9})
    states = optuna.trial.TrialState

    def told(state: Any, error: float | None, rungs: dict[int, float]) -> optuna.trial.FrozenTrial:
        found = frozen(Tried(params, "k", state, error, rungs), space, distributions)
        assert found is not None and found.params == params, "active ones only"
        return found

    stopped = told("stopped", None, {3: 0.4, 9: 0.3})
    assert (stopped.state, stopped.value, stopped.intermediate_values) == (states.PRUNED, None, {3: 0.4, 9: 0.3})
    finished = told("done", 0.2, {3: 0.4, 27: 0.2})
    assert (finished.state, finished.value, finished.intermediate_values) == (states.COMPLETE, 0.2, {3: 0.4, 27: 0.2})
    assert told("running", None, {3: 0.4}).state == states.RUNNING
    assert frozen(Tried({"family": "gone"}, "k", "done", 0.2), space, distributions) is None


def test_tpe_prefers_what_was_stopped_late_to_what_was_stopped_early() -> None:
    """Told as finished at their short budgets, the early ones would have looked good: their errors are the lower ones."""
    history = [
        Tried({"x": (place + 0.5) / 40}, str(place), "stopped", None, {3: 0.1} if place < 20 else {3: 0.2, 9: 0.15})
        for place in range(40)
    ]
    chosen = make_sampler("tpe", LINE, 0)
    suggested = [float((chosen.suggest(history, number) or {})["x"]) for number in range(40, 60)]
    assert sum(x > 0.5 for x in suggested) > 15


def test_wishes_that_cannot_be() -> None:
    with pytest.raises(BadInput, match="sampler 'gird': allowed are tpe, random, grid, ray:random, ray:grid, or the class name"):
        make_sampler("gird", build_space("randaugment"), 0)
    for name in ("grid", "ray:grid"):
        with pytest.raises(BadInput, match=r"grid.*photometric is not a finite grid"):
            make_sampler(name, build_space("photometric"), 0)
