"""A space cut down: what its policies may still have."""

import json

import numpy as np
import pytest

from searchspaces.cutting import Cut, cut_policy, cut_space
from searchspaces.families import family_table
from searchspaces.ops import find_op
from searchspaces.policy import Base, Branch, Choice, Constant, Distribution, Levels, PadCrop, Policy, Step, Uniform
from searchspaces.space import SearchSpace
from searchspaces.spaces import PHOTO_BASE, build_space

CUT = Cut(
    ranges={"rotate": (-15.0, 15.0), "brightness": (0.7, 10.0), "gamma": (0.8, 1.2), "solarize": (128.0, 256.0)},
    left_out=("invert", "equalize"),
    moves=("hflip", "vflip"),
)
FAMILIES = [family.name for family in family_table()]


def policies(space: SearchSpace) -> list[Policy]:
    generator = np.random.default_rng(0)
    return [space.decode(space.draw(generator)) for _ in range(40)]


def choices(policy: Policy) -> list[Choice]:
    return [choice for branch in policy.branches for step in branch.steps for choice in step.choices]


@pytest.mark.parametrize("family", [*FAMILIES, "mixture,photometric+geometry", "uniformaugment:ops=rotate/hflip/jpeg"])
def test_no_policy_of_a_cut_space_goes_beyond_the_cut(family: str) -> None:
    for policy in policies(cut_space(build_space(family), CUT)):
        assert policy.base.hflip == policy.base.vflip == 0
        assert not {*CUT.left_out, *CUT.moves} & set(policy.ops)
        for choice in choices(policy):
            low, high = CUT.ranges.get(choice.op, (-np.inf, np.inf))
            identity = find_op(choice.op).strength.identity
            values = choice.values[0]
            ends = {*values.ends, *((2 * identity - end for end in values.ends) if values.signed else ())}
            assert all(low - 1e-9 <= end <= high + 1e-9 for end in ends), (choice, low, high)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_the_cut_does_not_concern_stays_as_it_was(family: str) -> None:
    space = build_space(family)
    for before, after in zip(policies(space), policies(cut_space(space, CUT)), strict=True):
        untouched = [choice for choice in choices(before) if choice.op not in (*CUT.ranges, *CUT.left_out)]
        assert [choice for choice in choices(after) if choice.op not in CUT.ranges] == untouched
        assert after.placement == before.placement
        assert after.batch == before.batch


def test_a_cut_space_is_another_one_and_says_so() -> None:
    space = build_space("randaugment")
    cut = cut_space(space, CUT)
    assert cut != space
    assert cut.name == "randaugment-trimmed"
    assert cut.parameters == space.parameters
    assert "rotate from -15 to 15 degrees" in cut.notes[-1]
    assert "no invert, equalize, hflip, vflip" in cut.notes[-1]
    assert cut_space(space, Cut()) is space
    assert not Cut()


@pytest.mark.parametrize(
    ("values", "left"),
    [
        (Constant(40.0, signed=True), Constant(15.0, signed=True)),
        (Constant(9.0, signed=True), Constant(9.0, signed=True)),
        (Constant(-40.0), Constant(-15.0)),
        (Uniform(0.0, 30.0, signed=True), Uniform(0.0, 15.0, signed=True)),
        (Uniform(-30.0, 10.0), Uniform(-15.0, 10.0)),
        (Uniform(20.0, 30.0), Constant(15.0)),
        (Uniform(-30.0, -20.0), Constant(-15.0)),
        (Levels((0.0, 10.0, 20.0), signed=True), Levels((0.0, 10.0), signed=True)),
        (Levels((20.0, 30.0)), Constant(15.0)),
    ],
)
def test_each_kind_of_distribution_ends_where_the_range_does(values: Distribution, left: Distribution) -> None:
    policy = Policy(branches=(Branch((Step((Choice("rotate", (values,)),)),)),))
    (choice,) = choices(cut_policy(policy, CUT))
    assert choice.values == (left,)


def test_a_range_that_is_shorter_on_one_side_holds_for_both_where_the_sign_is_drawn() -> None:
    policy = Policy(branches=(Branch((Step((Choice("rotate", (Constant(30.0, signed=True),)),)),)),))
    (choice,) = choices(cut_policy(policy, Cut({"rotate": (-10.0, 180.0)})))
    assert choice.values == (Constant(10.0, signed=True),)


def test_a_policy_that_loses_all_its_ops_is_its_base() -> None:
    policy = Policy(PHOTO_BASE, (Branch((Step((Choice("invert", (Constant(1.0),)),)),)),))
    assert cut_policy(policy, CUT) == Policy(Base(crop=PadCrop(0.125)))


def test_a_cut_makes_the_way_through_json() -> None:
    assert Cut.from_dict(json.loads(json.dumps(CUT.to_dict()))) == CUT
