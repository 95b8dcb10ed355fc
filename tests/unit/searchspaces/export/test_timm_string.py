"""The refusals are true: what is said of timm is timm's, and each thing that its string can't say is named."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from strategies import policies

from searchspaces import spaces
from searchspaces.errors import BadInput
from searchspaces.export.timm import ALSO_DRAWN, MAGNITUDES, NOTHING, VALUES, timm_string, what_timm_cannot_say
from searchspaces.ops import find_op, op_table
from searchspaces.policy import Base, Branch, Choice, Constant, PadCrop, Policy, Step, Uniform
from searchspaces.zoo import read_zoo

NAMES = {
    "AutoContrast": "autocontrast",
    "BrightnessIncreasing": "brightness",
    "ColorIncreasing": "saturation",
    "ContrastIncreasing": "contrast",
    "Equalize": "equalize",
    "Invert": "invert",
    "PosterizeIncreasing": "posterize",
    "Rotate": "rotate",
    "SharpnessIncreasing": "sharpness",
    "ShearX": "shear_x",
    "ShearY": "shear_y",
    "SolarizeAdd": "solarize_add",
    "SolarizeIncreasing": "solarize",
    "TranslateXRel": "translate_x",
    "TranslateYRel": "translate_y",
}


def timms(string: str) -> Any:
    from timm.data.auto_augment import rand_augment_transform

    return rand_augment_transform(string)


def as_timm_has_it(magnitude: int) -> Policy:
    """RandAugment with our ops at timm's values."""
    choices = tuple(
        Choice(name, (Constant(value(magnitude), signed=find_op(name).signed and value(magnitude) != find_op(name).identity[0]),))
        for name, value in VALUES.items()
        if name != "posterize" or value(magnitude) >= 1
    )
    return Policy(branches=(Branch((Step(choices, 0.5),) * 2),))


@pytest.mark.parametrize("variant", ["", "-inc1", "-t3a", "-t3aw", "-tweights"])
def test_every_set_of_timms_has_an_op_that_no_policy_can_hold(variant: str) -> None:
    """So there is no string for a policy with ops. When our table gets them, this fails and the exporter can say more."""
    lacking = {"Invert": "invert", "SolarizeAdd": "solarize_add", "GaussianBlur": "gaussian_blur"}
    assert not set(lacking.values()) & {op.name for op in op_table()}
    assert set(lacking) & {op.name for op in timms(f"rand-m9-n2{variant}").ops}


def test_the_ops_are_timms() -> None:
    assert sorted(NAMES[op.name] for op in timms("rand-m9-n2-inc1").ops) == sorted([*VALUES, *ALSO_DRAWN])


@pytest.mark.parametrize("magnitude", MAGNITUDES)
def test_the_values_are_timms(magnitude: int) -> None:
    for op in timms(f"rand-m{magnitude}-n2-p1-inc1").ops:
        if NAMES[op.name] in VALUES and op.level_fn is not None:
            identity = find_op(NAMES[op.name]).identity[0]
            drawn = {round(op.level_fn(op.magnitude, op.hparams)[0], 9) for _ in range(40)}
            value = VALUES[NAMES[op.name]](magnitude)
            mirrored = 2 * identity - value if find_op(NAMES[op.name]).signed else value
            assert drawn <= {round(value, 9), round(mirrored, 9)}, op.name
        elif NAMES[op.name] in VALUES:
            assert VALUES[NAMES[op.name]](magnitude) == 1


def test_timms_geometry_is_another_and_its_string_has_no_word_for_it() -> None:
    from timm.data import auto_augment

    rotate = next(op for op in timms("rand-m9-n2-inc1").ops if op.name == "Rotate")
    assert rotate.kwargs["fillcolor"] == (128, 128, 128)
    assert rotate.kwargs["resample"] == auto_augment._RANDOM_INTERPOLATION
    for word in ("fill0", "nearest1"):
        with pytest.raises(AssertionError, match="Unknown RandAugment config section"):
            timms(f"rand-{word}")


@pytest.mark.parametrize("policy", [Policy(), Policy(branches=(Branch((Step((Choice("identity", (Constant(1.0),)),)),)),))])
def test_nothing_can_be_said_and_timm_does_nothing_by_it(policy: Policy) -> None:
    assert timm_string(policy) == NOTHING
    image = Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3))
    for _ in range(20):
        assert timms(NOTHING)(image).tobytes() == image.tobytes()


@settings(max_examples=30)
@given(policies(), st.sampled_from(MAGNITUDES))
def test_no_policy_with_ops_is_written(policy: Policy, magnitude: int) -> None:
    """Timm's own values too: its string draws invert and solarize_add beside them."""
    for one in (policy, as_timm_has_it(magnitude)):
        if set(one.ops) - {"identity"}:
            with pytest.raises(
                BadInput, match=r"^timm: its string can't say .*a draw without .*invert, solarize_add; .*before timm"
            ) as told:
                timm_string(one)
            assert "\n" not in str(told.value)


def test_only_what_differs_is_named() -> None:
    assert what_timm_cannot_say(as_timm_has_it(5)) == ("a draw without invert, solarize_add", "nearest interpolation with fill 0")
    assert what_timm_cannot_say(Policy(Base(PadCrop(0.125), hflip=0.5))) == (
        "a crop with 12.5 % padding",
        "a flip of 50 % of the images (timm's own --hflip does)",
    )


def test_randaugment_as_torchvision_has_it() -> None:
    told = "; ".join(what_timm_cannot_say(spaces.randaugment().decode({"ops": 2, "level": 9})))
    assert "the ops identity;" in told
    assert "a draw without invert, solarize_add;" in told
    assert "the values of posterize, solarize, translate_x, translate_y (no magnitude of -inc1 has them)" in told
    assert "nearest interpolation with fill 0" in told


def changed(policy: Policy, **fields: Any) -> Policy:
    step = policy.branches[0].steps[0]
    return Policy(branches=(Branch((dataclasses.replace(step, **fields), step)),))


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (Policy(branches=as_timm_has_it(5).branches * 3), "3 branches by weight"),
        (changed(as_timm_has_it(5), probability=0.2), "steps that differ"),
        (
            changed(
                as_timm_has_it(5),
                choices=(Choice("rotate", (Constant(15.0, signed=True),), 2.0), *as_timm_has_it(5).branches[0].steps[0].choices),
            ),
            "ops by weight",
        ),
        (changed(as_timm_has_it(5), choices=as_timm_has_it(7).branches[0].steps[0].choices), "values of more than one magnitude"),
        (
            changed(as_timm_has_it(5), choices=(Choice("rotate", (Constant(15.0),)),)),
            "the values of rotate (no magnitude of -inc1 has them)",
        ),
        (changed(as_timm_has_it(5), choices=(Choice("rotate", (Uniform(0, 15.0, signed=True),)),)), "the values of rotate (no"),
        (read_zoo("trivialaugment-wide").policy, "the ops identity, translate_x_px, translate_y_px"),
    ],
)
def test_each_other_thing_is_named(policy: Policy, reason: str) -> None:
    assert any(told.startswith(reason) for told in what_timm_cannot_say(policy)), what_timm_cannot_say(policy)
