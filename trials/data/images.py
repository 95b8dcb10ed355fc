"""One image file to pixels, by stated rules. What the rules don't cover is refused by name; nothing is rescaled in silence.

| in the file | becomes |
|---|---|
| 1-bit, 8-bit grey, grey with alpha | grey; in a set that also has colour: RGB with three equal channels |
| RGB, RGB with alpha, palette, CMYK | RGB (Pillow's `convert`); alpha is dropped, as torchvision's folder loader does |
| EXIF orientation | applied |
| ICC profile | ignored |
| MPO (a phone's JPEG with extras) | its first picture |
| 16-bit grey | 8-bit grey by the user's window (`levels.py`), before it is resized; without one it is refused |
| 16-bit colour, 32-bit, float; animations and multi-page files; over 64 megapixels; other formats | refused |

The short side is resized to the size (bilinear, antialiased), then the centre is cut out: pixel for pixel torchvision's Resize
and CenterCrop on a PIL image.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image, ImageFile, ImageOps

from searchspaces.errors import BadInput
from trials.data.levels import Levels, no_window

if TYPE_CHECKING:
    from jaxtyping import UInt8

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "PPM", "TIFF")
EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".ppm", ".pgm", ".pbm", ".tif", ".tiff"})
UNREAD_EXTENSIONS = frozenset(
    {".gif", ".heic", ".heif", ".avif", ".jp2", ".dcm", ".svg"}
)  # images too: never left out in silence
GREY_MODES = frozenset({"1", "L", "LA"})
COLOUR_MODES = frozenset({"RGB", "RGBA", "P", "CMYK"})
DEEP = "16-bit grey"  # what `look` calls the kind of pixels that need a window
MOST_PIXELS = 64_000_000  # above today's cameras of 50 to 61 megapixels; 10 kB of PNG can hold 81, which cost 400 MB to decode


@contextmanager
def codec_warnings() -> Iterator[None]:
    """Pillow's warning about huge images raises; its others (damaged EXIF, mostly) are silent, for the pixels are whole.

    To be entered once around all threads that decode: warning filters are the process's, not a thread's.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


class Unreadable(BadInput):
    """An image that its codec can't make sense of: damaged, cut short, no image at all, or gone. `--skip-bad` is about these."""


@dataclass(frozen=True)
class Encoded:
    """An image file that lies within another file: its bytes, and what to call it."""

    name: str
    content: bytes

    def __str__(self) -> str:
        return self.name


File: TypeAlias = Path | Encoded


def content(file: File) -> bytes:
    """The bytes of an image file."""
    return file.read_bytes() if isinstance(file, Path) else file.content


@dataclass(frozen=True, slots=True)
class Seen:
    """What an image's header says: the kind of its pixels (a mode of the above, or `DEEP`), and its size in pixels as stored."""

    mode: str
    width: int
    height: int


def look(file: File, size: int) -> Seen:
    """An image from its header alone. `BadInput` if the rules refuse it; 16-bit grey ones are left to `decode`."""
    with _named(file), opened(file) as image:
        _refuse(str(file), image, size)
        return Seen(DEEP if _deep(image) else image.mode, *image.size)


def decode(
    file: File,
    size: int,
    channels: int,
    levels: Levels | None = None,
    keep: Callable[[Image.Image], None] | None = None,
) -> UInt8[np.ndarray, "channels height width"]:
    """The pixels of an image, resized and cut to size x size; `channels` is 1 (for grey files) or 3.

    `levels` is the window of 16-bit grey ones; `BadInput` tells their least and largest level where there is none. `keep` is
    given the image before it is cut: upright, 8-bit grey or RGB.
    """
    with _named(file), opened(file) as image:
        _refuse(str(file), image, size)
        upright = _convert(_windowed(str(file), image, levels), channels)
        if keep is not None:
            keep(upright)
        pixels = np.asarray(_centre(upright, size))
    return pixels.reshape(size, size, channels).transpose(2, 0, 1)


