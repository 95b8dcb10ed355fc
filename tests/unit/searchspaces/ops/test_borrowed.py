"""Ops that are Albumentations' own: what each of them calls, written down by hand, and that a policy can name no others."""

import ast
import json
import random
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import albumentations as A
import numpy as np
import pytest
import torch

from searchspaces import ops
from searchspaces.draw import draw
from searchspaces.engines import apply
from searchspaces.errors import BadInput
from searchspaces.ops import find_op, op_table
from searchspaces.ops.op import Op, Setting
from searchspaces.plan import Plan
from searchspaces.policy import Branch, Choice, Constant, Policy, Step, Uniform
from searchspaces.policy_json import policy_from_dict, policy_to_dict
from searchspaces.spaces import build_space
from searchspaces.words import policy_in_words

SEED = 2**62 + 12345
BORROWED = [op for op in op_table() if op.package]
EACH_OP = pytest.mark.parametrize("op", BORROWED, ids=lambda op: op.name)
EXAMPLES: dict[str, tuple[tuple[float, ...], Any]] = {
    "CLAHE": ((4.0, 8.0), lambda: A.CLAHE(clip_limit=(4, 4), tile_grid_size=(8, 8), p=1)),
    "ChromaticAberration": (
        (0.3, -0.2),
        lambda: A.ChromaticAberration(
            primary_distortion_limit=(0.3, 0.3), secondary_distortion_limit=(-0.2, -0.2), mode="green_purple", p=1
        ),
    ),
    "Defocus": ((4.0, 0.5), lambda: A.Defocus(radius=(4, 4), alias_blur=(0.5, 0.5), p=1)),
    "Emboss": ((0.4, 0.7), lambda: A.Emboss(alpha=(0.4, 0.4), strength=(0.7, 0.7), p=1)),
    "HueSaturationValue": (
        (40.0, -30.0, 15.0),
        lambda: A.HueSaturationValue(hue_shift_limit=(20, 20), sat_shift_limit=(-30, -30), val_shift_limit=(15, 15), p=1),
    ),
    "ISONoise": ((0.4, 0.05), lambda: A.ISONoise(color_shift=(0.05, 0.05), intensity=(0.4, 0.4), p=1)),
    "ImageCompression": ((20.0,), lambda: A.ImageCompression(compression_type="webp", quality_range=(20, 20), p=1)),
    "MedianBlur": ((2.0,), lambda: A.MedianBlur(blur_limit=(5, 5), p=1)),
    "MotionBlur": (
        (3.0, 30.0, 0.5),
        lambda: A.MotionBlur(blur_limit=(7, 7), angle_range=(30, 30), direction_range=(0.5, 0.5), allow_shifted=False, p=1),
    ),
    "MultiplicativeNoise": (
        (0.25,),
        lambda: A.MultiplicativeNoise(multiplier=(0.75, 1.25), per_channel=True, elementwise=True, p=1),
    ),
    "RGBShift": ((20.0, -10.0, 5.0), lambda: A.RGBShift((20, 20), (-10, -10), (5, 5), p=1)),
    "RandomShadow": ((0.6, 2.0), lambda: A.RandomShadow(num_shadows_limit=(2, 2), shadow_intensity_range=(0.6, 0.6), p=1)),
    "RandomToneCurve": ((0.2,), lambda: A.RandomToneCurve(scale=0.2, per_channel=False, p=1)),
    "RingingOvershoot": ((4.0, 1.0), lambda: A.RingingOvershoot(blur_limit=(9, 9), cutoff=(1.0, 1.0), p=1)),
    "SaltAndPepper": ((0.1, 0.3), lambda: A.SaltAndPepper(amount=(0.1, 0.1), salt_vs_pepper=(0.3, 0.3), p=1)),
    "Sharpen": ((0.4, 0.8), lambda: A.Sharpen(alpha=(0.4, 0.4), lightness=(0.8, 0.8), method="kernel", p=1)),
    "ShotNoise": ((0.05,), lambda: A.ShotNoise(scale_range=(0.05, 0.05), p=1)),
    "ToSepia": ((1.0,), lambda: A.ToSepia(p=1)),
    "UnsharpMask": (
        (0.5, 2.0, 1.5, 4.0),
        lambda: A.UnsharpMask(blur_limit=(5, 5), sigma_limit=(1.5, 1.5), alpha=(0.5, 0.5), threshold=4, p=1),
    ),
    "ZoomBlur": ((1.2, 0.05), lambda: A.ZoomBlur(max_factor=(1.2, 1.2), step_factor=(0.05, 0.05), p=1)),
}


