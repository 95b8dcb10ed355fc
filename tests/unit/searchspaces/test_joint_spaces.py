"""Several families in one space: how a wish is read, what is named how, and what a point decodes to."""

from dataclasses import replace
from hashlib import sha256

import pytest

from searchspaces import spaces
from searchspaces.errors import BadInput
from searchspaces.families import find_family
from searchspaces.families.joining import split_families
from searchspaces.json_text import canonical_json
from searchspaces.space import When
from searchspaces.spaces import DIGIT_BASE, PHOTO_BASE, build_space, few_trials_note

IDENTITIES = {
    ("mixture", 1): "a250a87a0031c109",
    ("mixture", 3): "7161abcd65fb303e",
    ("photometric", 1): "2d8a2c2662a05c22",
    ("photometric", 3): "714a8c4d8da8070b",
    ("randaugment", 1): "7f80d8b25d94e8ec",
    ("randaugment", 3): "78dd3de946384f72",
    ("trivialaugment", 1): "7017757fe3a54376",
    ("trivialaugment", 3): "4f5cd40f1af61cf1",
    ("uniformaugment", 1): "e0aa72a9b9f1bed5",
    ("uniformaugment", 3): "3f6b4b31ec2ceb31",
}
"""Of spaces that were searched before there were conditions: studies of them go on."""


@pytest.mark.parametrize("wish", IDENTITIES)
def test_spaces_without_conditions_are_what_they_were(wish: tuple[str, int]) -> None:
    text = canonical_json(build_space(*wish).to_dict())
    assert sha256(text.encode()).hexdigest()[:16] == IDENTITIES[wish]


@pytest.mark.parametrize(
    ("wish", "families"),
    [
        ("randaugment", ["randaugment"]),
        ("randaugment,photometric", ["randaugment", "photometric"]),
        (
            "autoaugment:sub_policies=3,ops=rotate/shear_x,photometric",
            ["autoaugment:sub_policies=3,ops=rotate/shear_x", "photometric"],
        ),
        (
            "mixture:shares=ops,ops=albumentations:CLAHE/rotate,randaugment:scale=paper,ops=rotate/hue",
            ["mixture:shares=ops,ops=albumentations:CLAHE/rotate", "randaugment:scale=paper,ops=rotate/hue"],
        ),
        ("a,,b", ["a", "", "b"]),
    ],
)
def test_a_wish_is_split_where_a_family_begins(wish: str, families: list[str]) -> None:
    assert split_families(wish) == families


def test_the_family_is_the_first_parameter_and_each_has_its_own_under_its_name() -> None:
    space = build_space("randaugment,trivialaugment")
    assert space.name == "randaugment,trivialaugment" == find_family(space.name).name
    assert [(parameter.name, parameter.when) for parameter in space.parameters] == [
        ("family", None),
        ("randaugment.ops", When("family", ("randaugment",))),
        ("randaugment.level", When("family", ("randaugment",))),
        ("trivialaugment.scale", When("family", ("trivialaugment",))),
        ("trivialaugment.highest_level", When("family", ("trivialaugment",))),
    ]
    assert space.dimensions == 3
    assert len(space.cells() or ()) == 15 + 10


def test_a_point_is_one_of_the_family_it_names() -> None:
    space, rand, trivial = spaces.joint("randaugment", "trivialaugment"), spaces.randaugment(), spaces.trivialaugment()
    params = {"randaugment.ops": 2, "randaugment.level": 9, "trivialaugment.scale": "wide", "trivialaugment.highest_level": 30}
    assert space.decode(params | {"family": "randaugment"}) == rand.decode({"ops": 2, "level": 9})
    assert space.decode(params | {"family": "trivialaugment"}) == trivial.decode({"scale": "wide", "highest_level": 30})


def test_conditions_of_a_family_nest_in_those_of_the_joint_space() -> None:
    space = build_space("autoaugment:sub_policies=1,ops=rotate/invert,randaugment")
    level = next(parameter for parameter in space.parameters if parameter.name == "autoaugment.sub1.first.level")
    assert level.when == When("autoaugment.sub1.first.op", ("rotate",))
    point = {"family": "randaugment", "randaugment.ops": 1, "randaugment.level": 9}
    assert space.check(point | {"autoaugment.sub1.first.op": "rotate", "autoaugment.sub1.first.level": 5}) == point


def test_one_family_twice_with_other_options_is_numbered() -> None:
    space = build_space("randaugment,randaugment:scale=paper")
    assert [parameter.name for parameter in space.parameters][1::2] == ["randaugment.ops", "randaugment_2.ops"]
    point = {"family": "randaugment:scale=paper", "randaugment_2.ops": 1, "randaugment_2.level": 10}
    assert space.decode(point) == spaces.randaugment(scale="paper").decode({"ops": 1, "level": 10})


def test_geometry_goes_with_either() -> None:
    space, geometry = build_space("randaugment,photometric+geometry"), spaces.geometry()
    assert space.dimensions == 1 + 15 + geometry.dimensions
    frame = {parameter.name: parameter.ends[1] for parameter in geometry.parameters}
    rand = {"ops": 2, "level": 9}
    found = space.decode({"family": "randaugment", "randaugment.ops": 2, "randaugment.level": 9} | frame)
    assert found == replace(spaces.randaugment().decode(rand), base=geometry.decode(frame).base)


