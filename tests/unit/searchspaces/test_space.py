"""Points of a space: checked by name, counted, decoded; and what makes two spaces the same."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
import pytest

from searchspaces.errors import BadInput
from searchspaces.policy import Base, Branch, Choice, Constant, Policy, Step
from searchspaces.policy_json import canonical_json
from searchspaces.space import Categorical, Real, SearchSpace, Whole

PARAMETERS = (Whole("bits", 2, 8, step=3), Real("share", 0.001, 1.0, log=True), Categorical("op", ("rotate", "shear_x", 1)))


def decode(params: Mapping[str, Any]) -> Policy:
    op = params["op"] if isinstance(params["op"], str) else "gamma"
    step = Step((Choice(op, (Constant(params["bits"] / 8),)),), params["share"])
    return Policy(branches=(Branch((step,)),))


SPACE = SearchSpace("toy", PARAMETERS, decode)
POINT = {"bits": 5, "share": 0.5, "op": "rotate"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bits": 4}, "space toy: parameter bits: 4; allowed is a whole number from 2 to 8 in steps of 3"),
        ({"bits": 11}, "space toy: parameter bits: 11"),
        ({"bits": 5.0}, "space toy: parameter bits: 5.0"),
        ({"bits": True}, "space toy: parameter bits: True"),
        ({"share": 1.0000001}, "space toy: parameter share: 1.0000001; allowed is a number from 0.001 to 1"),
        ({"share": float("nan")}, "space toy: parameter share: nan"),
        ({"share": 10**400}, "space toy: parameter share: a whole number of 1329 bits; allowed is a number from 0.001 to 1"),
        ({"share": "0.5"}, "space toy: parameter share: '0.5'"),
        ({"share": True}, "space toy: parameter share: True"),
        ({"op": "hue"}, "space toy: parameter op: 'hue'; allowed are 'rotate', 'shear_x', 1"),
        ({"op": True}, "space toy: parameter op: True"),
        ({"bit": 5}, "space toy: unknown parameter 'bit'; it has bits, share, op"),
    ],
)
def test_a_bad_point_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as refused:
        SPACE.decode(POINT | change)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize("name", ["bits", "share", "op"])
def test_a_missing_parameter_is_named(name: str) -> None:
    with pytest.raises(BadInput, match=f"space toy: parameter {name} is missing; give bits, share, op"):
        SPACE.decode({key: value for key, value in POINT.items() if key != name})


def test_numbers_of_numpy_are_numbers() -> None:
    plain = SPACE.check({"op": "rotate", "share": np.float64(0.5), "bits": np.int64(5)})
    assert plain == POINT
    assert list(plain) == ["bits", "share", "op"]
    assert [type(value) for value in plain.values()] == [int, float, str]


def test_the_ends_are_inside() -> None:
    for end in (0, 1):
        SPACE.decode({parameter.name: parameter.ends[end] for parameter in PARAMETERS})


def test_cells() -> None:
    grid = SearchSpace("grid", (Whole("a", 1, 2), Categorical("b", ("x", "y"))), decode)
    assert grid.cells() == [{"a": 1, "b": "x"}, {"a": 1, "b": "y"}, {"a": 2, "b": "x"}, {"a": 2, "b": "y"}]
    assert SPACE.cells() is None
    assert SearchSpace("wide", (Whole("a", 1, 100), Whole("b", 1, 101)), decode).cells() is None
    assert len(SearchSpace("full", (Whole("a", 1, 100), Whole("b", 1, 100)), decode).cells() or ()) == 10_000


def test_identity_feels_a_change_in_the_middle_and_names_no_machine() -> None:
    """Between the ends too: a decode that is another one for half of the points gives another identity."""

    def bent(params: Mapping[str, Any]) -> Policy:
        return decode(params if not 0.01 < params["share"] < 0.5 else {**params, "share": 0.3})

    changed = SearchSpace("toy", PARAMETERS, bent).to_dict()
    assert changed["ends"] == SPACE.to_dict()["ends"]
    assert changed["inside"] != SPACE.to_dict()["inside"]
    assert SPACE.to_dict()["inside"] == "f21539fca8734b0eabcd0e8bacd6ac643a5047642262165b12acf24d42775feb"


def test_fixed_points_are_inside_and_spread() -> None:
    shares = [number / 16 for number in range(16)] + [1 - 2**-32]
    assert [PARAMETERS[0].at(share) for share in shares] == [2] * 6 + [5] * 5 + [8] * 6
    assert {PARAMETERS[2].at(share) for share in shares} == set(PARAMETERS[2].choices)
    assert all(0.001 <= PARAMETERS[1].at(share) <= 1 for share in (0.0, 0.3, 1.0))


def test_identity_is_json_and_feels_every_change() -> None:
    def other(params: Mapping[str, Any]) -> Policy:
        return Policy(Base(hflip=0.5), decode(params).branches)

    variants = [
        SPACE,
        SearchSpace("toy2", PARAMETERS, decode),
        SearchSpace("toy", (Whole("bits", 2, 5, step=3), *PARAMETERS[1:]), decode),
        SearchSpace("toy", (PARAMETERS[0], Real("share", 0.001, 1.0), PARAMETERS[2]), decode),
        SearchSpace("toy", (*PARAMETERS[:2], Categorical("op", ("rotate", "shear_x", 2))), decode),
        SearchSpace("toy", PARAMETERS, other),
    ]
    texts = [canonical_json(space.to_dict()) for space in variants]
    assert len(set(texts)) == len(texts)
    assert json.loads(texts[0]) == SPACE.to_dict()
    assert canonical_json(SearchSpace("toy", PARAMETERS, decode, notes=("for people only",)).to_dict()) == texts[0]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Real("x", 1, 1),
        lambda: Real("x", 0, float("inf")),
        lambda: Real("x", 0, 1, log=True),
        lambda: Whole("x", 3, 3),
        lambda: Whole("x", 3, 26, step=6),
        lambda: Whole("x", 1, 3, step=0),
        lambda: Categorical("x", ("a",)),
        lambda: Categorical("x", ("a", "a")),
        lambda: SearchSpace("toy", (), decode),
        lambda: SearchSpace("toy", (Whole("a", 1, 2), Whole("a", 1, 3)), decode),
        lambda: SearchSpace("toy", (Whole("a/b", 1, 2),), decode),
    ],
)
def test_spaces_that_make_no_sense_are_refused(make: Any) -> None:
    with pytest.raises(BadInput):
        make()


def test_all_kinds_of_parameters_render_to_both() -> None:
    """Ray's choices, logarithms and whole numbers; the families of today use only some of them."""
    from ray.tune.search.variant_generator import generate_variants

    space = SearchSpace("toy", (*PARAMETERS, Whole("ops", 1, 3)), decode)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    by_optuna = [study.ask(space.to_optuna()).params for _ in range(60)]
    state = np.random.RandomState(1)
    by_ray = [next(iter(generate_variants(space.to_ray(), random_state=state)))[1] for _ in range(60)]
    for points in (by_optuna, by_ray):
        assert {point["bits"] for point in points} == {2, 5, 8}
        assert {point["ops"] for point in points} == {1, 2, 3}
        assert {point["op"] for point in points} == {"rotate", "shear_x", 1}
        assert sum(point["share"] < 0.0316 for point in points) in range(15, 46)  # half, were it logarithmic; 3 % were it not
        for point in points:
            space.decode(point)
