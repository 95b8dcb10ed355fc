"""In an Albumentations pipeline a policy does what was searched, to the bit, and behaves as that library's transforms do."""

import copy
import json
import os
import pickle
import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import policies
from torch.utils.data import DataLoader, Dataset, get_worker_info

from searchspaces import load_policy, spaces
from searchspaces.draw import draw
from searchspaces.engines import apply
from searchspaces.errors import BadInput
from searchspaces.export.albumentations import PolicyTransform, pipeline_text, to_albumentations
from searchspaces.ops import op_table
from searchspaces.ops.op import Op
from searchspaces.policy import Base, Branch, Choice, Constant, Levels, PadCrop, Policy, Step, Uniform
from searchspaces.policy_json import PolicyFile, policy_to_dict, write_policy_file

A = import_module("albumentations")  # after ours, which keeps it from asking the network
POLICY = spaces.randaugment().decode({"ops": 2, "level": 15})
SHAPES = [(24, 33), (24, 33, 1), (24, 33, 3)]


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


def one_step(*choices: Choice, probability: float = 1.0, base: Base | None = None) -> Policy:
    return Policy(base or Base(), (Branch((Step(choices, probability),)),))


def transform_of(policy: Policy, **provenance: Any) -> PolicyTransform:
    return to_albumentations(PolicyFile(policy, provenance))


def searched(policy: Policy, image: np.ndarray, seed: int) -> np.ndarray:
    """What draw and apply give for the first image after Albumentations' generator was made from `seed`."""
    height, width = image.shape[:2]
    channels = image.reshape(height, width, -1).transpose(2, 0, 1)
    generator = np.random.default_rng([int(np.random.default_rng(seed).integers(2**63 - 1))])
    plan = draw(policy, (1, *channels.shape), generator)
    found = apply(torch.from_numpy(channels.copy())[None], plan)[0].numpy().transpose(1, 2, 0)
    return found if image.ndim == 3 else found[..., 0]


def strengths(op: Op) -> set[float]:
    """Both ends of every named span, and of what is allowed."""
    spans = [value for span in op.spans.values() for value in (span.weak, span.strong)]
    ends = [op.strength.low, op.strength.high] if op.name != "crop" else [-3.0, 4.0]
    return {float(round(value) if op.strength.whole else value) for value in [*spans, *ends]}


@pytest.mark.parametrize("op", op_table(), ids=lambda op: op.name)
def test_every_op_over_its_spans_is_draw_and_apply(op: Op) -> None:
    for strength in strengths(op):
        others = tuple(Constant(min(float(index), other.high)) for index, other in enumerate(op.parameters[1:], 1))
        mirrored = 2 * op.strength.identity - strength
        signed = op.signed and op.strength.low <= mirrored <= op.strength.high
        policy = one_step(Choice(op.name, (Constant(strength, signed=signed), *others)), base=Base(fill=77))
        pipeline = A.Compose([transform_of(policy)])
        for shape in [shape for shape in SHAPES if op.accepts(shape[2] if len(shape) == 3 else 1)]:
            image = noise(*shape)
            for seed in (0, 1, 2) if signed else (0,):
                pipeline.set_random_seed(seed)
                assert np.array_equal(pipeline(image=image)["image"], searched(policy, image, seed)), (strength, shape)


@settings(max_examples=40)
@given(policies(), st.integers(0, 2**32 - 1))
def test_any_policy_is_draw_and_apply(policy: Policy, seed: int) -> None:
    image = noise(19, 30, 3)
    found = A.Compose([transform_of(policy)], seed=seed)(image=image)["image"]
    assert (found.shape, found.dtype, found.flags.c_contiguous) == (searched(policy, image, seed).shape, np.uint8, True)
    assert np.array_equal(found, searched(policy, image, seed))


def several(pipeline: Any, image: np.ndarray, calls: int = 8) -> list[bytes]:
    return [pipeline(image=image)["image"].tobytes() for _ in range(calls)]


def test_a_seed_reproduces_and_calls_draw_anew() -> None:
    image = noise(32, 32, 3)
    before = image.copy()
    pipeline = A.Compose([transform_of(POLICY)], seed=11)
    first = several(pipeline, image)
    assert len(set(first)) > 4
    pipeline.set_random_seed(11)
    assert several(pipeline, image) == first
    assert several(A.Compose([transform_of(POLICY)], seed=11), image) == first
    assert several(A.Compose([transform_of(POLICY)], seed=12), image) != first
    assert np.array_equal(image, before)


def test_it_composes_with_albumentations_own() -> None:
    solarize = transform_of(one_step(Choice("solarize", (Constant(0.0),))))
    image = noise(20, 20, 3)
    pipeline = A.Compose([A.HorizontalFlip(p=1), solarize, A.ToFloat(max_value=255)])
    assert np.allclose(pipeline(image=image)["image"], (255 - image[:, ::-1]) / 255)
    assert np.array_equal(A.Compose([PolicyTransform(solarize.policy_file, p=0.0)])(image=image)["image"], image)
    assert np.array_equal(solarize(image=image)["image"], 255 - image)


