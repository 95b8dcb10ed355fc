"""Bad images, folders and labels that no other test has: together with tests/unit/trials/data they are the whole table of cases.

Each ends in pixels by a stated rule or in one line that names the file, and in no other way.
"""

import io
import os
import resource
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from searchspaces.errors import BadInput
from trials.data import Source, prepare
from trials.data.files import FilePool
from trials.data.images import codec_warnings, decode
from trials.data.source import understand

NOISE = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def encoded(**options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(NOISE).save(file, **{"format": "PNG", **options})  # type: ignore[arg-type]
    return file.getvalue()


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(BadInput) as caught:
        act()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "PPM"])
@pytest.mark.parametrize("tenth", range(10))
def test_cut_short_at_ten_places(kind: str, tenth: int, tmp_path: Path) -> None:
    whole = encoded(format=kind)
    (tmp_path / "a.png").write_bytes(whole[: len(whole) * tenth // 10])
    assert "a.png" in refusal(lambda: decode(tmp_path / "a.png", 16, 3))


def test_an_icc_profile_changes_no_pixel(tmp_path: Path) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    (tmp_path / "a.png").write_bytes(encoded(icc_profile=profile))
    assert np.array_equal(decode(tmp_path / "a.png", 64, 3), NOISE.transpose(2, 0, 1))


def test_a_progressive_jpeg_is_read_as_a_plain_one(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encoded(format="JPEG", progressive=True, quality=95))
    (tmp_path / "b.jpg").write_bytes(encoded(format="JPEG", progressive=False, quality=95))
    assert np.array_equal(decode(tmp_path / "a.jpg", 64, 3), decode(tmp_path / "b.jpg", 64, 3))


@pytest.mark.parametrize("place", ["IHDR", "IDAT"])
def test_a_flipped_byte_in_a_png(place: str, tmp_path: Path) -> None:
    raw = bytearray(encoded())
    raw[raw.index(place.encode()) + (6 if place == "IHDR" else 3000)] ^= 255
    (tmp_path / "a.png").write_bytes(raw)
    assert "a.png" in refusal(lambda: decode(tmp_path / "a.png", 16, 3))


def test_twenty_five_megapixels_are_a_photo(tmp_path: Path) -> None:
    Image.new("L", (5_000, 5_000), 7).save(tmp_path / "a.png", compress_level=1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with codec_warnings():
        assert (decode(tmp_path / "a.png", 64, 3) == 7).all()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 20  # kB


@pytest.mark.parametrize("size", [(1, 1), (1, 100_000), (100_000, 1)])
def test_extreme_shapes(size: tuple[int, int], tmp_path: Path) -> None:
    Image.new("L", size, 9).save(tmp_path / "a.png")
    if size == (1, 1):
        assert (decode(tmp_path / "a.png", 64, 1) == 9).all()
    else:
        assert "too narrow" in refusal(lambda: decode(tmp_path / "a.png", 64, 1))


@pytest.mark.parametrize("mode", ["I", "F"])
def test_deep_and_float_pixels_are_never_rescaled(mode: str, tmp_path: Path) -> None:
    Image.new(mode, (8, 8), 1).save(tmp_path / "a.tif")
    assert "more than 8 bits" in refusal(lambda: decode(tmp_path / "a.tif", 16, 1))


def folders(root: Path, names: dict[str, int]) -> Path:
    for name, count in names.items():
        (root / name).mkdir(parents=True)
        for index in range(count):
            Image.fromarray(NOISE[index : index + 9, :9]).save(root / name / f"{index}.png")
    return root


def read(root: Path, tmp_path: Path, **wishes: object) -> object:
    return prepare(Source(str(root), image_size=8, duplicates="report", **wishes), tmp_path / "home")  # type: ignore[arg-type]


def test_classes_that_differ_in_unicode_form_alone(tmp_path: Path) -> None:
    composed, apart = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    line = refusal(lambda: read(folders(tmp_path / "one", {composed: 5, apart: 5}), tmp_path))
    assert "two Unicode forms" in line
    assert "\\xe9" in line
    names = {f"train/{composed}": 5, "train/tea": 5, f"test/{apart}": 2, "test/tea": 2}
    assert "which has 'café'" in refusal(lambda: read(folders(tmp_path / "two", names), tmp_path))


def test_classes_that_differ_in_case_between_splits(tmp_path: Path) -> None:
    names = {"train/Cat": 5, "train/dog": 5, "test/cat": 2, "test/dog": 2}
    assert "which has 'Cat'" in refusal(lambda: read(folders(tmp_path / "set", names), tmp_path))


def test_a_file_that_goes_while_it_is_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folders(tmp_path / "set", {"cat": 8, "dog": 8})
    shape = FilePool.shape

    def looked_at_and_gone(pool: FilePool, rows: np.ndarray) -> object:
        found = shape(pool, rows)
        (root / "cat" / "3.png").unlink(missing_ok=True)
        return found

    monkeypatch.setattr(FilePool, "shape", looked_at_and_gone)
    assert "3.png" in refusal(lambda: read(root, tmp_path))


@pytest.mark.slow
def test_ten_thousand_classes(tmp_path: Path) -> None:
    """Links to two files, for speed: it is the listing that is tried."""
    root = folders(tmp_path / "set", {"c0": 2})
    for label in range(1, 10_000):
        (root / f"c{label}").mkdir()
        for index in range(2):
            os.link(root / "c0" / f"{index}.png", root / f"c{label}" / f"{index}.png")
    pools = understand(Source(str(root), image_size=8)).load()
    assert len(pools.classes) == 10_000
    assert "a class needs at least" in refusal(lambda: read(root, tmp_path))


def test_a_pickle_under_any_name_is_no_data(tmp_path: Path) -> None:
    for name in ("set.pkl", "set.pt", "set.npy"):
        (tmp_path / name).write_bytes(b"\x80\x04N.")
        assert "of files .npz" in refusal(lambda name=name: read(tmp_path / name, tmp_path))  # type: ignore[misc]
