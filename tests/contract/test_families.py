"""What every space promises, of one family, of several and from files, on colour and on grey images."""

import json
import math
from dataclasses import replace
from itertools import product as product_of
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from space_fixture import CASES
from strategies import points

from searchspaces.conditions import reaching
from searchspaces.draw import draw
from searchspaces.engines import FUSED, apply, grouped
from searchspaces.errors import BadInput
from searchspaces.families import Family, family_table, find_family
from searchspaces.families.composing import composed, on_base_of
from searchspaces.ops import find_op
from searchspaces.policy_json import canonical_json, digest, policy_from_dict, policy_to_dict
from searchspaces.space import MAX_CELLS, Categorical, Parameter, SearchSpace
from searchspaces.spaces import PHOTO_BASE
from searchspaces.words import policy_in_words

GEOMETRY = find_family("geometry").build(3, PHOTO_BASE)


@pytest.fixture(params=CASES.values(), ids=list(CASES), scope="module")
def case(request: pytest.FixtureRequest) -> tuple[Family, int]:
    wish, channels = request.param
    return find_family(wish), channels


@pytest.fixture(scope="module")
def space(case: tuple[Family, int]) -> SearchSpace:
    family, channels = case
    return family.build(channels, PHOTO_BASE)


def lowest(space: SearchSpace, parameter: Parameter | None = None, end: int = 0) -> dict[str, Any]:
    """All parameters at one end, but for what the given one needs to exist."""
    needed = reaching(space.parameters, parameter.name) if parameter else {}
    return {other.name: other.ends[end] for other in space.parameters} | needed


@given(data=st.data())
@settings(max_examples=25)
def test_every_point_is_a_valid_policy_whose_json_comes_back(
    case: tuple[Family, int], space: SearchSpace, data: st.DataObject
) -> None:
    params = data.draw(points(space))
    policy = space.decode(params)
    assert space.check(params) == params
    assert {parameter.name for parameter in space.active(params)} == set(params)
    assert len(params) <= space.dimensions
    assert case[0].searches_base or policy.base == PHOTO_BASE
    text = canonical_json(policy_to_dict(policy))
    assert policy_from_dict(json.loads(text)) == policy
    assert canonical_json(policy_to_dict(policy_from_dict(json.loads(text)))) == text
    assert space.decode(json.loads(json.dumps(params))) == policy
    assert policy_in_words(policy)


@given(data=st.data())
@settings(max_examples=10)
def test_with_geometry_a_point_is_the_branches_of_the_one_on_the_base_of_the_other(
    case: tuple[Family, int], space: SearchSpace, data: st.DataObject
) -> None:
    family, geometry = case[0], find_family("geometry")
    if family.searches_base:
        with pytest.raises(BadInput, match=r"searches the base; allowed is one space of ops"):
            composed(family, geometry)
        return
    both, framed = on_base_of(space, GEOMETRY), data.draw(points(GEOMETRY))
    assert both.name == f"{space.name}+geometry"
    params = data.draw(points(space))
    assert both.decode(params | framed) == replace(space.decode(params), base=GEOMETRY.decode(framed).base)
    names = [parameter.name for part in (space, GEOMETRY) for parameter in part.parameters]
    assert list(both.to_optuna()) == list(both.to_ray()) == names
    assert both.dimensions == space.dimensions + GEOMETRY.dimensions


@given(data=st.data(), seed=st.integers(0, 99))
@settings(max_examples=5)
def test_both_engines_do_what_a_point_says_alike(
    case: tuple[Family, int], space: SearchSpace, data: st.DataObject, seed: int
) -> None:
    shape = (12, case[1], 20, 26)
    images = torch.from_numpy(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))
    plan = draw(space.decode(data.draw(points(space))), shape, np.random.default_rng(seed))
    ran: set[str] = set()
    found, wanted = apply(images, plan, ran=ran), grouped.apply(images, plan)
    assert ran == {FUSED}, "no family's own ops need another engine"
    if all(find_op(name).tolerance.levels == 0 for name in plan.code_book):
        assert torch.equal(found, wanted)


def test_names_are_unique_and_the_table_has_what_people_read(space: SearchSpace) -> None:
    names = [parameter.name for parameter in space.parameters]
    assert len(set(names)) == len(names)
    for family in family_table():
        assert family.summary
        assert family.source


def test_a_missing_parameter_is_named(space: SearchSpace) -> None:
    for parameter in space.parameters:
        params = {name: value for name, value in lowest(space, parameter).items() if name != parameter.name}
        with pytest.raises(BadInput, match=f"parameter {parameter.name} is missing"):
            space.decode(params)


def test_a_parameter_that_does_not_exist_is_neither_wanted_nor_looked_at(space: SearchSpace) -> None:
    params = lowest(space)
    existing = space.check(params)
    idle = {name: object() for name in params if name not in existing}
    assert space.check(existing) == space.check(existing | idle) == existing
    assert space.decode(existing | idle) == space.decode(params)
    assert bool(idle) <= space.conditional


def test_an_unknown_parameter_is_named(space: SearchSpace) -> None:
    with pytest.raises(BadInput, match="unknown parameter 'magnitude'"):
        space.decode(lowest(space) | {"magnitude": 9})


def test_a_value_out_of_range_is_named(space: SearchSpace) -> None:
    for parameter in space.parameters:
        outside = ("nothing", -2) if isinstance(parameter, Categorical) else (parameter.low - 1, parameter.high + 1)
        for beyond in outside:
            with pytest.raises(BadInput, match=f"parameter {parameter.name}: {beyond!r}; allowed (is|are)"):
                space.decode(lowest(space, parameter) | {parameter.name: beyond})


def test_both_ends_decode_and_no_op_leaves_its_limits(space: SearchSpace) -> None:
    """Every corner is too many; each parameter at each end, the others at each end, is the hull of what families do."""
    for others in (0, 1):
        for parameter in space.parameters:
            for end in parameter.ends:
                params = lowest(space, parameter, others) | {parameter.name: end}
                assert space.check(params)[parameter.name] == end
                space.decode(params)


def test_ops_change_the_images_they_are_for(case: tuple[Family, int], space: SearchSpace) -> None:
    assert all(find_op(name).changes(case[1]) for name in space.decode(lowest(space)).ops)


def test_cells_are_all_points_and_all_different(space: SearchSpace) -> None:
    cells = space.cells()
    axes = [parameter.points for parameter in space.parameters]
    finite = [axis for axis in axes if axis is not None]
    product = math.prod(map(len, finite))
    if len(finite) < len(axes):
        assert cells is None
    elif not space.conditional:
        assert (cells is None) == (product > MAX_CELLS)
    elif product <= 100_000:  # small enough to say it plainly: of all combinations, those that differ in what exists
        names = [parameter.name for parameter in space.parameters]
        every = {canonical_json(space.check(dict(zip(names, values, strict=True)))) for values in product_of(*finite)}
        assert sorted(map(canonical_json, cells or ())) == sorted(every)
    if cells is not None:
        assert space.name != "randaugment" or len(cells) == 15
        assert all(space.check(cell) == cell for cell in cells)
        met = {(digest(space.decode(cell)), canonical_json(space.recipe_overrides(cell))) for cell in cells}
        assert space.conditional or len(met) == len(cells)