def test_ops_and_values_come_as_often_as_the_policy_says() -> None:
    """Chi-squared over 11 cells, 10 degrees of freedom: a correct transform at a fresh seed fails once in a million times."""
    choices = (
        Choice("solarize", (Uniform(0.0, 200.0),), weight=1.0),
        Choice("posterize", (Levels((2.0, 3.0, 5.0)),), weight=2.0),
        Choice("brightness", (Constant(1.3, signed=True),), weight=3.0),
        Choice("autocontrast", (Constant(1.0),), weight=4.0),
    )
    expected: dict[tuple[str, float], float] = {("solarize", cell): 0.8 * 0.1 / 4 for cell in range(4)}
    expected |= {("posterize", value): 0.8 * 0.2 / 3 for value in (2, 3, 5)}
    expected |= {("brightness", value): 0.8 * 0.3 / 2 for value in (0.7, 1.3)} | {
        ("autocontrast", 1): 0.8 * 0.4,
        ("nothing", 0): 0.2,
    }
    counts = dict.fromkeys(expected, 0)
    transform, image = transform_of(one_step(*choices, probability=0.8)), noise(2, 2)
    transform.set_random_seed(5)
    calls = 3000
    for _ in range(calls):
        transform(image=image)
        for name, (value,), _ in transform.get_applied_params()["drawn"] or [("nothing", (0.0,), 0)]:
            counts[name, value // 50 if name == "solarize" else round(value, 6)] += 1
    assert sum(counts.values()) == calls
    assert sum((counts[cell] - calls * share) ** 2 / (calls * share) for cell, share in expected.items()) < 46.9


@pytest.mark.parametrize("shape", [(8, 8, 2), (8, 8, 4), (8, 8, 5), (8,), (2, 8, 8, 3)])
def test_other_shapes_are_refused_in_one_line(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadInput, match=r"^transform: image of shape .*; allowed are \(H, W\), \(H, W, 1\) and \(H, W, 3\)$"):
        A.Compose([transform_of(POLICY)])(image=np.zeros(shape, np.uint8))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint16, bool])
def test_other_numbers_are_refused_in_one_line(dtype: Any) -> None:
    with pytest.raises(BadInput, match=r"^transform: image of \w+; allowed is uint8, 0 to 255: put it before A\.Normalize and "):
        A.Compose([transform_of(POLICY)])(image=np.zeros((8, 8, 3), dtype))


MASK = np.zeros((8, 8), np.uint8)


@pytest.mark.filterwarnings("ignore:Got processor for")
@pytest.mark.parametrize(
    ("policy", "compose", "given"),
    [
        (POLICY, {}, {"mask": MASK}),
        (Policy(Base(hflip=0.5)), {}, {"masks": [MASK]}),
        (Policy(Base(PadCrop(0.1))), {"keypoint_params": A.KeypointParams("xy")}, {"keypoints": np.array([[1.0, 2.0]])}),
        (POLICY, {"bbox_params": A.BboxParams("yolo", label_fields=[])}, {"bboxes": np.array([[0.5, 0.5, 0.1, 0.1]])}),
    ],
)
def test_what_would_have_to_move_along_is_refused(policy: Policy, compose: dict[str, Any], given: dict[str, Any]) -> None:
    pipeline = A.Compose([transform_of(policy)], **compose)
    with pytest.raises(
        BadInput, match=r"^transform: \w+ given; this policy moves pixels and knows images only, so \w+ would not fit"
    ):
        pipeline(image=noise(8, 8, 3), **given)


def test_other_names_of_targets() -> None:
    with pytest.raises(BadInput, match="roof given; this policy moves pixels"):
        A.Compose([transform_of(POLICY)], additional_targets={"roof": "mask"})
    tone = one_step(Choice("solarize", (Constant(0.0),)))
    found = A.Compose([transform_of(tone)], additional_targets={"roof": "mask", "left": "image"})(
        image=noise(8, 8, 3), left=noise(8, 8, 3), mask=MASK, roof=MASK
    )
    assert np.array_equal(found["left"], 255 - noise(8, 8, 3))
    assert np.array_equal(found["mask"], MASK)


