"""Mixing as a collate function: in a DataLoader, and in exported files."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from searchspaces.errors import BadInput
from searchspaces.export.collating import MixingCollate
from searchspaces.export.loading import LoadedPolicy
from searchspaces.mixing import draw_mixing, mix_images, mix_labels
from searchspaces.policy import Base, Batch, Policy

MIXED = LoadedPolicy(Policy(Base(hflip=0.5), batch=Batch(0.2, 1.0)), {})
PLAIN = LoadedPolicy(Policy(Base(hflip=0.5)), {})


def samples(count: int = 6) -> list[tuple[torch.Tensor, int]]:
    pixels = torch.from_numpy(np.random.default_rng(3).normal(size=(count, 3, 8, 10)).astype(np.float32))
    return [(image, label % 4) for label, image in enumerate(pixels)]


def test_it_is_what_a_trial_does_with_a_batch() -> None:
    torch.manual_seed(8)
    images, labels = MIXED.collate(4)(samples())
    torch.manual_seed(8)
    mixing = draw_mixing(MIXED.policy.batch, 6, (8, 10), np.random.default_rng(int(torch.randint(2**63 - 1, ()))))
    assert torch.equal(images, mix_images(torch.stack([image for image, _ in samples()]), mixing))
    assert torch.equal(labels, mix_labels(torch.tensor([0, 1, 2, 3, 0, 1]), 4, mixing))


def test_a_policy_that_mixes_nothing_only_puts_together() -> None:
    images, labels = PLAIN.collate(4)(samples())
    assert torch.equal(images, torch.stack([image for image, _ in samples()]))
    assert torch.equal(labels, torch.eye(4)[[0, 1, 2, 3, 0, 1]])


def test_workers_of_a_loader_draw_differently_and_again_alike() -> None:
    images, labels = torch.zeros(8, 1, 4, 4), torch.arange(8)
    loader = DataLoader(TensorDataset(images, labels), batch_size=4, num_workers=2, collate_fn=MIXED.collate(8))

    def shares() -> list[bytes]:
        torch.manual_seed(5)
        return [np.sort(batch.numpy(), axis=None).tobytes() for _, batch in loader]

    first = shares()
    assert len(set(first)) == 2
    assert shares() == first


@pytest.mark.parametrize("classes", [0, -1, 2.0, True])
def test_a_number_of_classes_is_needed(classes: int) -> None:
    with pytest.raises(BadInput, match=r"^classes: .*; allowed is a whole number from 1"):
        MixingCollate(Batch(), classes)


def test_levels_are_refused() -> None:
    with pytest.raises(BadInput, match="allowed are floats"):
        MIXED.collate(4)([(image.to(torch.uint8), label) for image, label in samples()])


@pytest.mark.parametrize("standalone", [False, True])
def test_exported_files_hold_it_where_the_policy_mixes(tmp_path: Path, standalone: bool) -> None:
    assert "collate" not in PLAIN.written("torchvision", standalone).replace("collated", "")
    exported = tmp_path / "mixed.py"
    exported.write_text(MIXED.written("torchvision", standalone))
    program = (
        "import runpy, torch; torch.manual_seed(4); made = runpy.run_path('mixed.py'); torch.manual_seed(4); "
        "images, labels = made['collate'](4)([(torch.full((1, 2, 3), float(i)), i) for i in range(4)]); "
        "print(images.sum(dim=(1, 2, 3)).tolist(), labels.tolist())"
    )
    blocked = "import sys; sys.modules['searchspaces'] = None; " if standalone else ""
    found = subprocess.run([sys.executable, "-c", blocked + program], cwd=tmp_path, capture_output=True, text=True)
    torch.manual_seed(4)
    images, labels = MIXED.collate(4)([(torch.full((1, 2, 3), float(i)), i) for i in range(4)])
    assert found.stdout == f"{images.sum(dim=(1, 2, 3)).tolist()} {labels.tolist()}\n", found.stderr
