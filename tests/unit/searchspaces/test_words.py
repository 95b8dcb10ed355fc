"""A policy in plain words: what a person must be able to tell apart reads differently."""

import pytest
from hypothesis import given
from strategies import policies

from searchspaces.families.fixed import baselines
from searchspaces.policy import (
    Base,
    Batch,
    Branch,
    Choice,
    Constant,
    Distribution,
    Levels,
    PadCrop,
    Policy,
    ResizedCrop,
    Step,
    Uniform,
)
from searchspaces.spaces import PHOTO_BASE, build_space
from searchspaces.words import policy_in_words


def alone(op: str, distribution: Distribution, probability: float = 1.0) -> Policy:
    return Policy(branches=(Branch((Step((Choice(op, (distribution,)),), probability),)),))


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (Policy(), "No augmentation."),
        (Policy(PHOTO_BASE), "No ops; a crop with 12.5 % padding and a horizontal flip of 50 % of the images."),
        (Policy(Base(hflip=1.0)), "No ops; a horizontal flip always."),
        (
            Policy(Base(ResizedCrop(), 0.5, vflip=0.25, quarter_turns=0.75)),
            "No ops; a resized crop of 8 to 100 % of the area at an aspect of 0.75 to 1.33, a horizontal flip of 50 % of "
            "the images, a vertical flip of 25 % of the images and a turn by 1 to 3 quarters of 75 % of the images.",
        ),
        (Policy(Base(ResizedCrop(0.5, 0.5, 1, 1))), "No ops; a resized crop of 50 % of the area at an aspect of 1."),
        (Policy(Base(resolution=0.5)), "No ops. Last, images at 50 % of their sides."),
        (
            Policy(Base(PadCrop(0.25), resolution=0.75), batch=Batch(0.2, 1.0, 0.5)),
            "No ops; a crop with 25 % padding. Last, a square of 50 % of the shorter side cut out, images at 75 % of their sides "
            "and mixup with alpha 0.2 or CutMix with alpha 1.",
        ),
        (alone("rotate", Constant(9, signed=True)), "On every image: rotate ±9 degrees."),
        (alone("rotate", Constant(9)), "On every image: rotate 9 degrees."),
        (alone("rotate", Uniform(-5, 10, signed=True)), "On every image: rotate -10 to 10 degrees."),
        (alone("rotate", Uniform(-5, 10)), "On every image: rotate -5 to 10 degrees."),
        (
            alone("rotate", Levels((3, 0, 9), signed=True), 0.25),
            "On every image: rotate ±(0 to 9) degrees with probability 0.25.",
        ),
        (alone("brightness", Constant(1.27, signed=True)), "On every image: brightness factor 0.73 or 1.27."),
        (alone("posterize", Constant(4)), "On every image: posterize 4 bits kept."),
        (alone("brightness", Levels((0.0, 3.52))), "On every image: brightness factor 0 or 3.52."),
        (alone("brightness", Levels((1.0, 1.9), signed=True)), "On every image: brightness factor 0.1 to 1.9."),
        (alone("equalize", Constant(1)), "On every image: equalize."),
        (
            Policy(Base(PadCrop(0.25)), alone("equalize", Constant(1)).branches, "before-crop"),
            "On every image: equalize; before a crop with 25 % padding.",
        ),
        (
            Policy(branches=(Branch((Step((Choice("crop", (Constant(2), Constant(-3))),)),)),)),
            "On every image: crop x px 2 and y px -3.",
        ),
    ],
)
def test_words(policy: Policy, words: str) -> None:
    assert policy_in_words(policy) == words


def test_randaugment_reads_as_it_is_spoken_of() -> None:
    words = policy_in_words(build_space("randaugment", channels=1).decode({"ops": 2, "level": 9}))
    assert words.startswith("2 ops an image, each one of 13 (autocontrast, brightness factor 0.73 or 1.27, contrast factor")
    assert words.endswith("; after a crop with 12.5 % padding and a horizontal flip of 50 % of the images.")
    assert policy_in_words(baselines(3, Base())["trivialaugment-wide"]).startswith("1 op an image, one of 14 (autocontrast, ")


def test_photometric_reads_in_order() -> None:
    space = build_space("photometric", channels=1, base=Base())
    params = {parameter.name: parameter.ends[0] for parameter in space.parameters}
    params |= {"gamma.centre": 1.0, "gamma.half_width": 0.25, "gamma.probability": 0.5, "brightness_shift.centre": -8.0}
    assert policy_in_words(space.decode(params)) == (
        "In order: brightness_shift -8 levels with probability 0, contrast_about_128 factor 0.7 with probability 0, "
        "gamma exponent 0.75 to 1.25 with probability 0.5."
    )


def test_many_branches_are_counted_not_listed() -> None:
    chain = alone("rotate", Constant(9)).branches[0]
    other = Branch(alone("gamma", Constant(2)).branches[0].steps * 2)
    assert (
        policy_in_words(Policy(branches=(chain, other, chain))) == "One of 3 chains of 1 to 2 steps an image, from rotate, gamma."
    )


@given(policies())
def test_every_policy_has_words(policy: Policy) -> None:
    words = policy_in_words(policy)
    assert words.endswith(".")
    assert words.isprintable()
    assert all(op in words for op in policy.ops[:20])