def test_a_stack_of_images_has_one_draw() -> None:
    image = noise(16, 16, 3)
    found = A.Compose([transform_of(POLICY)], seed=4)(images=np.stack([image, image]))["images"]
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], searched(POLICY, image, 4))


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    pipeline = A.Compose([transform_of(POLICY, size=[32, 32], channels=3, study="mine")])
    saved = A.to_dict(pipeline)
    again = A.from_dict(json.loads(json.dumps(saved)))
    assert A.to_dict(again) == saved
    (transform,) = saved["transform"]["transforms"]
    assert transform["policy_file"]["policy"] == policy_to_dict(POLICY)
    assert transform["policy_file"]["provenance"]["study"] == "mine"
    (tmp_path / "pipeline.json").write_text(pipeline_text(pipeline.transforms[0]))
    image = noise(32, 32, 3)
    expected = several(A.Compose(pipeline.transforms, seed=9), image)
    for other in (again, A.load(tmp_path / "pipeline.json"), pickle.loads(pickle.dumps(pipeline)), copy.deepcopy(pipeline)):
        other.set_random_seed(9)
        assert several(other, image) == expected


def test_a_damaged_saved_policy_is_refused_with_its_field() -> None:
    saved = A.to_dict(A.Compose([transform_of(POLICY)]))
    saved["transform"]["transforms"][0]["policy_file"]["policy"]["base"]["hflip"] = 2
    with pytest.raises(BadInput, match=r"^policy\.base: base hflip probability: 2\.0; allowed is 0 to 1$"):
        A.from_dict(saved)


def test_replay_repeats_the_draw_on_another_image_and_its_record_is_json() -> None:
    pipeline = A.ReplayCompose([transform_of(POLICY)])
    for _ in range(12):
        done = pipeline(image=noise(24, 24, 3))
        record = json.loads(json.dumps(done["replay"]))
        assert np.array_equal(A.ReplayCompose.replay(record, image=noise(24, 24, 3))["image"], done["image"])
        other = A.ReplayCompose.replay(record, image=255 - noise(40, 24, 3))["image"]
        assert other.shape == (40, 24, 3)


def test_another_size_or_channel_count_is_told_once() -> None:
    transform = transform_of(POLICY, size=[32, 24], channels=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        transform(image=noise(32, 24, 3))
    with pytest.warns(UserWarning, match="searched on images of 24x32 pixels with 3 channels and is used on 24x32 pixels with 1"):
        transform(image=noise(32, 24))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        transform(image=noise(32, 24))


def test_it_shows_its_policy_in_words() -> None:
    assert "2 ops an image, each one of 14" in repr(A.Compose([transform_of(POLICY)]))


class Repeated(Dataset[tuple[np.ndarray, int]]):
    """The same image 16 times, so that only the draws can differ, and the number of the worker that answered."""

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = pipeline
        self.image = noise(32, 32, 3)

    def __len__(self) -> int:
        return 16

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        info = get_worker_info()
        assert info is not None
        return self.pipeline(image=self.image)["image"], info.id


def two_epochs(persistent: bool, seed: int) -> list[list[tuple[bytes, int]]]:
    data = Repeated(A.Compose([transform_of(POLICY)], seed=3))
    loader = DataLoader(data, batch_size=4, num_workers=2, multiprocessing_context="fork", persistent_workers=persistent)
    torch.manual_seed(seed)
    return [
        [(image.numpy().tobytes(), int(worker)) for batch in loader for image, worker in zip(*batch, strict=True)] for _ in "12"
    ]


@pytest.mark.parametrize("persistent", [True, False])
def test_workers_and_epochs_of_a_data_loader_draw_differently_and_reproducibly(persistent: bool) -> None:
    """Each worker has a copy of the pipeline's seeded generator; what they draw must differ all the same."""
    first, second = two_epochs(persistent, seed=7)
    by_worker = [[image for image, worker in first if worker == number] for number in (0, 1)]
    assert [len(images) for images in by_worker] == [8, 8]
    assert by_worker[0] != by_worker[1]
    assert len({image for image, _ in first}) > 10
    assert [image for image, _ in first] != [image for image, _ in second]
    assert two_epochs(persistent, seed=7) == [first, second]
    assert two_epochs(persistent, seed=8) != [first, second]


def test_a_loaded_policy_becomes_one_without_a_look_at_the_network(tmp_path: Path) -> None:
    write_policy_file(tmp_path / "policy.json", Policy(Base(hflip=1.0)), {})
    image = noise(4, 6, 3)
    assert np.array_equal(load_policy(tmp_path / "policy.json").to_albumentations()(image=image)["image"], image[:, ::-1])
    code = """
import sys, urllib.request
def refuse(*given): raise AssertionError("the network was asked")
urllib.request.OpenerDirector.open = refuse
from searchspaces import load_policy
policy = load_policy(sys.argv[1])
assert "albumentations" not in sys.modules
print(policy.to_albumentations())"""
    environment = {name: value for name, value in os.environ.items() if name != "NO_ALBUMENTATIONS_UPDATE"}
    ran = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code, str(tmp_path / "policy.json")],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert ran.returncode == 0, ran.stderr
    assert "horizontal flip always" in ran.stdout
