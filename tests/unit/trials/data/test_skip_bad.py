"""`--skip-bad`: up to 1 % of the images may be damaged, by name; what a rule refuses stays refused."""

import os
import struct
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from trials.data import Prepared, Source, prepare, read_meta

Refused = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """200 training images in two classes, and a test set of 100."""
    root = tmp_path / "photos"
    for split, count in (("train", 100), ("test", 50)):
        for value, name in enumerate(("cat", "dog")):
            (root / split / name).mkdir(parents=True)
            Image.new("RGB", (8, 8), (value * 90, 50, 10)).save(root / split / name / "000.png")
            for index in range(1, count):
                os.link(root / split / name / "000.png", root / split / name / f"{index:03}.png")
    return root


def damage(path: Path, raw: bytes = b"\x89PNG") -> None:
    path.unlink()  # the others are the same file
    path.write_bytes(raw)


def prepared_of(root: Path, tmp_path: Path, **wishes: Any) -> Prepared:
    return prepare(Source(str(root), **{"image_size": 8, "duplicates": "report", "skip_bad": True, **wishes}), tmp_path / "home")


def test_strict_by_default(photos: Path, tmp_path: Path, refused: Refused) -> None:
    damage(photos / "train/cat/007.png")
    with refused("007.png", "repair or remove"):
        prepared_of(photos, tmp_path, skip_bad=False)


def test_some_are_left_out_by_name(photos: Path, tmp_path: Path) -> None:
    damage(photos / "train/cat/007.png")
    damage(photos / "train/dog/008.png", (photos / "train/dog/009.png").read_bytes()[:-30])
    damage(photos / "test/dog/003.png", b"")
    prepared = prepared_of(photos, tmp_path)
    assert (prepared.counts["train"] + prepared.counts["val"], prepared.counts["test"]) == (198, 99)
    meta = read_meta(prepared.directory)
    assert meta["wishes"]["skip_bad"] is True
    line = next(note for note in meta["notes"] if "--skip-bad" in note)
    assert "train/cat/007.png" in line
    assert "train/dog/008.png" in line
    assert not any("test/" in note and "003" in note for note in meta["notes"]), "a search isn't told which test images"
    assert any("test/dog/003.png" in note for note in prepared.notes)


def test_more_than_one_in_a_hundred_are_refused(photos: Path, tmp_path: Path, refused: Refused) -> None:
    for index in range(1, 5):
        damage(photos / f"train/cat/{index:03}.png")
    with refused("--skip-bad: 4 of 300 images can't be read", "train/cat/001.png", "at most 1%"):
        prepared_of(photos, tmp_path)


def bomb() -> bytes:
    """Pixels that unpack to 121 megapixels, in some hundred bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 11_000, 11_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def test_a_bomb_is_never_passed_over(photos: Path, tmp_path: Path, refused: Refused) -> None:
    damage(photos / "train/cat/007.png", bomb())
    with refused("007.png", "remove"):
        prepared_of(photos, tmp_path)


def test_a_link_out_of_the_folder_is_never_passed_over(photos: Path, tmp_path: Path, refused: Refused) -> None:
    (photos / "train/cat/007.png").unlink()
    (photos / "train/cat/007.png").symlink_to("/etc/passwd")
    with refused("007.png", "is a link to"):
        prepared_of(photos, tmp_path)


def test_another_kind_of_pixels_is_never_passed_over(photos: Path, tmp_path: Path, refused: Refused) -> None:
    damage(photos / "train/cat/007.png")
    Image.new("I", (8, 8)).save(photos / "train/cat/007.png", format="TIFF")
    with refused("007.png", "more than 8 bits"):
        prepared_of(photos, tmp_path)


def test_a_table_with_a_file_that_is_gone(photos: Path, tmp_path: Path, refused: Refused) -> None:
    rows = [f"train/{name}/{index:03}.png,{name}" for name in ("cat", "dog") for index in range(100)]
    (photos / "set.csv").write_text("\n".join(["path,label", *rows]))
    (photos / "train/cat/007.png").unlink()
    with refused("007.png", "can't be read"):
        prepared_of(photos / "set.csv", tmp_path, skip_bad=False)
    prepared = prepared_of(photos / "set.csv", tmp_path)
    assert sum(prepared.counts.values()) == 199
    assert any("train/cat/007.png" in note for note in prepared.notes)


def test_arrays_have_no_files_to_leave_out(tmp_path: Path, refused: Refused) -> None:
    with refused("--skip-bad", "arrays", "leave it out"):
        prepare(Source("sample", skip_bad=True), tmp_path / "home")
