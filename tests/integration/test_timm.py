"""An exported policy inside timm's own data pipeline: what the extra `timm` promises."""

from pathlib import Path

import numpy as np
import timm.data
import torch
from PIL import Image
from torchvision.transforms import Compose

from policysearch import load_policy


def a_folder_of_images(root: Path) -> Path:
    pixels = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (root / name).mkdir()
        for number in range(3):
            picture = Image.fromarray(pixels.integers(0, 256, (32, 32, 3), dtype=np.uint8))
            picture.save(root / name / f"{number}.png")
    return root


def test_it_stands_before_timms_own_steps_and_changes_what_they_get(tmp_path: Path) -> None:
    ours = load_policy("zoo:trivialaugment-wide").to_torchvision()
    timms = timm.data.create_transform((3, 32, 32), is_training=False, crop_pct=1.0)
    plain = timm.data.ImageDataset(a_folder_of_images(tmp_path), transform=timms)
    augmented = timm.data.ImageDataset(tmp_path, transform=Compose([ours, *timms.transforms]))
    torch.manual_seed(3)
    got = torch.stack([augmented[index][0] for index in range(len(augmented))])
    torch.manual_seed(3)
    paths = sorted(tmp_path.glob("*/*.png"))
    wanted = torch.stack([timms(ours(Image.open(path).convert("RGB"))) for path in paths])
    assert torch.equal(got, wanted)
    assert [label for _, label in augmented] == [0, 0, 0, 1, 1, 1]
    assert not torch.equal(got, torch.stack([image for image, _ in plain]))


def test_timms_loader_carries_it_into_its_workers(tmp_path: Path) -> None:
    dataset = timm.data.ImageDataset(a_folder_of_images(tmp_path))
    loader = timm.data.create_loader(
        dataset, (3, 32, 32), batch_size=6, is_training=False, num_workers=2, use_prefetcher=False, device=torch.device("cpu")
    )
    dataset.transform = Compose([load_policy("zoo:trivialaugment-wide").to_torchvision(), *dataset.transform.transforms])
    first, second = (next(iter(loader))[0] for _ in range(2))
    assert first.shape == (6, 3, 32, 32)
    assert not torch.equal(first, second), "each pass over the data draws anew"
