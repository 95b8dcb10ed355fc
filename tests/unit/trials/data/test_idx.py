"""MNIST's and Fashion-MNIST's idx files in the layouts that torchvision and Debian use."""

import gzip
import struct
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest

from trials.data import Source, idx, open_split, prepare

Refused = Callable[..., AbstractContextManager[None]]


def idx_bytes(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write(folder: Path, zipped: bool) -> dict[str, np.ndarray]:
    """60 training and 20 test images of 28 x 28, ten classes; what was written, by file name."""
    generator = np.random.default_rng(13)
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for (images_name, labels_name), count in zip(idx.FILES.values(), (60, 20), strict=True):
        written[images_name] = generator.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        written[labels_name] = (np.arange(count) % 10).astype(np.uint8)
    for name, array in written.items():
        raw = idx_bytes(array)
        (folder / (f"{name}.gz" if zipped else name)).write_bytes(gzip.compress(raw) if zipped else raw)
    return written


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    ("name", "below", "domain", "last"),
    [
        ("mnist", "MNIST/raw", "digits", "9"),
        ("fashion-mnist", "FashionMNIST/raw", "photos", "Ankle boot"),
        ("fashion-mnist", ".", "photos", "Ankle boot"),
    ],
)
def test_layouts(name: str, below: str, domain: str, last: str, zipped: bool, tmp_path: Path) -> None:
    written = write(tmp_path / "root" / below, zipped)
    prepared = prepare(Source(name, data_root=str(tmp_path / "root")), tmp_path / "home")
    assert prepared.counts == {"train": 40, "val": 20, "test": 20}
    assert (prepared.name, prepared.domain, prepared.channels, prepared.classes[-1]) == (name, domain, 1, last)
    assert prepared.heldout is not None
    test = open_split(prepared.heldout, "test")
    assert np.array_equal(test.images[:, 0], written["t10k-images-idx3-ubyte"])
    assert np.array_equal(test.labels, written["t10k-labels-idx1-ubyte"])


def test_the_class_names_are_torchvisions() -> None:
    from torchvision.datasets import FashionMNIST

    assert tuple(FashionMNIST.classes) == idx.CLASSES["fashion-mnist"]


def test_one_set_is_not_taken_for_the_other(tmp_path: Path, refused: Refused) -> None:
    write(tmp_path / "FashionMNIST/raw", zipped=False)
    with refused("mnist: no train-images-idx3-ubyte", "MNIST/raw", "--data-root"):
        prepare(Source("mnist", data_root=str(tmp_path)), tmp_path / "home")


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("file", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
def test_a_truncated_file(zipped: bool, file: str, tmp_path: Path, refused: Refused) -> None:
    write(tmp_path, zipped)
    path = tmp_path / (f"{file}.gz" if zipped else file)
    for length in (0, 3, 6, 20, path.stat().st_size - 1):
        path.write_bytes(path.read_bytes()[:length])
        with refused(str(path), "download it again"):
            prepare(Source("fashion-mnist", data_root=str(tmp_path)), tmp_path / "home")


@pytest.mark.parametrize(
    "raw",
    [
        struct.pack(">HBB3I", 0, 13, 3, 2, 28, 28) + bytes(6_272),  # floats
        struct.pack(">HBB1I", 0, 8, 1, 60) + bytes(60),  # labels
        struct.pack(">HBB3I", 0, 8, 3, 60, 28, 28) + bytes(60 * 784 + 1),  # longer than announced
        struct.pack(">HBB3I", 0, 8, 3, 2**32 - 1, 2**31, 2**31),  # an announced bomb
        b"<html>not found</html>",
    ],
)
def test_other_bytes(raw: bytes, tmp_path: Path, refused: Refused) -> None:
    write(tmp_path, zipped=False)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(raw)
    with refused("train-images-idx3-ubyte", "download it again"):
        prepare(Source("fashion-mnist", data_root=str(tmp_path)), tmp_path / "home")


def test_not_gzip(tmp_path: Path, refused: Refused) -> None:
    write(tmp_path, zipped=True)
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(b"no gzip at all")
    with refused("train-labels-idx1-ubyte.gz", "can't be read"):
        prepare(Source("fashion-mnist", data_root=str(tmp_path)), tmp_path / "home")


def test_a_label_out_of_range(tmp_path: Path, refused: Refused) -> None:
    write(tmp_path, zipped=False)
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(np.full(20, 10, np.uint8)))
    with refused("t10k-images-idx3-ubyte", "label 10 of image 0", "0 to 9"):
        prepare(Source("fashion-mnist", data_root=str(tmp_path)), tmp_path / "home")
