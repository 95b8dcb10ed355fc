"""Options of families: by text or by name, refused by name, told in the space's name, and what each comes to."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchspaces import spaces
from searchspaces.errors import BadInput
from searchspaces.families import family_table, find_family
from searchspaces.families.ranges import SMALLEST_SHARE, ranged_ops, up_to
from searchspaces.ops import find_op
from searchspaces.policy import Choice, Constant, Levels, Uniform
from searchspaces.space import SearchSpace
from searchspaces.spaces import PHOTO_BASE, build_space


def names_of(space: SearchSpace) -> list[str]:
    return [parameter.name for parameter in space.parameters]


def values_of(space: SearchSpace, params: dict[str, Any]) -> dict[str, Any]:
    """The distributions by op of the first step at a point; what is not given is at its upper end."""
    policy = space.decode({parameter.name: parameter.ends[1] for parameter in space.parameters} | params)
    return {choice.op: choice.values[0] for choice in policy.branches[0].steps[0].choices}


def test_text_and_python_say_the_same() -> None:
    by_text = build_space("autoaugment:sub_policies=2,ops=shear_x/rotate")
    by_name = spaces.autoaugment(sub_policies=2, ops=["rotate", "shear_x"])
    assert by_text.to_dict() == by_name.to_dict()
    assert by_text.name == "autoaugment:sub_policies=2,ops=rotate/shear_x"
    assert find_family(by_text.name).build(3, PHOTO_BASE).to_dict() == by_text.to_dict(), "the name says it all"
    assert find_family(by_text.name).name == by_text.name


def test_options_go_with_the_geometry_too() -> None:
    space = build_space("mixture:ops=rotate/albumentations:CLAHE,shares=ops+geometry")
    assert space.name == "mixture:shares=ops,ops=albumentations:CLAHE/rotate+geometry"
    assert space.name == find_family(space.name).name
    assert {"albumentations.clahe.strength", "geometry.crop"} <= set(names_of(space))


def test_the_usual_value_changes_nothing() -> None:
    assert build_space("randaugment:scale=torchvision").to_dict() == build_space("randaugment").to_dict()
    assert build_space("autoaugment:sub_policies=5").name == "autoaugment"


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ("randaugment:", "option ''; write options as NAME:option=value"),
        ("randaugment:scale", "option 'scale'; write options as"),
        ("randaugment:scale=paper,scale=paper", "option 'scale=paper'; write options as"),
        ("randaugment:scale=timm", "space randaugment: option scale: 'timm'; allowed are torchvision, paper"),
        ("randaugment:colour=1", "space randaugment: unknown option 'colour'; it has scale, ops"),
        ("trivialaugment:ops=rotate", "space trivialaugment: unknown option 'ops'; it has none"),
        ("autoaugment:sub_policies=26", "option sub_policies: '26'; allowed is a whole number from 1 to 25"),
        ("autoaugment:sub_policies=0", "allowed is a whole number from 1 to 25"),
        ("autoaugment:sub_policies=²", "allowed is a whole number from 1 to 25"),
        ("mixture:ops=rotate/rotate", "option ops: 'rotate/rotate'; give ops, each once"),
        ("mixture:ops=rotat", "option ops: op 'rotat': there is none of this name; did you mean 'rotate'"),
        ("mixture:ops=crop", "option ops: 'crop' has no range here; allowed are albumentations:CLAHE, "),
        ("randaugment:scale=paper,ops=hflip", "op 'hflip': it has no levels on scale 'paper'"),
        ("randomaugment:scale=paper", "space 'randomaugment': there is none of this name; did you mean 'randaugment'"),
    ],
)
def test_what_can_not_be_is_refused_in_one_line(wish: str, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        build_space(wish)
    assert message in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("value", [None, 3, [], {"rotate": 1}])
def test_python_values_are_checked_too(value: Any) -> None:
    with pytest.raises(BadInput, match=r"option ops: .*give ops, each once"):
        spaces.mixture(ops=value)


def test_ops_that_change_no_image_of_these_are_refused() -> None:
    with pytest.raises(BadInput, match="ops saturation: none of them can change grey images; choose others"):
        build_space("randaugment:ops=saturation", channels=1)


def test_every_option_has_an_example_that_makes_another_space() -> None:
    for family in family_table():
        for option in family.options:
            assert option.meaning
            space = build_space(f"{family.name}:{option.name}={option.example}")
            assert space.name == f"{family.name}:{option.name}={option.example}"
            assert space.to_dict() != build_space(family.name).to_dict()


def test_randaugment_on_the_papers_scale() -> None:
    space = build_space("randaugment:scale=paper")
    assert len(space.cells() or ()) == 24
    assert {cell["level"] for cell in space.cells() or ()} >= {2, 6, 10, 14}, "the paper's grid on CIFAR-100"
    values = values_of(space, {"level": 10})
    assert values["rotate"] == Constant(30.0, signed=True)
    assert values["brightness"] == Constant(1.9)
    assert len(values) == 14


def test_autoaugment_on_the_papers_scale_divides_by_10() -> None:
    space = build_space("autoaugment:scale=paper,ops=shear_x/invert")
    assert values_of(space, {"sub1.first.op": "shear_x", "sub1.first.level": 9})["shear_x"] == Constant(0.27, signed=True)
    assert (
        build_space("autoaugment").check({p.name: p.ends[1] for p in build_space("autoaugment").parameters})["sub1.first.level"]
        == 9
    )


@pytest.mark.parametrize("count", [1, 3, 25])
def test_autoaugment_has_as_many_sub_policies_as_wished(count: int) -> None:
    space = spaces.autoaugment(sub_policies=count)
    assert len(space.parameters) == 6 * count
    assert len(space.decode({p.name: p.ends[0] for p in space.parameters}).branches) == count


def test_autoaugment_of_one_op_does_not_ask_which() -> None:
    assert names_of(build_space("autoaugment:sub_policies=1,ops=rotate")) == [
        "sub1.first.probability_tenths",
        "sub1.first.level",
        "sub1.second.probability_tenths",
        "sub1.second.level",
    ]


def test_uniformaugment_may_have_a_share_for_each_kind_or_op() -> None:
    kinds = build_space("uniformaugment:shares=kinds")
    assert set(names_of(kinds)) == {"ops", *(f"{kind}.range_fraction" for kind in ("tone", "geometry", "colour", "texture"))}
    values = values_of(kinds, {"geometry.range_fraction": 0.5})
    assert values["rotate"] == Uniform(0.0, 15.0, signed=True)
    assert values["brightness"] == Uniform(1.0, 1.9, signed=True)
    each = build_space("uniformaugment:shares=ops")
    assert "equalize.range_fraction" not in names_of(each), "it has no strength"
    values = values_of(each, {"shear_x.range_fraction": 0.5})
    assert (values["shear_x"], values["shear_y"]) == (Uniform(0.0, 0.15, signed=True), Uniform(0.0, 0.3, signed=True))


@given(name=st.sampled_from(ranged_ops()), share=st.floats(SMALLEST_SHARE, 1.0))
def test_every_range_is_one_the_op_takes_and_grows_with_its_share(name: str, share: float) -> None:
    op, part, whole = find_op(name), up_to(name, share), up_to(name, 1.0)
    Choice(name, part)  # refuses what is outside the op's limits, mirrored or not
    assert part[1:] == whole[1:]
    assert min(whole[0].ends) <= min(part[0].ends) <= max(part[0].ends) <= max(whole[0].ends)
    if op.strength.whole and op.name != "identity":
        assert op.strength.identity not in part[0].ends, "a whole number that is nothing is no strength"


def test_ranges_by_hand() -> None:
    assert up_to("erase", 0.5) == (Uniform(0.0, 0.1), Uniform(0.0, 1.0), Uniform(0.0, 1.0), Constant(121.0))
    assert up_to("jpeg", 0.1) == (Levels(tuple(map(float, range(93, 100)))),)
    assert up_to("posterize", 1.0) == (Levels((4.0, 5.0, 6.0, 7.0)),)
    assert up_to("gamma", 0.5) == (Uniform(0.75, 1.25),)
    assert up_to("quarter_turns", 0.1) == (Levels((1.0, 2.0, 3.0)),)
    assert up_to("albumentations:CLAHE", 1.0) == (Uniform(1.0, 4.0), Constant(8.0))
    assert {"crop", "resized_crop", "translate_x_px"}.isdisjoint(ranged_ops())


def test_a_mixture_of_everything_that_has_a_range() -> None:
    space = spaces.mixture(ops=ranged_ops(), shares="ops")
    policy = space.decode({parameter.name: parameter.ends[1] for parameter in space.parameters})
    assert set(policy.ops) == set(ranged_ops())
    assert "albumentations.clahe.weight_log10" in names_of(space) and "albumentations.clahe.strength" in names_of(space)
    assert find_family(space.name).build(3, PHOTO_BASE).to_dict() == space.to_dict()


def test_a_mixture_draws_by_its_weights_up_to_its_strength() -> None:
    space = spaces.mixture()
    assert names_of(space)[:3] == ["ops", "strength", "autocontrast.weight_log10"]
    point = {p.name: p.ends[1] for p in space.parameters} | {"ops": 2, "strength": 0.5, "rotate.weight_log10": -1.0}
    (branch,) = space.decode(point).branches
    assert len(branch.steps) == 2 and branch.steps[0] == branch.steps[1] and branch.steps[0].probability == 1
    choices = {choice.op: choice for choice in branch.steps[0].choices}
    assert len(choices) == 14
    assert choices["rotate"].weight == 0.1 and choices["rotate"].values == (Uniform(0.0, 15.0, signed=True),)
    assert choices["shear_x"].weight == 1.0
    assert choices["posterize"].values == (Levels((6.0, 7.0)),)
    assert choices["identity"].values == (Constant(1.0),)
