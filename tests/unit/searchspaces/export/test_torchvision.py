"""The exported transform does what was searched, gives back what it was given, and is seeded as torchvision's own are.

Torchvision is imported in the tests that need it: spawned workers import this file.
"""

import copy
import pickle
import runpy
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, get_worker_info

from searchspaces import load_policy, spaces
from searchspaces.draw import draw
from searchspaces.engines import apply
from searchspaces.errors import BadInput
from searchspaces.export.torchvision import PolicyTransform
from searchspaces.policy import Branch, Choice, Constant, Policy, Step
from searchspaces.policy_json import write_policy_file

POLICY = spaces.randaugment().decode({"ops": 2, "level": 15})
SOLARIZE = Policy(branches=(Branch((Step((Choice("solarize", (Constant(0.0),)),)),)),))


def noise(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def transform() -> PolicyTransform:
    return PolicyTransform(POLICY)


def searched_at(tmp_path: Path, provenance: dict[str, Any]) -> PolicyTransform:
    write_policy_file(tmp_path / "policy.json", POLICY, provenance)
    return load_policy(tmp_path / "policy.json").to_torchvision()


def test_it_is_draw_and_apply_with_one_number_of_torchs_generator(transform: PolicyTransform) -> None:
    batch = noise(16, 3, 32, 32)
    torch.manual_seed(5)
    found = transform(batch)
    after = torch.rand(())
    torch.manual_seed(5)
    seed = int(torch.randint(2**63 - 1, ()))
    assert torch.equal(found, apply(batch, draw(POLICY, (16, 3, 32, 32), np.random.default_rng(seed))))
    assert torch.equal(after, torch.rand(()))


def test_each_image_of_a_batch_has_its_own_draw_and_the_input_stays(transform: PolicyTransform) -> None:
    batch = noise(1, 3, 32, 32).expand(32, -1, -1, -1)
    before = batch.clone()
    assert len({found.numpy().tobytes() for found in transform(batch)}) > 20
    assert torch.equal(batch, before)


def test_manual_seed_reproduces(transform: PolicyTransform) -> None:
    image = noise(3, 32, 32)
    runs = []
    for _ in range(2):
        torch.manual_seed(11)
        runs.append([transform(image).numpy().tobytes() for _ in range(8)])
    assert runs[0] == runs[1]
    assert len(set(runs[0])) > 4


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_pil_images_come_back_as_pil_images_with_the_same_pixels_as_tensors(mode: str, transform: PolicyTransform) -> None:
    channels = len(mode)
    pixels = noise(channels, 24, 40)
    image = Image.fromarray(pixels.permute(1, 2, 0).squeeze(2).contiguous().numpy())
    assert image.mode == mode
    before = image.tobytes()
    for seed in range(8):
        torch.manual_seed(seed)
        found = transform(image)
        torch.manual_seed(seed)
        expected = transform(pixels)
        assert (found.mode, found.size) == (mode, (40, 24))
        assert torch.equal(torch.from_numpy(np.array(found)).view(24, 40, channels).permute(2, 0, 1), expected)
    assert image.tobytes() == before


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_floats_in_0_to_1_are_taken_and_given_back(dtype: torch.dtype) -> None:
    transform = PolicyTransform(SOLARIZE)
    levels = noise(3, 8, 8)
    found = transform((levels.double() / 255).to(dtype))
    assert found.dtype == dtype
    error = (found.double() - (255 - levels.double()) / 255).abs().max()
    assert error < {torch.bfloat16: 0.006, torch.float16: 6e-4}.get(dtype, 1e-6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (torch.full((3, 8, 8), 1.001), "floats from 1.001 to 1.001; allowed are 0 to 1"),
        (torch.full((3, 8, 8), -0.001), "allowed are 0 to 1"),
        (torch.full((3, 8, 8), 255.0), "allowed are 0 to 1"),
        (torch.full((3, 8, 8), float("nan")), "allowed are 0 to 1"),
        (torch.zeros(3, 8, 8, dtype=torch.int64), "tensor of torch.int64; allowed are torch.uint8, and floats"),
        (torch.zeros(3, 8, 8, dtype=torch.bool), "tensor of torch.bool"),
        (torch.zeros(8, 8, dtype=torch.uint8), "tensor of 2 dimensions; allowed are 3"),
        (torch.zeros(2, 8, 8, dtype=torch.uint8), "the images have 2 channels"),
        (Image.new("RGBA", (8, 8)), "PIL image of mode RGBA; allowed are L and RGB"),
        (Image.new("I;16", (8, 8)), "PIL image of mode I;16"),
        (Image.new("1", (8, 8)), "PIL image of mode 1;"),
        (np.zeros((8, 8, 3), np.uint8), "ndarray given; allowed are PIL images and tensors"),
        ((torch.zeros(3, 8, 8), 0), "tuple given"),
    ],
)
def test_what_was_not_searched_on_is_refused(given: Any, message: str, transform: PolicyTransform) -> None:
    with pytest.raises(BadInput) as refused:
        transform(given)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_another_size_or_channel_count_is_told_once(tmp_path: Path) -> None:
    provenance = {"size": [32, 24], "channels": 3}
    for other in (noise(3, 24, 32), noise(1, 32, 24)):
        transform = searched_at(tmp_path, provenance)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            transform(noise(3, 32, 24))
            transform(noise(4, 3, 32, 24))
        with pytest.warns(UserWarning, match="searched on images of 24x32 pixels with 3 channels and is used on"):
            transform(other)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            transform(other)


