"""timm's RandAugment, where it can say a policy, gives our pixels for the same values; where it can't, the refusal names what."""

import random
import runpy
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from searchspaces import load_policy, spaces
from searchspaces.engines import apply
from searchspaces.errors import BadInput
from searchspaces.export.loading import LoadedPolicy
from searchspaces.export.to_timm import EXPORTER, TWINS
from searchspaces.ops import find_op
from searchspaces.plan import Plan
from searchspaces.policy import Base, Branch, Choice, Constant, PadCrop, Policy, Step, Uniform
from searchspaces.policy_json import PolicyFile
from searchspaces.zoo import zoo_names

RGB = np.random.default_rng(1).integers(0, 256, (24, 33, 3), dtype=np.uint8)
# What the exported file says of half-way places: the share of the pixels, and the levels.
APART = {"rotate": (0.003, 255), "sharpness": (0.01, 1)}


def choice(op: str, twin: int, magnitude: int) -> Choice | None:
    """Our op with the value of timm's at that magnitude; None where we don't allow that value."""
    found, parameter = TWINS[op][twin], find_op(op).strength
    value = found.value(magnitude / 10)
    return Choice(op, (Constant(value, found.signed),)) if parameter.low <= value <= parameter.high else None


def policy(*choices: Choice, steps: int = 1, probability: float = 1.0, base: Base | None = None) -> Policy:
    return Policy(base or Base(), (Branch((Step(choices, probability),) * steps),))


def exported(given: Policy, path: Path) -> Any:
    path.write_text(LoadedPolicy(given, {}).written("timm"))
    return runpy.run_path(str(path))["transform"]


def ours(op: str, value: float, fill: int) -> np.ndarray:
    plan = Plan(("identity", op), np.array([[1]], np.int16), np.array([[[value]]]), fill)
    return apply(torch.from_numpy(RGB.transpose(2, 0, 1).copy())[None], plan)[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize(("op", "twin"), [(op, twin) for op in TWINS for twin in range(len(TWINS[op]))])
def test_every_op_that_it_can_say_gives_our_pixels_at_every_magnitude(op: str, twin: int, tmp_path: Path) -> None:
    compared = 0
    for magnitude in range(11):
        given = choice(op, twin, magnitude)
        if given is None:
            continue
        transform = exported(policy(given, base=Base(fill=77)), tmp_path / "file.py")
        (theirs,) = transform.ops
        for seed in range(4):
            values = theirs.level_fn(theirs.magnitude, theirs.hparams) if theirs.level_fn else ()
            (value,) = values or (1.0,)
            got = np.array(theirs.aug_fn(Image.fromarray(RGB), *values, **theirs.kwargs))
            apart = np.abs(got.astype(int) - ours(op, float(value), 77)).max(axis=2)
            share, levels = APART.get(op, (0.0, 0))
            assert (apart > 0).mean() <= share, (magnitude, value, seed)
            assert apart.max() <= levels, (magnitude, value, seed)
            compared += 1
    assert compared >= 16


def test_its_layers_probability_and_ops_are_the_policys(tmp_path: Path) -> None:
    """Chi-squared over 11 cells, 10 degrees of freedom: a correct file at a fresh seed fails once in a million times."""
    names = ("rotate", "sharpness", "brightness", "autocontrast", "invert")
    given = policy(*(found for op in names if (found := choice(op, 0, 3))), steps=2, probability=0.6)
    transform = exported(given, tmp_path / "file.py")
    assert transform.num_layers == 2
    calls: Counter[tuple[str, bool]] = Counter()
    for op in transform.ops:
        op.aug_fn = counting(calls, op.name)
    random.seed(3), np.random.seed(3)
    images = 3000
    for _ in range(images):
        transform(Image.fromarray(RGB[:4, :4]))
    expected = {
        (name, sign): 0.6 / 5 / 2 for name in ("Rotate", "SharpnessIncreasing", "BrightnessIncreasing") for sign in (False, True)
    }
    expected |= {("AutoContrast", False): 0.6 / 5, ("Invert", False): 0.6 / 5}
    calls["nothing", False] = 2 * images - sum(calls.values())
    expected["nothing", False] = 0.4
    assert set(calls) == set(expected)
    assert sum((calls[cell] - 2 * images * share) ** 2 / (2 * images * share) for cell, share in expected.items()) < 42.7


def counting(calls: Counter[tuple[str, bool]], name: str) -> Any:
    def count(image: Image.Image, *values: float, **settings: Any) -> Image.Image:
        calls[name, bool(values) and values[0] < (1 if "Increasing" in name else 0)] += 1
        assert settings == {"fillcolor": (0, 0, 0), "resample": Image.Resampling.NEAREST}
        return image

    return count


ROTATE = Choice("rotate", (Constant(9.0, signed=True),))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (policy(ROTATE, base=Base(hflip=0.5)), "can't say the base geometry; use --to torchvision: "),
        (policy(ROTATE, base=Base(PadCrop(0.1))), "the base geometry"),
        (policy(ROTATE, base=Base(interpolation="bilinear")), "bilinear rotate"),
        (Policy(), "a policy without ops"),
        (Policy(branches=(Branch((Step((ROTATE,)),)),) * 2), "2 branches"),
        (Policy(branches=(Branch((Step((ROTATE,)), Step((ROTATE,), 0.5))),)), "steps that differ"),
        (policy(ROTATE, Choice("invert", (Constant(1.0),), weight=2.0)), "ops by weight"),
        (policy(ROTATE, Choice("identity", (Constant(1.0),)), Choice("hue", (Constant(0.1),))), "the op identity; the op hue"),
        (policy(Choice("saturation", (Constant(1.27, signed=True),))), "the op saturation"),
        (policy(Choice("rotate", (Uniform(0.0, 30.0, signed=True),))), "a range of rotate"),
        (policy(Choice("rotate", (Constant(9.0),))), "rotate of 9;"),
        (policy(Choice("rotate", (Constant(8.0, signed=True),))), "rotate of 8 with a sign"),
        (policy(Choice("solarize", (Constant(100.0),))), "solarize of 100"),
        (policy(ROTATE, Choice("brightness", (Constant(1.9, signed=True),))), "different magnitudes (rotate m3, brightness m10)"),
    ],
)
def test_what_it_can_not_say_is_named(given: Policy, said: str) -> None:
    with pytest.raises(BadInput, match=r"^form 'timm': its RandAugment can't say ") as refused:
        LoadedPolicy(given, {}).written("timm")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_no_published_policy_can_be_said_and_each_is_told_why() -> None:
    for name in zoo_names():
        with pytest.raises(BadInput, match="can't say"):
            load_policy(f"zoo:{name}").written("timm")
    with pytest.raises(
        BadInput, match=r"the base geometry; .*the op contrast; .*the op identity; .*the op saturation; .*the op shear_x"
    ):
        LoadedPolicy(spaces.randaugment().decode({"ops": 2, "level": 9}), {}).written("timm")


def test_asked_for_pixels_it_refuses_what_it_refuses_to_write() -> None:
    file = PolicyFile(Policy(branches=(Branch(()), Branch((Step((Choice("invert", (Constant(1.0),)),)),)))), {})
    assert EXPORTER.carried_out is not None
    with pytest.raises(BadInput, match="RandAugment can't say 2 branches"):
        EXPORTER.carried_out(file, RGB[None], [])
