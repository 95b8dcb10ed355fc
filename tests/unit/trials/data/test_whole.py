"""Images kept whole: all of each photo is there, once, mapped, in the split that it belongs to; what need not be kept is not."""

import io
import shutil
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trials.data import Source, open_parts, open_split, prepare, read_meta
from trials.data.images import decode
from trials.data.store import array_files, fingerprint
from trials.data.whole import decoder, kept_side

Refused = Callable[..., AbstractContextManager[None]]
SIDES = ((30, 90), (64, 48), (200, 100), (17, 23), (120, 121), (41, 40))  # height and width
TURNED = 6  # EXIF: the top of the picture is at the right


def photo(sides: tuple[int, int], seed: int) -> Image.Image:
    """Soft shapes, a red left edge and a blue right one."""
    height, width = sides
    small = np.random.default_rng(seed).integers(60, 180, (4, 4, 3), dtype=np.uint8)
    image = np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)).copy()
    edge = max(2, width // 12)
    image[:, :edge], image[:, -edge:] = (255, 0, 0), (0, 0, 255)
    return Image.fromarray(image)


def write_photos(root: Path, extension: str = "png", copies: int = 2, sides: Iterable[tuple[int, int]] = SIDES) -> Path:
    for number, split in enumerate(("train", "val", "test")):
        for name in ("cat", "dog"):
            folder = root / split / name
            folder.mkdir(parents=True)
            for index, size in enumerate(list(sides) * copies):
                seed = 1000 * number + 100 * len(name) + 10 * ord(name[0]) + index
                photo(size, seed).save(folder / f"{index:02}.{extension}", quality=92)
    return root


def test_every_photo_is_there_with_its_edges_and_its_aspect(tmp_path: Path) -> None:
    root = write_photos(tmp_path / "photos")
    prepared = prepare(Source(str(root), image_size=32), tmp_path / "home")
    split = open_split(prepared.directory, "train")
    assert split.whole is not None
    files = sorted(root.glob("train/*/*.png"))
    assert len(split.whole) == len(split.images) == len(files) == 24
    for number, path in enumerate(files):
        with Image.open(path) as image:
            scale = min(1.0, kept_side(32) / min(image.size))
            expected = tuple(round(side * scale) for side in (image.height, image.width))
            whole = split.whole.image(number)
            assert whole.shape == (*expected, 3) == (*split.whole.sides[number], 3)
            if scale == 1:
                assert (whole == np.asarray(image)).all()
            middle = len(whole) // 2
            assert whole[middle, 0, 0] > 200 > 60 > whole[middle, 0, 2], "the left edge is red"
            assert whole[middle, -1, 2] > 200 > 60 > whole[middle, -1, 0], "the right edge is blue"
        assert (split.images[number] == decode(path, 32, 3)).all(), "what is scored is the centre crop that it has always been"


def test_squares_of_one_size_keep_the_arrays_they_had(tmp_path: Path) -> None:
    root = write_photos(tmp_path / "photos", sides=[(40, 40)] * 3)
    prepared = prepare(Source(str(root), image_size=32), tmp_path / "home")
    split = open_split(prepared.directory, "train")
    assert split.whole is None
    assert "whole" not in read_meta(prepared.directory)
    assert prepared.fingerprints["train"] == fingerprint(split.images, split.labels)
    names = {path.name for path in prepared.directory.iterdir()}
    assert names == {"meta.json", "train_images.npy", "train_labels.npy", "val_images.npy", "val_labels.npy"}


@pytest.mark.parametrize("sides", [[(40, 60)] * 3, [(40, 40), (50, 50), (40, 40)]])
def test_oblongs_of_one_size_and_squares_of_several_are_kept_whole(sides: list[tuple[int, int]], tmp_path: Path) -> None:
    prepared = prepare(Source(str(write_photos(tmp_path / "photos", sides=sides)), image_size=16), tmp_path / "home")
    assert open_split(prepared.directory, "train").whole is not None


def test_test_images_are_only_scored_and_so_never_kept_whole(tmp_path: Path) -> None:
    prepared = prepare(Source(str(write_photos(tmp_path / "photos")), image_size=16), tmp_path / "home")
    assert prepared.heldout is not None
    assert open_split(prepared.heldout, "test").whole is None
    assert {path.name for path in prepared.heldout.iterdir()} == {"meta.json", "test_images.npy", "test_labels.npy"}


def test_rows_go_with_labels_where_the_splits_are_ours(tmp_path: Path) -> None:
    """One folder, cut in three: the colour of an image's middle is its class, in whole and cut images, in every split."""
    generator = np.random.default_rng(0)
    for level, name in ((40, "ant"), (120, "bee"), (220, "cow")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index in range(20):
            levels = generator.integers(level - 20, level + 20, (20 + index, 50 - index, 3), dtype=np.uint8)
            Image.fromarray(levels).save(tmp_path / "photos" / name / f"{index}.png")
    prepared = prepare(Source(str(tmp_path / "photos"), image_size=16, train_images=20), tmp_path / "home")
    for name in ("search", "all", "fold-1"):
        for split in open_parts(prepared.directory, name):
            assert split.whole is not None
            assert len(split.whole) == len(split.labels)
            means = np.array([split.whole.image(number).mean() for number in range(len(split.labels))])
            assert (np.abs(means - np.array([40, 120, 220])[split.labels]) < 15).all()
            assert np.abs(means - np.asarray(split.images[:]).mean(axis=(1, 2, 3))).max() < 5


def test_it_is_mapped_and_can_not_be_written(tmp_path: Path) -> None:
    prepared = prepare(Source(str(write_photos(tmp_path / "photos")), image_size=16), tmp_path / "home")
    whole = open_split(prepared.directory, "train").whole
    assert whole is not None
    levels = whole.image(1)
    assert not levels.flags.writeable
    base: np.ndarray | None = levels
    while base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert base is not None, "not a copy: the file's own pages"


@pytest.mark.parametrize("file", ["train_pixels.npy", "train_sizes.npy", "val_pixels.npy"])
def test_the_fingerprint_covers_every_byte_that_is_trained_on(file: str, tmp_path: Path) -> None:
    prepared = prepare(Source(str(write_photos(tmp_path / "photos")), image_size=16), tmp_path / "home")
    copy = tmp_path / "copy"
    shutil.copytree(prepared.directory, copy)
    assert file in array_files(read_meta(copy))
    array = np.load(copy / file)
    if array.ndim == 1:
        array[5] ^= 1
    else:
        array[0, :2] = array[0, 1], array[0, 0]
    (copy / file).chmod(0o644)
    np.save(copy / file, array)
    name = "train" if file.startswith("train") else "val"
    split = open_split(copy, name)  # type: ignore[arg-type]
    assert fingerprint(split.images, split.labels, split.whole) != split.fingerprint
    kept = open_split(prepared.directory, name)  # type: ignore[arg-type]
    assert fingerprint(kept.images, kept.labels, kept.whole) == kept.fingerprint


def test_offsets_that_do_not_fit_are_refused(tmp_path: Path, refused: Refused) -> None:
    prepared = prepare(Source(str(write_photos(tmp_path / "photos")), image_size=16), tmp_path / "home")
    file = prepared.directory / "train_offsets.npy"
    offsets = np.load(file)
    file.chmod(0o644)
    np.save(file, offsets[:-1])
    with refused(str(prepared.directory), "offsets", "delete it"):
        open_split(prepared.directory, "train")


def test_above_the_cap_jpeg_files_stay_files_where_those_are_smaller(tmp_path: Path) -> None:
    root = write_photos(tmp_path / "photos", "jpg")
    generator = np.random.default_rng(3)  # noise, whose file is larger than what is kept of it
    noise = generator.integers(0, 256, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(root / "train/cat/99.jpg", quality=95)
    photo((50, 70), 4).save(root / "train/dog/99.png")
    prepared = prepare(Source(str(root), image_size=32), tmp_path / "home", most_pixel_bytes=1000)
    meta, split = read_meta(prepared.directory), open_split(prepared.directory, "train")
    assert meta["whole"] == {"form": "jpeg", "short_side": 40, "channels": 3, "decoder": decoder()}
    assert split.whole is not None
    sizes, files = np.load(prepared.directory / "train_sizes.npy"), sorted(root.glob("train/*/*"))
    offsets, pixels = (np.load(prepared.directory / f"train_{name}.npy") for name in ("offsets", "pixels"))
    for number, path in enumerate(files):
        content = pixels[offsets[number] : offsets[number + 1]].tobytes()
        assert sizes[number, 2] == (content == path.read_bytes()), path
        assert sizes[number, 2] == (
            path.name not in ("99.jpg", "99.png") and len(path.read_bytes()) < split.whole.image(number).size
        )
        whole, again = split.whole.image(number), split.whole.image(number)
        assert (whole == again).all()
        with Image.open(path) as image:
            low = min(min(image.size), kept_side(32))
            assert low <= min(whole.shape[:2]) <= max(low, 2 * kept_side(32)), (
                "as the file is, or at its own scale above what is kept"
            )
            assert abs(whole.shape[0] / whole.shape[1] - image.height / image.width) < 0.04
    assert 0 < sizes[:, 2].sum() < len(sizes)


def test_a_jpeg_file_is_drafted_upright_and_as_pillow_decodes_it(tmp_path: Path) -> None:
    root = write_photos(tmp_path / "photos", "jpg")
    turned = Image.Exif()
    turned[0x0112] = TURNED
    photo((300, 400), 5).save(root / "train/cat/99.jpg", quality=60, exif=turned)
    prepared = prepare(Source(str(root), image_size=32), tmp_path / "home", most_pixel_bytes=0)
    whole = open_split(prepared.directory, "train").whole
    assert whole is not None
    with Image.open(root / "train/cat/99.jpg") as image:
        image.draft("RGB", (100, 75))  # 1/4 is the smallest of its scales that is no less than 40 pixels: 75 x 100
        expected = np.rot90(np.asarray(image), -1)
    assert whole.image(12).shape == (100, 75, 3)
    assert (whole.image(12) == expected).all()


def test_another_decoder_is_refused_and_prepared_anew(tmp_path: Path, refused: Refused) -> None:
    root = write_photos(tmp_path / "photos", "jpg")
    source, home = Source(str(root), image_size=32), tmp_path / "home"
    prepared = prepare(source, home, most_pixel_bytes=0)
    meta = prepared.directory / "meta.json"
    text = meta.read_text()
    meta.chmod(0o644)
    meta.write_text(text.replace(decoder(), "libjpeg_turbo 0.1"))
    with refused("libjpeg_turbo 0.1", decoder(), "Pillow"):
        open_split(prepared.directory, "train")
    assert prepare(source, home, most_pixel_bytes=0) == prepared
    assert meta.read_text() == text


def test_grey_photos_are_kept_whole_in_one_channel(tmp_path: Path) -> None:
    root = write_photos(tmp_path / "photos")
    for path in root.rglob("*.png"):
        Image.open(path).convert("L").save(path)
    prepared = prepare(Source(str(root), image_size=16), tmp_path / "home")
    whole = open_split(prepared.directory, "train").whole
    assert whole is not None
    assert {whole.image(number).shape[2] for number in range(len(whole))} == {1}


@pytest.mark.parametrize(("extension", "orientation"), [("jpg", 3), ("jpg", 5), ("jpg", 8), ("png", 6), ("webp", 6), ("tif", 6)])
def test_photos_of_any_orientation_are_upright(extension: str, orientation: int, tmp_path: Path) -> None:
    root = write_photos(tmp_path / "photos", copies=1, sides=SIDES[:3])
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = root / f"train/cat/99.{extension}"
    photo((30, 50), 1).save(path, exif=exif)
    prepared = prepare(Source(str(root), image_size=16), tmp_path / "home")
    whole = open_split(prepared.directory, "train").whole
    assert whole is not None
    height, width = whole.image(3).shape[:2]
    assert (height > width) == (orientation >= 5)
    assert min(height, width) == kept_side(16)


def test_a_damaged_jpeg_is_a_message(tmp_path: Path, refused: Refused) -> None:
    from trials.data.whole import WholeArrays, WholeImages

    content = io.BytesIO()
    photo((40, 60), 0).save(content, "JPEG")
    levels = np.frombuffer(content.getvalue()[:300], np.uint8)
    arrays = WholeArrays(levels, np.array([0, len(levels)]), np.array([[40, 60, 1]], np.int32))
    with refused("JPEG", "delete the prepared data"):
        WholeImages([arrays], {"channels": 3, "short_side": 40}).image(0)