@pytest.mark.parametrize(
    "provenance", [{}, {"size": [32, 32]}, {"size": "32x32", "channels": 3}, {"size": [32, None], "channels": 3}]
)
def test_provenance_changes_nothing_else(tmp_path: Path, provenance: dict[str, Any], transform: PolicyTransform) -> None:
    other = searched_at(tmp_path, provenance)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.manual_seed(3)
        found = other(noise(3, 8, 8))
    torch.manual_seed(3)
    assert torch.equal(found, transform(noise(3, 8, 8)))


def test_it_composes_with_torchvisions_own() -> None:
    from torchvision import tv_tensors
    from torchvision.transforms import v2

    pipeline = v2.Compose([v2.Resize(16), PolicyTransform(SOLARIZE), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
    image = Image.fromarray(noise(16, 16).numpy())
    assert torch.allclose(pipeline(image)[0], 1 - torch.from_numpy(np.array(image)) / 255)
    found = PolicyTransform(SOLARIZE)(tv_tensors.Image(noise(3, 8, 8)))
    assert type(found) is tv_tensors.Image
    assert torch.equal(found.as_subclass(torch.Tensor), 255 - noise(3, 8, 8))


def test_it_survives_pickle_and_copy_and_shows_its_policy(transform: PolicyTransform) -> None:
    for again in (pickle.loads(pickle.dumps(transform)), copy.deepcopy(transform)):
        torch.manual_seed(1)
        found = again(noise(3, 8, 8))
        torch.manual_seed(1)
        assert torch.equal(found, transform(noise(3, 8, 8)))
    assert "2 ops an image, each one of 14" in repr(transform)


def test_a_crop_or_no_image_at_all_is_fine(transform: PolicyTransform) -> None:
    assert transform(noise(0, 3, 8, 8)).shape == (0, 3, 8, 8)
    assert transform(noise(3, 40, 40)[:, 3:30:2, 5:20]).shape == (3, 14, 15)


class Repeated(Dataset[tuple[torch.Tensor, int]]):
    """The same image 16 times, so that only the draws can differ, and the number of the worker that answered."""

    def __init__(self, transform: PolicyTransform) -> None:
        self.transform = transform
        self.image = noise(3, 32, 32)

    def __len__(self) -> int:
        return 16

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        info = get_worker_info()
        assert info is not None
        return self.transform(self.image), info.id


Epoch = list[tuple[bytes, int]]


def two_epochs(transform: PolicyTransform, context: str, seed: int) -> list[Epoch]:
    loader = DataLoader(
        Repeated(transform), batch_size=4, num_workers=2, multiprocessing_context=context, persistent_workers=True
    )
    torch.manual_seed(seed)
    return [
        [(image.numpy().tobytes(), int(worker)) for batch in loader for image, worker in zip(*batch, strict=True)] for _ in "12"
    ]


def test_workers_and_epochs_of_a_data_loader_draw_differently(transform: PolicyTransform) -> None:
    first, second = two_epochs(transform, "fork", seed=7)
    by_worker = [[image for image, worker in first if worker == number] for number in (0, 1)]
    assert [len(images) for images in by_worker] == [8, 8]
    assert by_worker[0] != by_worker[1]
    assert len({image for image, _ in first}) > 10
    assert [image for image, _ in first] != [image for image, _ in second]


def test_a_seed_reproduces_a_data_loader_whether_its_workers_are_forked_or_spawned(transform: PolicyTransform) -> None:
    forked = two_epochs(transform, "fork", seed=7)
    assert two_epochs(transform, "fork", seed=7) == forked
    assert two_epochs(transform, "spawn", seed=7) == forked
    assert two_epochs(transform, "fork", seed=8) != forked


def test_the_exported_python_file_is_the_transform_whatever_its_provenance_says(tmp_path: Path) -> None:
    provenance = {"study": 'x\\\'"""\n\u202e{}\ufeff', "size": [32, 32], "channels": 3}
    write_policy_file(tmp_path / "policy.json", POLICY, provenance)
    (tmp_path / "it's.py").write_text(load_policy(tmp_path / "policy.json").written("torchvision"))
    found = runpy.run_path(str(tmp_path / "it's.py"))
    assert "2 ops an image, each one of 14" in found["__doc__"]
    assert found["POLICY_FILE"]["provenance"] == provenance
    torch.manual_seed(3)
    given = found["transform"](noise(3, 32, 32))
    torch.manual_seed(3)
    assert torch.equal(given, PolicyTransform(POLICY)(noise(3, 32, 32)))
