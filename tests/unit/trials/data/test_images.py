"""One image file at a time: the table of rules, row by row."""

import struct
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import v2

from searchspaces.errors import BadInput
from trials.data.images import MOST_PIXELS, Encoded, Unreadable, codec_warnings, decode, look
from trials.data.levels import Levels

Refused = Callable[..., AbstractContextManager[None]]


def noise(width: int, height: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (height, width, channels), dtype=np.uint8)


def saved(folder: Path, image: Image.Image, name: str = "a.png", **options: object) -> Path:
    path = folder / name
    image.save(path, **options)  # type: ignore[arg-type]
    return path


def png(width: int, height: int, bits: int, colour: int, body: bytes) -> bytes:
    """A PNG by hand: Pillow writes no 16-bit colour and no file that lies."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


@given(width=st.integers(1, 90), height=st.integers(1, 90), size=st.integers(8, 40), channels=st.sampled_from([1, 3]))
@settings(max_examples=60)
def test_resize_and_crop_are_torchvisions(
    tmp_path_factory: pytest.TempPathFactory, width: int, height: int, size: int, channels: int
) -> None:
    image = Image.fromarray(noise(width, height, channels).squeeze(-1) if channels == 1 else noise(width, height))
    path = saved(tmp_path_factory.mktemp("one"), image)
    reference = v2.Compose([v2.Resize(size), v2.CenterCrop(size), v2.PILToTensor()])(image)
    assert np.array_equal(decode(path, size, channels), reference.numpy())


@pytest.mark.parametrize(
    ("mode", "grey"), [("1", True), ("L", True), ("LA", True), ("RGB", False), ("RGBA", False), ("P", False)]
)  # fmt: skip
def test_kinds_of_pixels(tmp_path: Path, mode: str, grey: bool) -> None:
    image = Image.fromarray(noise(16, 16)).convert(mode)
    path = saved(tmp_path, image)
    assert look(path, 16).mode == mode
    expected = np.asarray(image.convert("L" if grey else "RGB"))
    if grey:
        assert np.array_equal(decode(path, 16, 1)[0], expected)
        assert (decode(path, 16, 3) == expected).all()
    else:
        assert np.array_equal(decode(path, 16, 3), expected.transpose(2, 0, 1))


def test_cmyk(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(noise(16, 16)).convert("CMYK"), "a.tif")
    assert look(path, 16).mode == "CMYK"
    assert np.array_equal(decode(path, 16, 3), noise(16, 16).transpose(2, 0, 1))


def test_hidden_colour_under_alpha_is_what_torchvisions_loader_sees(tmp_path: Path) -> None:
    image = Image.fromarray(noise(16, 16, 4))
    path = saved(tmp_path, image)
    assert np.array_equal(decode(path, 16, 3), np.asarray(image)[..., :3].transpose(2, 0, 1))


def test_a_transparent_palette_makes_no_noise(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    image = Image.fromarray(noise(16, 16)).quantize(16)
    path = saved(tmp_path, image, transparency=bytes(range(16)))
    assert np.array_equal(decode(path, 16, 3), np.asarray(image.convert("RGB")).transpose(2, 0, 1))
    assert not recwarn.list


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, Image.fromarray(noise(16, 16)), exif=exif)
    stored = noise(16, 16)
    turned = {1: stored, 2: stored[:, ::-1], 3: stored[::-1, ::-1], 4: stored[::-1]}
    turned |= {5: stored.swapaxes(0, 1), 6: np.rot90(stored, -1), 7: stored[::-1, ::-1].swapaxes(0, 1), 8: np.rot90(stored)}
    assert np.array_equal(decode(path, 16, 3), turned[orientation].transpose(2, 0, 1))


@pytest.mark.parametrize("name", ["a.jpg", "a.webp", "a.bmp", "a.ppm", "a.tif"])
def test_formats(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path, Image.fromarray(noise(16, 16)), name)
    assert np.array_equal(decode(path, 16, 3), np.asarray(Image.open(path)).transpose(2, 0, 1))


def test_the_content_counts_and_not_the_extension(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(noise(16, 16)))
    path = path.rename(tmp_path / "a.jpg")
    assert np.array_equal(decode(path, 16, 3), noise(16, 16).transpose(2, 0, 1))


def test_a_phones_jpeg_with_extra_pictures(tmp_path: Path) -> None:
    extra = Image.fromarray(noise(8, 8))
    path = saved(tmp_path, Image.fromarray(noise(16, 16)), "a.jpg", format="MPO", save_all=True, append_images=[extra])
    first = Image.open(path, formats=["JPEG"])
    assert first.format == "MPO"
    assert np.array_equal(decode(path, 16, 3), np.asarray(first).transpose(2, 0, 1))


@pytest.mark.parametrize("fraction", [0.0, 0.05, 0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif"])
def test_truncated(tmp_path: Path, name: str, fraction: float, refused: Refused) -> None:
    path = saved(tmp_path, Image.fromarray(noise(64, 64)), name)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * fraction)])
    with refused(str(path), "can't be read as an image", "repair or remove"):
        decode(path, 16, 3)


def test_text_with_the_name_of_an_image(tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "a.png"
    path.write_text("no image")
    with refused(str(path), "can't be read as an image"):
        look(path, 16)


def test_a_format_that_is_not_read_under_another_name(tmp_path: Path, refused: Refused) -> None:
    path = saved(tmp_path, Image.fromarray(noise(16, 16)), "a.png", format="GIF")
    with refused(str(path), "can't be read as an image"):
        look(path, 16)


@pytest.mark.parametrize("colour", [2, 4, 6])
def test_sixteen_bit_colour_and_alpha_in_png(tmp_path: Path, colour: int, refused: Refused) -> None:
    channels = {2: 3, 4: 2, 6: 4}[colour]
    path = tmp_path / "deep.png"
    path.write_bytes(png(16, 16, 16, colour, (b"\0" + bytes(16 * 2 * channels)) * 16))
    for read in (lambda: look(path, 16), lambda: decode(path, 16, 3)):
        with refused(str(path), "more than 8 bits", "convert"):
            read()


@pytest.mark.parametrize("header", [b"P6 16 16 65535\n", b"P5 16 16 4095\n"])  # of the latter Pillow stretches 4095 to 65535
def test_deep_ppm(tmp_path: Path, header: bytes, refused: Refused) -> None:
    path = tmp_path / "deep.ppm"
    path.write_bytes(header + bytes(16 * 16 * 6))
    with refused(str(path), "more than 8 bits"):
        look(path, 16)


DEEP_FILES = ["deep.png", "deep.tif", "deep.pgm"]


@pytest.mark.parametrize("name", DEEP_FILES)
def test_sixteen_bit_grey_without_a_window_tells_its_levels(tmp_path: Path, name: str, refused: Refused) -> None:
    path = saved(tmp_path, Image.fromarray(np.array([[12, 300], [4071, 40]], dtype=np.uint16)), name)
    assert look(path, 8).mode == "16-bit grey"
    with refused(str(path), "more than 8 bits", "from 12 to 4071", "--levels 12:4071", "--levels full", "convert"):
        decode(path, 8, 1)


@pytest.mark.parametrize("name", DEEP_FILES)
@pytest.mark.parametrize(("window", "expected"), [("100:355", [0, 1, 255, 255]), ("full", [0, 0, 255, 2])])
def test_sixteen_bit_grey_through_a_window(tmp_path: Path, name: str, window: str, expected: list[int]) -> None:
    levels = np.array([[100, 101], [65535, 500]], dtype=np.uint16).repeat(4, 0).repeat(4, 1)
    path = saved(tmp_path, Image.fromarray(levels), name)
    shown = decode(path, 8, 1, Levels.parse(window))[0]
    assert shown[::4, ::4].ravel().tolist() == expected
    assert (decode(path, 8, 3, Levels.parse(window)) == shown).all()


def test_sixteen_bits_are_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    levels = np.arange(64, dtype=np.uint16).reshape(8, 8)
    path = saved(tmp_path, Image.fromarray(levels), exif=exif)
    assert np.array_equal(decode(path, 8, 1, Levels.parse("0:255"))[0], np.rot90(levels, -1))


@pytest.mark.parametrize("mode", ["I", "F"])
def test_deep_tiff(tmp_path: Path, mode: str, refused: Refused) -> None:
    path = saved(tmp_path, Image.new(mode, (16, 16)), "deep.tif")
    with refused(str(path), "more than 8 bits"):
        look(path, 16)


def test_another_colour_space(tmp_path: Path, refused: Refused) -> None:
    path = saved(tmp_path, Image.new("LAB", (16, 16)), "lab.tif")
    with refused(str(path), "LAB", "convert"):
        look(path, 16)


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif"])
def test_several_pictures_in_one_file(tmp_path: Path, name: str, refused: Refused) -> None:
    pictures = [Image.fromarray(noise(16, 16)), Image.fromarray(255 - noise(16, 16))]
    path = saved(tmp_path, pictures[0], name, save_all=True, append_images=pictures[1:])
    with refused(str(path), "several pictures", "split"):
        look(path, 16)


def test_bytes_are_read_as_a_file_is(tmp_path: Path, refused: Refused) -> None:
    path = saved(tmp_path, Image.fromarray(noise(20, 16)))
    assert np.array_equal(decode(Encoded("image 3", path.read_bytes()), 16, 3), decode(path, 16, 3))
    with refused("'image 3' can't be read as an image"):
        look(Encoded("image 3", b"GIF89a"), 16)


def test_what_is_damaged_is_told_apart_from_what_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    (tmp_path / "bomb.png").write_bytes(png(11_000, 11_000, 8, 0, bytes(11_001)))
    with pytest.raises(Unreadable):
        look(tmp_path / "a.png", 16)
    with codec_warnings(), pytest.raises(BadInput) as caught:
        look(tmp_path / "bomb.png", 16)
    assert not isinstance(caught.value, Unreadable)


@pytest.mark.parametrize("side", [9_000, 11_000, 14_000])
def test_decompression_bombs(tmp_path: Path, side: int, refused: Refused) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png(side, side, 8, 0, bytes(side + 1)))
    with codec_warnings(), refused(str(path), "shrink or remove" if side == 9_000 else "remove"):
        look(path, 16)


def test_the_largest_that_is_read_is_larger_than_todays_cameras() -> None:
    assert 9_504 * 6_336 <= MOST_PIXELS < 9_000 * 9_000


def test_a_text_chunk_that_unpacks_to_much(tmp_path: Path, refused: Refused) -> None:
    raw = png(16, 16, 8, 0, bytes(17 * 16))
    text = b"k\0\0" + zlib.compress(bytes(200_000_000), 9)
    chunk = struct.pack(">I", len(text)) + b"zTXt" + text + struct.pack(">I", zlib.crc32(b"zTXt" + text))
    path = tmp_path / "bomb.png"
    path.write_bytes(raw[:33] + chunk + raw[33:])
    with refused(str(path), "can't be read as an image"):
        decode(path, 16, 1)


def test_too_narrow_to_resize(tmp_path: Path, refused: Refused) -> None:
    path = saved(tmp_path, Image.new("L", (20_000, 1)))
    with refused(str(path), "20000 x 1", "crop or remove"):
        look(path, 64)


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\xff\xd8\xff", b"II*\0", b"P6 ", b"BM", b"RIFF"]),
)
@settings(max_examples=150)
def test_any_bytes_are_an_image_or_one_line(tmp_path_factory: pytest.TempPathFactory, body: bytes, magic: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "a.png"
    path.write_bytes(magic + body)
    try:
        with codec_warnings():
            assert decode(path, 16, 3).shape == (3, 16, 16)
    except BadInput as error:
        assert str(path) in str(error)
        assert "\n" not in str(error)