def values_of(op: Op) -> tuple[float, ...]:
    return EXAMPLES[op.name.removeprefix("albumentations:")][0]


def picture(channels: int, height: int = 33, width: int = 46) -> Any:
    """Noise on a ramp, channels last."""
    ramp = np.linspace(30, 200, width)[None, :, None] + np.random.default_rng(channels).normal(0, 15, (height, width, channels))
    return ramp.clip(0, 255).astype(np.uint8)


def planned(op: Op, values: tuple[float, ...], images: int = 1, seed: int = SEED) -> Plan:
    seeds = np.full((images, 1), seed, np.int64)
    return Plan(
        ("identity", op.name), np.ones((images, 1), np.int16), np.tile(np.array(values, float), (images, 1, 1)), seeds=seeds
    )


def applied(op: Op, image: Any, values: tuple[float, ...], seed: int = SEED) -> Any:
    """By our engine, channels last in and out."""
    batch = torch.from_numpy(image.transpose(2, 0, 1).copy())[None]
    return apply(batch, planned(op, values, seed=seed))[0].permute(1, 2, 0).numpy()


def global_states() -> list[str]:
    return [str(random.getstate()), str(np.random.get_state(legacy=False)), str(torch.get_rng_state().tolist())]


def test_the_list_is_this_one() -> None:
    assert [op.name for op in BORROWED] == [f"albumentations:{name}" for name in EXAMPLES]
    assert {op.package for op in BORROWED} == {"albumentations"}


@EACH_OP
def test_it_does_what_albumentations_does_with_these_arguments(op: Op) -> None:
    for channels in (1, 3):
        if op.accepts(channels):
            image, (values, made) = picture(channels), EXAMPLES[op.name.removeprefix("albumentations:")]
            theirs = made()
            theirs.set_random_seed(SEED)
            expected = theirs(image=image.copy())["image"].reshape(image.shape)
            assert (expected != image).any()
            assert (applied(op, image, values) == expected).all()


@EACH_OP
def test_it_is_on_the_list_for_good_reasons(op: Op) -> None:
    made = EXAMPLES[op.name.removeprefix("albumentations:")][1]()
    assert isinstance(made, A.ImageOnlyTransform)
    assert set(made.targets) <= {"image", "images", "volume", "volumes"}
    assert not made.targets_as_params
    json.dumps(A.to_dict(made))  # so there is no callable and no image among its arguments
    assert op.per_image and op.runs == "per image" and op.fused is None
    assert "per image on the CPU" in op.meaning
    assert "Albumentations 2.0.8" in op.source
    assert all(re.fullmatch("[a-z][a-z0-9_]*", parameter.name) for parameter in op.parameters)


@EACH_OP
def test_at_zero_strength_the_rest_does_not_matter(op: Op) -> None:
    if op.name.endswith(("HueSaturationValue", "RGBShift", "ChromaticAberration")):
        still = op.identity  # here each value is a strength of its own
    else:
        still = (op.strength.identity, *(other.low for other in op.parameters[1:]))
    image = picture(3)
    assert (applied(op, image, still) == image).all()


@EACH_OP
def test_values_and_seed_are_all_that_count(op: Op) -> None:
    image, values = picture(3), values_of(op)
    once = applied(op, image, values)
    before = global_states()
    assert (applied(op, image, values) == once).all()
    assert global_states() == before
    others = [applied(op, image, values, seed) for seed in (0, 1, 2**63 - 1)]
    assert all((other != once).any() for other in others) == op.seeded
    assert all((other == once).all() for other in others) != op.seeded


