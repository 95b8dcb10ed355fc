"""The family table, the baselines, and the promise that a new family is one new file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from searchspaces import families, spaces
from searchspaces.errors import BadInput
from searchspaces.families import family_table, find_family
from searchspaces.families.family import useful_ops
from searchspaces.families.fixed import baselines, trivialaugment_wide
from searchspaces.policy import Base, Choice, Constant, Levels, Policy, ResizedCrop, Step, Uniform
from searchspaces.spaces import DIGIT_BASE, LARGE_PHOTO_BASE, PHOTO_BASE, build_space, usual_base

FAMILY_FILE = '''
"""A family from outside."""
from searchspaces.families.family import Family
from searchspaces.policy import Policy
from searchspaces.space import SearchSpace, Whole

def build(channels, base):
    return SearchSpace({name!r}, (Whole("ops", 1, 2),), lambda params: Policy(base))

FAMILY = Family({name!r}, "for a test", "this file", build)
'''


def test_a_new_file_is_a_new_family_without_another_edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "outsider.py").write_text(FAMILY_FILE.format(name="outsider"))
    before = {family.name for family in family_table()}
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path)])
    assert [family.name for family in family_table()] == sorted(before | {"outsider"})
    assert find_family("outsider").summary == "for a test"
    assert spaces.outsider().decode({"ops": 1}) == Policy(PHOTO_BASE)
    assert "outsider" in dir(spaces)


def test_a_name_declared_twice_names_both_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "twin.py").write_text(FAMILY_FILE.format(name="randaugment"))
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path)])
    with pytest.raises(BadInput, match=r"'randaugment': declared twice, in .*randaugment\.py and in .*twin\.py"):
        family_table()


def test_an_unknown_space_names_the_known_ones() -> None:
    with pytest.raises(
        BadInput, match=r"space 'randaugmnt': there is none .* did you mean 'randaugment'. known are autoaugment, "
    ):
        find_family("randaugmnt")
    with pytest.raises(AttributeError, match="known are autoaugment, geometry, "):
        _ = spaces.nothing_like_it


def test_functions_of_spaces_take_channels_and_base() -> None:
    grey = spaces.randaugment(channels=1, base=DIGIT_BASE)
    assert grey.to_dict() == build_space("randaugment", 1, DIGIT_BASE).to_dict() != build_space("randaugment").to_dict()
    assert grey.decode({"ops": 1, "level": 9}).base == DIGIT_BASE


def test_randaugment_2_9_is_torchvisions_default() -> None:
    policy = spaces.randaugment().decode({"ops": 2, "level": 9})
    (branch,) = policy.branches
    assert len(branch.steps) == 2
    assert branch.steps[0] == branch.steps[1]
    assert branch.steps[0].probability == 1
    assert {choice.op: choice.values[0] for choice in branch.steps[0].choices}["rotate"] == Constant(9.0, signed=True)
    assert len(branch.steps[0].choices) == 14
    assert len({choice.weight for choice in branch.steps[0].choices}) == 1


def test_uniformaugment_2_1_is_the_published_policy() -> None:
    (branch,) = spaces.uniformaugment().decode({"ops": 2, "range_fraction": 1}).branches
    assert len(branch.steps) == 2
    assert branch.steps[0] == branch.steps[1]
    assert branch.steps[0].probability == 0.5
    values = {choice.op: choice.values[0] for choice in branch.steps[0].choices}
    assert len(values) == 15
    assert "invert" in values
    assert "identity" not in values
    assert values["rotate"] == Uniform(0.0, 30.0, signed=True)
    assert values["brightness"] == Uniform(1.0, 1.9, signed=True)
    assert values["solarize"] == Uniform(0.0, 256.0)
    assert values["posterize"] == Levels((4.0, 5.0, 6.0, 7.0)), "the code cuts U(4, 8) off to whole bits: 8 never comes"
    assert values["translate_x"] == Uniform(0.0, 0.45, signed=True)
    assert values["equalize"] == Constant(1.0)


def test_uniformaugment_shares_one_fraction_of_every_range() -> None:
    space = spaces.uniformaugment()
    assert [parameter.name for parameter in space.parameters] == ["ops", "range_fraction"], "no random p: it would do nothing"
    (branch,) = space.decode({"ops": 1, "range_fraction": 0.25}).branches
    values = {choice.op: choice.values[0] for choice in branch.steps[0].choices}
    assert values["rotate"] == Uniform(0.0, 7.5, signed=True)
    assert values["brightness"] == Uniform(1.0, 1.225, signed=True)
    assert values["solarize"] == Uniform(192.0, 256.0)
    assert values["posterize"] == Constant(7.0)
    assert values["equalize"] == Constant(1.0)


def test_a_random_probability_per_op_and_image_is_one_half() -> None:
    """Why UniformAugment has none: what the paper's two draws give can't be told from one draw with 1/2 (4 sigma)."""
    generator = np.random.default_rng(0)
    draws = 400_000
    applied = int((generator.random(draws) < generator.random(draws)).sum())
    assert abs(applied / draws - 0.5) < 4 * 0.5 / draws**0.5


def test_trivialaugment_holds_the_published_one() -> None:
    space = spaces.trivialaugment()
    assert space.decode({"scale": "wide", "highest_level": 30}) == trivialaugment_wide(3, PHOTO_BASE)
    assert len(space.cells() or ()) == 10
    policy = space.decode({"scale": "standard", "highest_level": 6})
    values = {choice.op: choice.values[0] for choice in policy.branches[0].steps[0].choices}
    assert values["rotate"] == Levels((0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0), signed=True)
    assert "translate_x" in values


def test_autoaugment_is_5_sub_policies_of_two_ops() -> None:
    space = spaces.autoaugment()
    assert len(space.parameters) == 30
    params = {parameter.name: parameter.ends[0] for parameter in space.parameters}
    params |= {"sub2.second.op": "rotate", "sub2.second.probability_tenths": 7, "sub2.second.level": 3}
    policy = space.decode(params)
    assert [len(branch.steps) for branch in policy.branches] == [2] * 5
    assert policy.branches[1].steps[1] == Step((Choice("rotate", (Constant(10.0, signed=True),)),), probability=0.7)
    assert policy.branches[1].steps[0].probability == 0
    assert len({branch.weight for branch in policy.branches}) == 1


def test_autoaugments_levels_are_torchvisions_10_bins_not_tenths() -> None:
    """Level 9 is the maximum; in AutoAugment's own code it is 0.9 of it."""
    space = spaces.autoaugment()
    params = {p.name: p.ends[0] for p in space.parameters} | {"sub1.first.op": "shear_x"}
    found = [space.decode(params | {"sub1.first.level": level}).branches[0].steps[0].choices[0].values[0] for level in (0, 5, 9)]
    assert found == [Constant(value, signed=True) for value in (0.0, 0.166667, 0.3)]


