"""MedMNIST's .npz layout, and files that only look like it."""

import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trials.data import Source, npz, open_split, prepare

Refused = Callable[..., AbstractContextManager[None]]
MakeNpz = Callable[..., Path]


class Evil:
    """Unpickling it would make the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_splits_are_the_files_own(make_npz: MakeNpz, tmp_path: Path) -> None:
    path = make_npz()
    prepared = prepare(Source(str(path)), tmp_path / "home")
    assert prepared.counts == {"train": 12, "val": 6, "test": 6}
    assert prepared.classes == ("0", "1", "2")
    assert (prepared.name, prepared.channels, prepared.height, prepared.width) == ("med", 3, 8, 9)
    assert prepared.heldout is not None
    with np.load(path) as arrays:
        for directory, split in ((prepared.directory, "train"), (prepared.directory, "val"), (prepared.heldout, "test")):
            part = open_split(directory, split)  # type: ignore[arg-type]
            assert np.array_equal(part.images, arrays[f"{split}_images"].transpose(0, 3, 1, 2))
            assert np.array_equal(part.labels, arrays[f"{split}_labels"][:, 0])


def test_images_keep_their_own_size_with_a_note(make_npz: MakeNpz, tmp_path: Path) -> None:
    small, large = (prepare(Source(str(make_npz()), image_size=size), tmp_path / "home") for size in (32, 64))
    assert any("keep their own size, 8 x 9" in note for note in small.notes)
    assert small.fingerprint == large.fingerprint


@pytest.mark.parametrize("shape", [(8, 9), (8, 9, 1)])
def test_grey(shape: tuple[int, ...], make_npz: MakeNpz, tmp_path: Path) -> None:
    images = {f"{split}_images": np.zeros((count, *shape), np.uint8) for split, count in (("train", 12), ("val", 6), ("test", 6))}
    assert prepare(Source(str(make_npz(**images)), duplicates="report"), tmp_path / "home").channels == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64, np.uint64])
def test_whole_labels_of_any_width_and_flat(dtype: type, make_npz: MakeNpz, tmp_path: Path) -> None:
    path = make_npz(train_labels=(np.arange(12) % 3).astype(dtype))
    labels = open_split(prepare(Source(str(path)), tmp_path / "home").directory, "train").labels
    assert labels.dtype == np.int64
    assert labels.tolist() == [0, 1, 2] * 4


@pytest.mark.parametrize(
    ("labels", "parts"),
    [
        ([0, 1, 2] * 3 + [0, 1, -1], ("label -1 of image 11", "0 to 2")),
        ([0, 1, 2] * 3 + [0, 1, -100], ("label -100", "0 to 2")),
        ([0, 1, 2] * 3 + [0, 1, 255], ("label 255", "0 to 3")),
        ([1, 2, 3] * 4, ("label 3 of image 2", "0 to 2")),
        ([0.0, 1.0, 2.0] * 4, ("float64", "whole numbers")),
        ([0.0, 1.0, np.nan] * 4, ("float64", "whole numbers")),
        ([True, False, True] * 4, ("bool", "whole numbers")),
        (["a", "b", "c"] * 4, ("<U1", "whole numbers")),
        ([[0, 1]] * 12, ("(12, 2)", "(n, 1)")),
        ([0, 1, 2] * 3, ("12 images but 9 labels",)),
        ([0] * 12, ("only one class ('0')",)),
        ([-1] * 12, ("no class", "from 0 up")),
    ],
)
def test_training_labels_out_of_range(
    labels: Any, parts: tuple[str, ...], make_npz: MakeNpz, tmp_path: Path, refused: Refused
) -> None:
    with refused("med.npz (train)", *parts):
        prepare(Source(str(make_npz(train_labels=np.array(labels)))), tmp_path / "home")


@pytest.mark.parametrize("split", ["val", "test"])
def test_labels_of_the_other_splits(split: str, make_npz: MakeNpz, tmp_path: Path, refused: Refused) -> None:
    with refused(f"med.npz ({split})", "label 3 of image 5", "0 to 2"):
        prepare(Source(str(make_npz(**{f"{split}_labels": np.array([0, 1, 2, 0, 1, 3])}))), tmp_path / "home")
    with refused(f"med.npz ({split})", "no image of class '2'"):
        prepare(Source(str(make_npz(**{f"{split}_labels": np.array([0, 1, 0, 0, 1, 1])}))), tmp_path / "home")


@pytest.mark.parametrize(
    ("images", "parts"),
    [
        (np.zeros((12, 8, 9, 3)), ("float64", "only uint8")),
        (np.zeros((12, 8, 9, 3), np.uint16), ("16-bit pixels", "from 0 to 0", "--levels 0:1", "--levels full")),
        (np.zeros((12, 8, 9, 65), np.uint8), ("(12, 8, 9, 65)", "at most 64 channels")),
        (np.zeros((12, 8), np.uint8), ("(12, 8)",)),
        (np.zeros((12, 8, 8, 8, 1), np.uint8), ("(12, 8, 8, 8, 1)",)),
        (np.zeros((0, 8, 9, 3), np.uint8), ("(0, 8, 9, 3)",)),
        (np.zeros((12, 0, 9, 3), np.uint8), ("(12, 0, 9, 3)",)),
    ],
)
def test_images_that_are_not_read(
    images: np.ndarray, parts: tuple[str, ...], make_npz: MakeNpz, tmp_path: Path, refused: Refused
) -> None:
    with refused("med.npz (train)", *parts):
        prepare(Source(str(make_npz(train_images=images))), tmp_path / "home")


def test_splits_of_different_sizes(make_npz: MakeNpz, tmp_path: Path, refused: Refused) -> None:
    with refused("med.npz (test)", "(3, 7, 7)", "(3, 8, 9)"):
        prepare(Source(str(make_npz(test_images=np.zeros((6, 7, 7, 3), np.uint8)))), tmp_path / "home")


def test_wrong_keys_are_named_beside_the_expected_ones(make_npz: MakeNpz, tmp_path: Path, refused: Refused) -> None:
    path = make_npz(without=("val_images", "val_labels"), valid_images=np.zeros(3))
    with refused("med.npz", "lacks 'val_images'", "valid_images", "needed are train_images, train_labels, val_images"):
        prepare(Source(str(path)), tmp_path / "home")


def test_pickled_objects_are_never_unpickled(make_npz: MakeNpz, tmp_path: Path, refused: Refused) -> None:
    made = tmp_path / "made-by-the-pickle"
    with refused("med.npz", "numbers only"):
        prepare(Source(str(make_npz(train_labels=np.array([Evil(made)] * 12, dtype=object)))), tmp_path / "home")
    assert not made.exists()


@pytest.mark.parametrize("fraction", [0.0, 0.5, 0.99])
def test_a_truncated_file(fraction: float, make_npz: MakeNpz, tmp_path: Path, refused: Refused) -> None:
    path = make_npz()
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * fraction)])
    with refused("med.npz", "is not a .npz file"):
        prepare(Source(str(path)), tmp_path / "home")


def test_a_flipped_byte(make_npz: MakeNpz, tmp_path: Path, refused: Refused) -> None:
    path = make_npz()
    raw = bytearray(path.read_bytes())
    raw[400] ^= 255
    path.write_bytes(raw)
    with refused("med.npz", "can't be read"):
        prepare(Source(str(path)), tmp_path / "home")


def test_a_member_that_is_no_array(make_npz: MakeNpz, tmp_path: Path, refused: Refused) -> None:
    path = make_npz(without=("val_labels",))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("val_labels", b"no array")
    with refused("med.npz"):
        prepare(Source(str(path)), tmp_path / "home")


def test_an_array_beyond_the_limit(make_npz: MakeNpz, tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz, "MOST_BYTES", 1_000)
    with refused("med.npz", "train_images unpacks to", "at most 1000"):
        prepare(Source(str(make_npz())), tmp_path / "home")


def test_a_header_that_lies_about_its_size(make_npz: MakeNpz, tmp_path: Path, refused: Refused) -> None:
    path = make_npz(without=("train_images",))
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000000, 8, 9, 3), }"
    header = header + b" " * (117 - len(header)) + b"\n"
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("train_images.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(100))
    with refused("med.npz", "can't be read"):
        prepare(Source(str(path)), tmp_path / "home")


def test_another_extension(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "labels.txt").write_text("a,b")
    with refused("labels.txt", "of files .npz"):
        prepare(Source(str(tmp_path / "labels.txt")), tmp_path / "home")


def test_text_named_npz(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "a.npz").write_text("no archive")
    with refused("a.npz", "is not a .npz file"):
        prepare(Source(str(tmp_path / "a.npz")), tmp_path / "home")