@EACH_OP
def test_threads_do_not_disturb_each_other(op: Op) -> None:
    image, values = picture(3), values_of(op)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda seed: applied(op, image, values, seed), range(8)))
    assert all((one == applied(op, image, values, seed)).all() for seed, one in enumerate(found))


@EACH_OP
def test_policies_with_it_are_written_read_drawn_applied_and_told(op: Op) -> None:
    spread = tuple(
        Constant(value) if parameter.whole else Uniform(min(value, parameter.identity), max(value, parameter.identity))
        for parameter, value in zip(op.parameters, values_of(op), strict=True)
    )
    policy = Policy(branches=(Branch((Step((Choice(op.name, spread),), 0.9),)),))
    assert policy_from_dict(json.loads(json.dumps(policy_to_dict(policy)))) == policy
    plan = draw(policy, (6, 3, 20, 24), np.random.default_rng(1))
    assert (plan.seeds is not None) == op.seeded
    images = torch.from_numpy(np.random.default_rng(2).integers(0, 256, (6, 3, 20, 24), dtype=np.uint8))
    ran: set[str] = set()
    out = apply(images, plan, ran=ran)
    assert out.shape == images.shape
    assert not torch.equal(out, images)
    assert "torch-grouped" in ran
    words = policy_in_words(policy)
    assert op.name in words and words.endswith(f" Per image on the CPU: {op.name}.")


def test_spaces_can_have_them() -> None:
    import optuna
    from ray import tune

    space = build_space("mixture:ops=albumentations:CLAHE/albumentations:ShotNoise/rotate")
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1)).ask()
    policy = space.suggest(trial)
    assert set(policy.ops) == {"albumentations:CLAHE", "albumentations:ShotNoise", "rotate"}
    assert space.decode(trial.params) == policy
    params = {name: domain.sample() for name, domain in space.to_ray().items()}
    assert isinstance(params, dict) and tune
    images = torch.zeros(8, 3, 16, 16, dtype=torch.uint8) + 90
    for decoded in (policy, space.decode(params)):
        assert apply(images, draw(decoded, (8, 3, 16, 16), np.random.default_rng(0))).shape == images.shape


@pytest.mark.parametrize(
    "name",
    [
        *("albumentations:Lambda", "albumentations:TextImage", "albumentations:FDA", "albumentations:Compose", "albumentations:"),
        *(
            "albumentations:clahe",
            "albumentations:CLAHE ",
            "albumentations.CLAHE",
            "albumentations:os.system",
            "CLAHE",
            "numpy:load",
        ),
        *("albumentations:__import__", "albumentations:../CLAHE", "searchspaces.ops.borrowed:clahe", "borrowed"),
    ],
)
def test_a_policy_file_can_name_nothing_else(name: str) -> None:
    content = policy_to_dict(Policy())
    content["branches"][0]["steps"] = [{"probability": 1, "choices": [{"op": name, "weight": 1, "values": {}}]}]
    with pytest.raises(BadInput, match=r"^policy\.branches\[0\]\.steps\[0\]\.choices\[0\]\.op: op .*there is none of this name"):
        policy_from_dict(content)


def test_what_is_asked_of_albumentations_is_written_in_our_source_alone() -> None:
    """Each call of `borrowed` has its transform's name as plain text: nothing that is read from a file gets there."""
    names = []
    for path in sorted(Path(ops.__file__).parent.glob("borrowed_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "borrowed":
                assert isinstance(node.args[2], ast.Constant)
                names.append(str(node.args[2].value))
    assert sorted(names) == list(EXAMPLES)


def test_without_albumentations_the_kernel_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "albumentations", None)
    images = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    with pytest.raises(BadInput, match=r'^albumentations: it is not installed; install it with: pip install "policysearch'):
        find_op("albumentations:ToSepia").kernel(images, torch.ones(1, 1, dtype=torch.float64), Setting())


@pytest.mark.gpu
@EACH_OP
def test_images_on_a_gpu_come_back_there(op: Op) -> None:
    images = torch.from_numpy(picture(3).transpose(2, 0, 1).copy())[None]
    found = apply(images.cuda(), planned(op, values_of(op)))
    assert found.is_cuda
    assert torch.equal(found.cpu(), apply(images, planned(op, values_of(op))))