def test_photometric_is_centre_and_half_width_in_the_stated_order() -> None:
    space = spaces.photometric()
    assert [name.split(".")[0] for name in [p.name for p in space.parameters][::3]] == [
        "brightness_shift",
        "contrast_about_128",
        "gamma",
        "saturation",
        "hue",
    ]
    params = {parameter.name: parameter.ends[1] for parameter in space.parameters}
    policy = space.decode(params | {"gamma.centre": 1.1, "gamma.half_width": 0.3, "gamma.probability": 0.125})
    gamma = policy.branches[0].steps[2]
    assert gamma.choices[0].values == (Uniform(0.8, 1.4),)
    assert gamma.probability == 0.125


@pytest.mark.parametrize(
    ("name", "left_out"),
    [
        ("autoaugment", ["saturation"]),
        ("mixture", ["saturation"]),
        ("photometric", ["saturation", "hue"]),
        ("randaugment", ["saturation"]),
        ("trivialaugment", ["saturation"]),
        ("uniformaugment", ["saturation"]),
    ],
)
def test_ops_of_colour_are_left_out_on_grey_images_and_it_is_said(name: str, left_out: list[str]) -> None:
    colour, grey = build_space(name, 3), build_space(name, 1)
    assert colour.notes == ()
    assert grey.notes == (f"left out, because they can't change grey images: {', '.join(left_out)}",)
    params = {parameter.name: parameter.ends[1] for parameter in grey.parameters}
    assert not set(left_out) & set(grey.decode(params).ops)


def test_ops_that_can_not_take_the_channels_are_left_out_too() -> None:
    useful, notes = useful_ops(("rotate", "hue", "identity"), 5)
    assert useful == ("rotate", "identity")
    assert notes == ("left out, because they can't change images with 5 channels: hue",)


