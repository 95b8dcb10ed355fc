"""One image file to pixels, by stated rules. What the rules don't cover is refused by name; nothing is rescaled in silence.

| in the file | becomes |
|---|---|
| 1-bit, 8-bit grey, grey with alpha | grey; in a set that also has colour: RGB with three equal channels |
| RGB, RGB with alpha, palette, CMYK | RGB (Pillow's `convert`); alpha is dropped, as torchvision's folder loader does |
| EXIF orientation | applied |
| ICC profile | ignored |
| MPO (a phone's JPEG with extras) | its first picture |
| 16-bit, 32-bit, float channels; animations and multi-page files; over 64 megapixels; other formats | refused |

The short side is resized to the size (bilinear, antialiased), then the centre is cut out: pixel for pixel torchvision's Resize
and CenterCrop on a PIL image.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFile, ImageOps

from searchspaces.errors import BadInput

if TYPE_CHECKING:
    from jaxtyping import UInt8

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "PPM", "TIFF")
EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".ppm", ".pgm", ".pbm", ".tif", ".tiff"})
UNREAD_EXTENSIONS = frozenset(
    {".gif", ".heic", ".heif", ".avif", ".jp2", ".dcm", ".svg"}
)  # images too: never left out in silence
GREY_MODES = frozenset({"1", "L", "LA"})
COLOUR_MODES = frozenset({"RGB", "RGBA", "P", "CMYK"})
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


def look(path: Path, size: int) -> str:
    """The mode of an image (one of the above), from its header alone. `BadInput` if the rules refuse it."""
    with _named(path), Image.open(path, formats=FORMATS) as image:
        _refuse(path, image, size)
        return image.mode


def decode(
    path: Path, size: int, channels: int, keep: Callable[[Image.Image], None] | None = None
) -> UInt8[np.ndarray, "channels height width"]:
    """The pixels of an image, resized and cut to size x size; `channels` is 1 (for grey files) or 3.

    `keep` is given the image before it is cut: upright, grey or RGB.
    """
    with _named(path), Image.open(path, formats=FORMATS) as image:
        _refuse(path, image, size)
        upright = _convert(image, channels)
        if keep is not None:
            keep(upright)
        pixels = np.asarray(_centre(upright, size))
    return pixels.reshape(size, size, channels).transpose(2, 0, 1)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Whatever a codec raises on a broken file becomes one line that names the file."""
    try:
        yield
    except BadInput:
        raise
    except Exception as error:  # hostile files make codecs raise nearly anything
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise BadInput(f"{str(path)!r} can't be read as an image ({reason}); repair or remove it") from error


def _refuse(path: Path, image: ImageFile.ImageFile, size: int) -> None:
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise BadInput(f"{str(path)!r} has {width} x {height} pixels; at most {MOST_PIXELS:,} are decoded: shrink or remove it")
    if size * size * max(width, height) // min(width, height) > MOST_PIXELS:
        raise BadInput(f"{str(path)!r} is {width} x {height}, too narrow to be cut to a square of {size}; crop or remove it")
    if image.mode not in GREY_MODES | COLOUR_MODES or _deep(image):
        kind = f"{image.mode} with more than 8 bits a channel" if _deep(image) else image.mode
        raise BadInput(
            f"{str(path)!r} has pixels of kind {kind}; 8-bit grey, RGB, palette and CMYK are read: convert it yourself"
        )
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise BadInput(f"{str(path)!r} holds several pictures; one per file is read: split or remove it")


def _deep(image: ImageFile.ImageFile) -> bool:
    """More than 8 bits a channel. Pillow would cut 16-bit RGB down to 8 in silence; its decoder's arguments give it away."""
    if image.mode.startswith(("I", "F")):
        return True
    for tile in image.tile:
        if ";16" in str(tile[3]) or (image.format == "PPM" and isinstance(tile[3], tuple) and tile[3][-1] > 255):
            return True
    return False


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