def test_notes_say_which_family_they_are_of_and_the_base_comes_through() -> None:
    space = spaces.joint("photometric", "randaugment", channels=1, base=DIGIT_BASE)
    assert space.notes == (
        "photometric: left out, because they can't change grey images: saturation, hue",
        "randaugment: left out, because they can't change grey images: saturation",
    )
    assert space.decode({"family": "randaugment", "randaugment.ops": 1, "randaugment.level": 9}).base == DIGIT_BASE


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ("randaugment,randaugment", "space 'randaugment,randaugment': randaugment given twice; give each family once"),
        ("randaugment,randaugment:scale=torchvision", "randaugment given twice"),
        ("randaugment,photometrik", "space 'photometrik': there is none of this name; did you mean 'photometric'"),
        ("randaugment,", "space '': there is none of this name"),
        ("randaugment+geometry,photometric", "geometry searches the base; write it last, behind all: +geometry"),
        ("geometry,randaugment+geometry", "geometry searches the base; write it last, behind all: +geometry"),
        (",".join(["randaugment"] * 17), "17 families; allowed are at most 16"),
        ("autoaugment:ops=rotate,sub_policies=99,randaugment", "option sub_policies: '99'"),
        ("+".join(["randaugment"] + ["geometry"] * 5000), "randaugment+geometry searches the base"),
        ("+".join(["geometry"] * 5000), "geometry searches the base"),
        ("+" * 5000, "space '': there is none of this name"),
    ],
)
def test_what_does_not_go_together_is_refused_in_one_line(wish: str, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        find_family(wish)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 600


def test_python_joins_names_alone() -> None:
    assert spaces.joint("randaugment", "photometric") == build_space("randaugment,photometric")
    with pytest.raises(BadInput, match="joint space of 'randaugment': give at least two families"):
        spaces.joint("randaugment")
    with pytest.raises(BadInput, match="the base goes with all or none; write it last"):
        spaces.joint("randaugment+geometry", "photometric")


def test_what_depends_on_the_crop_exists_for_a_resized_one_alone() -> None:
    space = spaces.geometry()
    assert space.check({p.name: p.ends[0] for p in space.parameters}).keys() == {
        p.name for p in space.parameters if p.name not in ("geometry.scale_low", "geometry.aspect")
    }
    assert set(space.check({p.name: p.ends[1] for p in space.parameters})) == {p.name for p in space.parameters}


def test_an_op_without_a_strength_has_no_level() -> None:
    space = build_space("autoaugment:sub_policies=1,ops=rotate/invert/equalize")
    point = {f"sub1.{place}.{name}": value for place in ("first", "second") for name, value in STEP.items()}
    for op in ("invert", "equalize"):
        assert "sub1.first.level" not in space.check(point | {"sub1.first.op": op})
        assert space.decode(point | {"sub1.first.op": op}) == space.decode(point | {"sub1.first.op": op, "sub1.first.level": 3})
    assert space.check(point)["sub1.first.level"] == 7
    names = [parameter.name for parameter in build_space("autoaugment:sub_policies=1,ops=invert/equalize").parameters]
    assert not [name for name in names if name.endswith("level")], "no op has one"


STEP = {"op": "rotate", "probability_tenths": 5, "level": 7}


@pytest.mark.parametrize(
    ("wish", "trials", "told"),
    [
        ("photometric", 149, "149 trials for 15 dimensions are few"),
        ("photometric", 150, None),
        ("photometric", 1, "a trial for 15 dimensions"),
        ("randaugment", 14, "14 trials for 2 dimensions are few, and chance will have much of the say: give 15, which are all"),
        ("randaugment", 15, None),  # all there are
        ("randaugment,photometric+geometry", 229, "229 trials for 23 dimensions"),
        ("randaugment,photometric+geometry", 230, None),
    ],
)
def test_few_trials_are_said(wish: str, trials: int, told: str | None) -> None:
    note = few_trials_note(build_space(wish), trials)
    assert (note is None) == (told is None)
    assert told is None or (note or "").startswith(told)


def test_forbidden_ops_are_in_no_policy_and_it_is_said() -> None:
    forbidden = ("equalize", "gamma", "hflip", "rotate")
    for wish in ("randaugment", "photometric", "trivialaugment", "uniformaugment", "mixture", "autoaugment"):
        space = find_family(wish).forbidding(forbidden).build(3, PHOTO_BASE)
        for end in (0, 1):
            policy = space.decode({parameter.name: parameter.ends[end] for parameter in space.parameters})
            assert not set(policy.ops) & set(forbidden)
            assert policy.base.hflip == 0 and policy.base.crop == PHOTO_BASE.crop
        assert [note for note in space.notes if note.startswith("left out, because they are forbidden: ")]
        assert space != build_space(wish)


def test_forbidden_flips_are_forbidden_to_geometry_too_and_no_more() -> None:
    space = find_family("randaugment+geometry").forbidding(("hflip",)).build(3, PHOTO_BASE)
    names = [parameter.name for parameter in space.parameters]
    assert "geometry.hflip" not in names and {"geometry.vflip", "geometry.quarter_turns"} <= set(names)
    assert space.decode({parameter.name: parameter.ends[1] for parameter in space.parameters}).base.hflip == 0
    assert "left out, because they are forbidden: hflip" in space.notes


def test_nothing_left_is_refused() -> None:
    with pytest.raises(BadInput, match="ops rotate: all of them are forbidden; allow one of them, or choose others"):
        find_family("randaugment:ops=rotate").forbidding(("rotate",)).build(3, PHOTO_BASE)
    outsider = replace(find_family("randaugment"), name="outsider", leaves_out=False)
    with pytest.raises(BadInput, match="space outsider: it has no way to leave ops out"):
        outsider.forbidding(("rotate",))