def extent(file: File) -> tuple[int, int]:
    """The least and the largest grey level of a 16-bit grey image."""
    with _named(file), opened(file) as image:
        _refuse(str(file), image, 1)
        pixels = np.asarray(image)
        return int(pixels.min()), int(pixels.max())


def opened(file: File) -> ImageFile.ImageFile:
    """The file as Pillow opens it; no pixel is decoded yet."""
    return Image.open(file if isinstance(file, Path) else io.BytesIO(file.content), formats=FORMATS)


@contextmanager
def _named(file: File) -> Iterator[None]:
    """Whatever a codec raises on a broken file becomes one line that names the file."""
    try:
        yield
    except BadInput:
        raise
    except Exception as error:  # hostile files make codecs raise nearly anything
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        kind = BadInput if _is_bomb(error) else Unreadable
        raise kind(f"{str(file)!r} can't be read as an image ({reason}); repair or remove it") from error


def _is_bomb(error: Exception) -> bool:
    """A file that unpacks to far more than it should is no damaged image: it is refused, and never passed over."""
    if isinstance(error, Image.DecompressionBombWarning | Image.DecompressionBombError | MemoryError):
        return True
    return str(error).startswith(("Decompressed data too large", "Too much memory used for text chunks"))


def _refuse(name: str, image: ImageFile.ImageFile, size: int) -> None:
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise BadInput(f"{name!r} has {width} x {height} pixels; at most {MOST_PIXELS:,} are decoded: shrink or remove it")
    if size * size * max(width, height) // min(width, height) > MOST_PIXELS:
        raise BadInput(f"{name!r} is {width} x {height}, too narrow to be cut to a square of {size}; crop or remove it")
    deep = _has_deep_channels(image)
    if (image.mode not in GREY_MODES | COLOUR_MODES or deep) and not _deep(image):
        kind = f"{image.mode} with more than 8 bits a channel" if deep else image.mode
        raise BadInput(
            f"{name!r} has pixels of kind {kind}; 8-bit grey, RGB, palette, CMYK and 16-bit grey are read: convert it yourself, "
            "or give arrays (.npz)"
        )
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise BadInput(f"{name!r} holds several pictures; one per file is read: split or remove it")


def _has_deep_channels(image: ImageFile.ImageFile) -> bool:
    """More than 8 bits a channel. Pillow would cut 16-bit RGB down to 8 in silence; its decoder's arguments give it away."""
    if image.mode.startswith(("I", "F")):
        return True
    for tile in image.tile:
        if ";16" in str(tile[3]) or (image.format == "PPM" and isinstance(tile[3], tuple) and tile[3][-1] > 255):
            return True
    return False


def _deep(image: ImageFile.ImageFile) -> bool:
    """16-bit grey whose levels Pillow hands on as they are in the file; it stretches .pgm files of 9 to 15 bits."""
    if image.mode in ("I;16", "I;16B", "I;16L"):
        return True
    return image.format == "PPM" and image.mode == "I" and all(tile[3] == "I;16B" for tile in image.tile)


def _windowed(name: str, image: Image.Image, levels: Levels | None) -> Image.Image:
    """16-bit grey through its window, upright; any other image as it is."""
    if not image.mode.startswith("I"):
        return image
    pixels = np.asarray(ImageOps.exif_transpose(image))
    if levels is None:
        raise no_window(repr(name), int(pixels.min()), int(pixels.max()))
    return Image.fromarray(levels.to_bytes(pixels))


def _convert(image: Image.Image, channels: int) -> Image.Image:
    upright = ImageOps.exif_transpose(image)
    if upright.mode in GREY_MODES:
        upright = upright.convert("L")
    elif upright.mode == "P":
        upright = upright.convert("RGBA")  # straight to RGB, Pillow warns about palettes with transparency
    return upright.convert("L" if channels == 1 else "RGB")


def _centre(image: Image.Image, size: int) -> Image.Image:
    width, height = image.size
    short = min(width, height)
    if short != size:
        width, height = size * width // short, size * height // short
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = round((width - size) / 2), round((height - size) / 2)
    return image.crop((left, top, left + size, top + size))