def test_the_baselines_are_the_five_free_ones() -> None:
    found = baselines(3, PHOTO_BASE)
    assert list(found) == ["none", "flip+crop", "trivialaugment-wide", "randaugment(2,9)", "uniformaugment"]
    assert found["none"] == Policy(Base())
    assert found["flip+crop"] == Policy(PHOTO_BASE)
    trivial = found["trivialaugment-wide"]
    assert trivial.base == PHOTO_BASE
    (choices,) = [step.choices for branch in trivial.branches for step in branch.steps]
    assert len(choices) == 14
    assert found["randaugment(2,9)"] == spaces.randaugment().decode({"ops": 2, "level": 9})
    assert found["uniformaugment"] == spaces.uniformaugment().decode({"ops": 2, "range_fraction": 1.0})
    assert all(policy.base == PHOTO_BASE for label, policy in found.items() if label != "none")
    grey = baselines(1, PHOTO_BASE)
    assert grey["trivialaugment-wide"] == trivial, "as published: what can't change a grey image is drawn all the same"
    assert grey["randaugment(2,9)"] == spaces.randaugment(channels=1).decode({"ops": 2, "level": 9})
    assert "saturation" not in grey["uniformaugment"].ops and "saturation" in found["uniformaugment"].ops
    assert list(baselines(1, DIGIT_BASE).items())[1] == ("crop", Policy(DIGIT_BASE))
    assert "saturation" not in trivialaugment_wide(5, Base()).ops


def test_photos_from_128_pixels_on_meet_a_random_resized_crop_and_digits_never_do() -> None:
    assert Base(ResizedCrop(0.08, 1.0, 3 / 4, 4 / 3), hflip=0.5, interpolation="bilinear") == LARGE_PHOTO_BASE
    assert usual_base("photos", 128, 128) == usual_base("photos", 500, 128) == LARGE_PHOTO_BASE
    assert usual_base("photos", 127, 500) == usual_base("photos", 32, 32) == usual_base("photos") == PHOTO_BASE
    assert usual_base("digits", 224, 224) == usual_base("digits", 28, 28) == usual_base("digits") == DIGIT_BASE
    large = baselines(3, LARGE_PHOTO_BASE)
    assert list(large)[:3] == ["none", "flip+resized-crop", "trivialaugment-wide"], "the name says what is done"
    assert large["flip+resized-crop"] == Policy(LARGE_PHOTO_BASE)


def test_a_space_with_geometry_has_the_parameters_of_both() -> None:
    both = build_space("randaugment+geometry", channels=1)
    assert both.name == "randaugment+geometry"
    assert [parameter.name for parameter in both.parameters] == [
        *("ops", "level", "geometry.crop", "geometry.scale_low", "geometry.aspect"),
        *("geometry.hflip", "geometry.vflip", "geometry.quarter_turns", "geometry.resolution_percent"),
    ]
    assert both.notes == (*build_space("randaugment", channels=1).notes, *build_space("geometry", channels=1).notes)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "randaugment+photometric",
            "space 'randaugment+photometric': photometric does not search the base; allowed is one space of",
        ),
        ("geometry+randaugment", "space 'geometry+randaugment': geometry searches the base"),
        ("randaugment+geometry+geometry", "space 'randaugment+geometry+geometry': randaugment+geometry searches the base"),
        ("randaugment+geometri", "space 'geometri': there is none of this name; did you mean 'geometry'?"),
        ("+geometry", "space '': there is none of this name"),
    ],
)
def test_spaces_that_do_not_go_together_are_refused(name: str, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        find_family(name)
    assert str(refused.value).startswith(message)


GEOMETRY = {"geometry.crop": "resized", "geometry.scale_low": 0.25, "geometry.aspect": 1.5, "geometry.resolution_percent": 70}
CHANCES = {"geometry.hflip": 0.5, "geometry.vflip": 0.1234567, "geometry.quarter_turns": 0.75}


def test_geometry_decodes_to_a_base_and_nothing_else() -> None:
    photos = spaces.geometry().decode(GEOMETRY | CHANCES)
    crop = ResizedCrop(0.25, 1.0, 0.666667, 1.5)
    assert photos == Policy(Base(crop, 0.5, "bilinear", vflip=0.123457, quarter_turns=0.75, resolution=0.7))
    padded = spaces.geometry().decode(GEOMETRY | CHANCES | {"geometry.crop": "pad"})
    assert padded == replace(photos, base=replace(photos.base, crop=PHOTO_BASE.crop))
    bare = spaces.geometry(base=Base(hflip=0.5, fill=9)).decode(GEOMETRY | CHANCES | {"geometry.crop": "pad"})
    assert (bare.base.crop, bare.base.fill) == (PHOTO_BASE.crop, 9)


def test_digits_are_neither_mirrored_nor_turned_by_geometry() -> None:
    space = spaces.geometry(base=DIGIT_BASE)
    assert space.notes[1:] == ("left out, because these images are not to be mirrored: hflip, vflip, quarter_turns",)
    base = space.decode(GEOMETRY).base
    assert (base.hflip, base.vflip, base.quarter_turns) == (0, 0, 0)
