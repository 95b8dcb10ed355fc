"""torchvision's sets by name: those whose files are there, hashed before a pickle is opened, and no others."""

import hashlib
import pickle
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from trials.data import Source, cifar, open_split, prepare
from trials.data.torchvision_sets import OURS, SETS

Refused = Callable[..., AbstractContextManager[None]]


def test_every_set_that_is_offered_is_torchvisions_and_can_be_asked_for() -> None:
    import inspect

    from torchvision import datasets

    for name, kind in SETS.items():
        arguments = inspect.signature(getattr(datasets, name).__init__).parameters
        assert {"root", "download"} <= arguments.keys()
        assert not kind.splits or kind.argument in arguments
        assert bool(kind.arrays) != ("loader" in arguments), name
    assert all(hasattr(datasets, name) for name in OURS)


@pytest.mark.parametrize("name", sorted({*SETS, *OURS}))
def test_a_set_that_is_not_there(name: str, tmp_path: Path, refused: Refused) -> None:
    with refused(str(tmp_path), "--data-root"):
        prepare(Source(f"torchvision:{name}", data_root=str(tmp_path)), tmp_path / "home")
    assert [path.name for path in tmp_path.iterdir()] in ([], ["home"]), "nothing was downloaded"


def test_a_name_that_is_not_offered(tmp_path: Path, refused: Refused) -> None:
    with refused("torchvision:LSUN", "SVHN", "class folders"):
        prepare(Source("torchvision:LSUN", data_root=str(tmp_path)), tmp_path / "home")
    with refused("--data torchvision:SVHN needs --data-root"):
        prepare(Source("torchvision:SVHN"), tmp_path / "home")
    with refused("--val-folder", "torchvision:SVHN"):
        prepare(Source("torchvision:SVHN", data_root=str(tmp_path), val_folder="test"), tmp_path / "home")


def test_image_files_are_read_by_our_own_rules(tmp_path: Path, refused: Refused) -> None:
    folder = tmp_path / "eurosat" / "2750"
    for label, name in enumerate(("Forest", "River")):
        (folder / name).mkdir(parents=True)
        for index in range(10):
            pixels = np.random.default_rng([label, index]).integers(0, 256, (64, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{index}.png")
    source = Source("torchvision:EuroSAT", data_root=str(tmp_path), image_size=16, duplicates="report")
    prepared = prepare(source, tmp_path / "home")
    assert (prepared.name, prepared.classes) == ("eurosat", ("Forest", "River"))
    assert (prepared.counts["test"], prepared.height) == (4, 16)
    (folder / "River" / "3.png").write_bytes(b"\x89PNG")
    with refused("3.png", "can't be read as an image"):
        prepare(source, tmp_path / "home")
    (folder / "River" / "3.png").unlink()
    (folder / "River" / "3.png").symlink_to(tmp_path.parent)
    with refused("3.png", "is a link to"):
        prepare(source, tmp_path / "home")


def test_arrays_that_torchvision_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    from torchvision.datasets import STL10

    folder = tmp_path / "stl10_binary"
    folder.mkdir()
    generator = np.random.default_rng(0)
    written = {}
    for split, count in (("train", 40), ("test", 20)):
        images = generator.integers(0, 256, (count, 3, 96, 96), dtype=np.uint8)
        (folder / f"{split}_X.bin").write_bytes(images.tobytes())
        (folder / f"{split}_y.bin").write_bytes((np.arange(count) % 10 + 1).astype(np.uint8).tobytes())
        written[split] = images.transpose(0, 1, 3, 2)  # the file has columns first
    (folder / "class_names.txt").write_text("\n".join(f"c{label}" for label in range(10)))
    (folder / "unlabeled_X.bin").write_bytes(b"")
    for table in ("train_list", "test_list"):
        hashed = [[name, hashlib.md5((folder / name).read_bytes()).hexdigest()] for name, _ in getattr(STL10, table)]
        monkeypatch.setattr(STL10, table, hashed)
    prepared = prepare(Source("torchvision:STL10", data_root=str(tmp_path), duplicates="report"), tmp_path / "home")
    assert (prepared.classes[3], prepared.counts) == ("c3", {"train": 20, "val": 20, "test": 20})
    assert prepared.heldout is not None
    assert np.array_equal(open_split(prepared.heldout, "test").images, written["test"])
    (folder / "train_X.bin").write_bytes(bytes(40 * 3 * 96 * 96))
    with refused("torchvision:STL10", "not whole"):
        prepare(Source("torchvision:STL10", data_root=str(tmp_path)), tmp_path / "home")


@pytest.fixture
def cifar100(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / cifar.FOLDER_100
    folder.mkdir()
    generator = np.random.default_rng(0)
    contents: dict[str, Any] = {"meta": {b"fine_label_names": [b"c%d" % label for label in range(100)]}}
    for name, count in (("train", 400), ("test", 100)):
        data = generator.integers(0, 256, (count, 3072), dtype=np.uint8)
        contents[name] = {b"data": data, b"fine_labels": [row % 100 for row in range(count)], b"coarse_labels": [0] * count}
    for name, content in contents.items():
        raw = pickle.dumps(content, protocol=3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
        (folder / name).write_bytes(raw)
        monkeypatch.setitem(cifar.MD5_100, name, hashlib.md5(raw).hexdigest())
    return tmp_path


def test_cifar100_by_its_fine_labels(cifar100: Path, tmp_path: Path) -> None:
    source = Source("torchvision:CIFAR100", data_root=str(cifar100), duplicates="report")
    prepared = prepare(source, tmp_path / "home")
    assert (prepared.name, prepared.classes[99], len(prepared.classes)) == ("cifar100", "c99", 100)
    assert prepared.counts["test"] == 100


@pytest.mark.parametrize("name", ["train", "test", "meta"])
def test_cifar100s_pickles_are_hashed_first(name: str, cifar100: Path, tmp_path: Path, refused: Refused) -> None:
    made = tmp_path / "made"

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (made,))

    (cifar100 / cifar.FOLDER_100 / name).write_bytes(pickle.dumps(Evil()))
    with refused(name, "md5", "was not opened"):
        prepare(Source("torchvision:CIFAR100", data_root=str(cifar100), duplicates="report"), tmp_path / "home")
    assert not made.exists()


def test_the_tables_are_torchvisions() -> None:
    from torchvision.datasets import CIFAR100

    listed = dict((*CIFAR100.train_list, *CIFAR100.test_list))
    assert {**listed, "meta": CIFAR100.meta["md5"]} == cifar.MD5_100
