"""Parameters that exist only sometimes: which do, how many at most, all their points, and what makes two such spaces the same."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchspaces import spaces
from searchspaces.conditions import all_points, count_points, most_active
from searchspaces.errors import BadInput
from searchspaces.policy import Branch, Choice, Constant, Policy, Step
from searchspaces.space import Categorical, Parameter, Real, SearchSpace, When, Whole

# x; y where x is "b" or "c"; z where y (and so x) is there and 2; w where x is "a".
NESTED: tuple[Parameter, ...] = (
    Categorical("x", ("a", "b", "c")),
    Whole("y", 1, 3, when=When("x", ("b", "c"))),
    Categorical("z", ("on", "off"), when=When("y", (2,))),
    Real("w", 0.0, 1.0, when=When("x", ("a",))),
)


def decode(params: Mapping[str, Any]) -> Policy:
    if params["x"] == "a":
        assert set(params) == {"x", "w"}
        return Policy(branches=(Branch((Step((Choice("gamma", (Constant(1.0),)),), params["w"]),)),))
    assert set(params) == ({"x", "y", "z"} if params["y"] == 2 else {"x", "y"}), "what does not exist is never decoded"
    return Policy(branches=(Branch((Step((Choice("rotate", (Constant(float(params["y"])),)),)),)),))


SPACE = SearchSpace("nested", NESTED, decode)


@pytest.mark.parametrize(
    ("params", "existing"),
    [
        ({"x": "a", "y": 2, "z": "on", "w": 0.5}, {"x": "a", "w": 0.5}),
        ({"x": "b", "y": 2, "z": "on", "w": 0.5}, {"x": "b", "y": 2, "z": "on"}),
        ({"x": "c", "y": 3, "z": "on"}, {"x": "c", "y": 3}),
        ({"z": "off", "y": np.int64(2), "x": "c"}, {"x": "c", "y": 2, "z": "off"}),
    ],
)
def test_what_does_not_exist_is_dropped(params: dict[str, Any], existing: dict[str, Any]) -> None:
    assert SPACE.check(params) == existing
    assert list(SPACE.check(params)) == list(existing)
    assert [parameter.name for parameter in SPACE.active(params)] == list(existing)
    assert SPACE.decode(params) == SPACE.decode(existing)


def test_a_condition_on_what_does_not_exist_is_not_met() -> None:
    """y has the value that z asks for, but y does not exist: neither does z."""
    assert SPACE.check({"x": "a", "y": 2, "w": 1}) == {"x": "a", "w": 1.0}


@pytest.mark.parametrize("missing", ["x", "y", "z"])
def test_only_what_exists_is_missed(missing: str) -> None:
    params = {name: value for name, value in {"x": "b", "y": 2, "z": "on"}.items() if name != missing}
    with pytest.raises(BadInput, match=f"space nested: parameter {missing} is missing"):
        SPACE.check(params)


def test_the_most_dimensions_and_all_points_by_hand() -> None:
    assert SPACE.dimensions == 3
    assert SPACE.conditional
    assert SPACE.cells() is None
    finite = SearchSpace("finite", NESTED[:3], lambda params: Policy())
    assert finite.cells() == [
        {"x": "a"},
        *({"x": x, "y": y, **z} for x in "bc" for y in (1, 2, 3) for z in ([{"z": "on"}, {"z": "off"}] if y == 2 else [{}])),
    ]
    assert count_points(NESTED[:3]) == 9


@given(st.data())
def test_counting_is_listing(data: st.DataObject) -> None:
    parameters: list[Parameter] = []
    for number in range(data.draw(st.integers(1, 5))):
        before = data.draw(st.sampled_from([None, *parameters]))
        when = None
        if before is not None and before.points is not None:
            values = data.draw(st.lists(st.sampled_from(list(before.points)), min_size=1, unique=True))
            when = When(before.name, tuple(values))
        parameters.append(Whole(f"p{number}", 0, data.draw(st.integers(1, 3)), when=when))
    points = all_points(parameters)
    assert len({json.dumps(point) for point in points}) == len(points) == count_points(parameters)
    assert max(map(len, points)) == most_active(parameters)
    space = SearchSpace("any", tuple(parameters), lambda params: Policy())
    assert all(space.check(point) == point for point in points)


def test_draws_by_chance_have_what_exists() -> None:
    generator = np.random.default_rng(0)
    found = [SPACE.draw(generator) for _ in range(300)]
    assert all(SPACE.check(point) == point for point in found)
    assert {tuple(point) for point in found} == {("x", "w"), ("x", "y"), ("x", "y", "z")}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ((Whole("a", 1, 2, when=When("b", (1,))), Whole("b", 1, 2)), r"a: depends on 'b'; .* listed before it, there are none"),
        ((Whole("b", 1, 2), Whole("a", 1, 2, when=When("a", (1,)))), r"a: depends on 'a'; .* listed before it, those are b"),
        ((Real("b", 1, 2), Whole("a", 1, 2, when=When("b", (1.0,)))), r"a: depends on b, which is real"),
        ((Whole("b", 1, 2), Whole("a", 1, 2, when=When("b", (1, 3)))), r"a: depends on a value that can't be: parameter b: 3;"),
    ],
)
def test_conditions_that_can_not_be_are_refused(parameters: tuple[Parameter, ...], message: str) -> None:
    with pytest.raises(BadInput, match=f"space bad: parameter {message}"):
        SearchSpace("bad", parameters, decode)


@pytest.mark.parametrize("values", [(), (1, 1)])
def test_a_condition_asks_for_something(values: tuple[int, ...]) -> None:
    with pytest.raises(BadInput, match="condition on b: values"):
        When("b", values)


def test_a_long_chain_of_conditions_is_no_trouble() -> None:
    chain: list[Parameter] = [Whole("p0", 0, 1)]
    chain += [Whole(f"p{number}", 0, 1, when=When(f"p{number - 1}", (1,))) for number in range(1, 2000)]
    assert most_active(chain) == 2000
    assert count_points(chain) == 2001


def test_identity_feels_conditions_and_every_arm_of_them() -> None:
    """A decode that is another one for a single value is another space, however rarely a point by chance meets it."""

    def bent(params: Mapping[str, Any]) -> Policy:
        return Policy() if params.get("z") == "off" else decode(params)

    def shifted(params: Mapping[str, Any]) -> Policy:
        return Policy() if params.get("y") == 2 and params["x"] == "b" else decode(params)

    loose = (*NESTED[:3], Real("w", 0.0, 1.0, when=When("x", ("a", "b"))))
    spaces = [SPACE, *(SearchSpace("nested", NESTED, other) for other in (bent, shifted))]
    assert len({json.dumps(space.to_dict()) for space in spaces}) == 3
    assert SearchSpace("nested", loose, lambda p: Policy()) != SearchSpace("nested", NESTED, lambda p: Policy())
    assert SPACE.to_dict()["parameters"][1]["when"] == {"name": "x", "values": ["b", "c"]}
    assert json.loads(json.dumps(SPACE.to_dict())) == SPACE.to_dict()


def test_spaces_are_compared_by_content() -> None:
    same = SearchSpace("nested", NESTED, lambda params: decode(params), notes=("for people",))
    assert same == SPACE and hash(same) == hash(SPACE)
    assert SearchSpace("other", NESTED, decode) != SPACE
    assert SPACE != "nested"


FIXED = SearchSpace("fixed", (Real("w", 0.0, 1.0),), decode, fixed={"x": "a", "recipe.rate": 0.1})


def test_fixed_values_are_decoded_and_not_searched() -> None:
    assert FIXED.decode({"w": 0.25}) == SPACE.decode({"x": "a", "w": 0.25})
    assert FIXED.check({"w": 0.25}) == FIXED.check({"w": 0.25, "x": "a"}) == {"w": 0.25}
    assert FIXED.dimensions == 1
    assert list(FIXED.to_optuna()) == list(FIXED.to_ray()) == ["w"]
    with pytest.raises(BadInput, match="space fixed: parameter x: 'b'; it is fixed at 'a'"):
        FIXED.check({"w": 0.25, "x": "b"})
    with pytest.raises(BadInput, match="parameter 'x' given twice"):
        SearchSpace("twice", NESTED, decode, fixed={"x": "a"})


def test_what_says_how_to_train_is_no_part_of_the_policy() -> None:
    assert FIXED.recipe_overrides({"w": 0.25}) == {"rate": 0.1}
    assert SPACE.recipe_overrides({"x": "a", "w": 0.25}) == {}
    searched = SearchSpace(
        "r", (Real("w", 0.0, 1.0), Categorical("recipe.decay", (0, 1e-3))), FIXED.decode_with, fixed={"x": "a"}
    )
    assert searched.recipe_overrides({"w": 0.25, "recipe.decay": 0}) == {"decay": 0.0}
    assert searched.decode({"w": 0.25, "recipe.decay": 0}) == FIXED.decode({"w": 0.25})


def test_identity_has_fixed_values_only_where_there_are_some() -> None:
    assert "fixed" not in SPACE.to_dict()
    assert FIXED.to_dict()["fixed"] == {"x": "a", "recipe.rate": 0.1}


def test_many_conditions_of_a_kind_are_met_together_so_that_an_identity_stays_cheap() -> None:
    space = spaces.autoaugment(sub_policies=25)
    decoded: list[None] = []
    counting = replace(space, decode_with=lambda params: decoded.append(None) or space.decode_with(params))  # type: ignore[func-returns-value]
    assert counting.to_dict() == space.to_dict()
    assert len(decoded) == 2 + 16 * (1 + 11), "the two ends, and 16 points for each op with a strength"
