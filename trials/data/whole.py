"""Images as they are, each of its own size, for who crops them himself: flat bytes, where each begins, how large each is.

Beside a split's centre crops (`SPLIT_images.npy`) stand, where images differ in size or are not square:

| file | what |
|---|---|
| `SPLIT_pixels.npy` | uint8 (bytes,): each image's levels (height, width, channels), or its JPEG file |
| `SPLIT_offsets.npy` | int64 (images + 1,): image k is the bytes from offset k to offset k + 1 |
| `SPLIT_sizes.npy` | int32 (images, 3): height, width, and 1 where the bytes are a JPEG file, else 0 |

Nothing is squashed or cut: the aspect ratio is the file's to a pixel. An image whose shorter side is longer than `kept_side` was
shrunk to that; a JPEG file is decoded when it is asked for, at the largest of its own scales (1, 1/2, 1/4, 1/8) that is not
smaller than that. Refuses files that are not whole, and JPEG files where another decoder than the preparing one would read them.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageFile, ImageOps, features

from searchspaces.errors import BadInput

if TYPE_CHECKING:
    from jaxtyping import UInt8

KEPT_SCALE = 1.25
"""The shorter side that is kept, of --image-size: the bytes grow with its square, and a window of 64 % of an image (the middle of
what torchvision's usual crop draws is 54 %) is not enlarged."""
PIXELS, JPEG = "pixels", "jpeg"
FILES = ("pixels", "offsets", "sizes")


def kept_side(size: int) -> int:
    """The longest shorter side that is kept of images for crops of size x size, in pixels."""
    return math.ceil(KEPT_SCALE * size)


def decoder() -> str:
    """What decodes JPEG files here: other versions may round other levels."""
    kind = "libjpeg_turbo" if features.check_feature("libjpeg_turbo") else "jpg"
    return f"{kind} {features.version(kind)}"


def drafted(image: ImageFile.ImageFile, channels: int, side: int) -> None:
    """Have a JPEG file decoded at its smallest own scale whose shorter side is not below `side`; to be called before it loads."""
    short = min(image.size)
    if short >= 2 * side:
        image.draft("L" if channels == 1 else "RGB", (-(-image.width * side // short), -(-image.height * side // short)))


def opened_jpeg(content: bytes, channels: int, side: int) -> Image.Image:
    """A JPEG file's picture: drafted, upright, grey or RGB."""
    with Image.open(io.BytesIO(content), formats=("JPEG",)) as image:
        drafted(image, channels, side)
        return ImageOps.exif_transpose(image).convert("L" if channels == 1 else "RGB")


@dataclass(frozen=True)
class WholeArrays:
    """One split's three arrays, as the table above says; `pixels` is a memory map."""

    pixels: np.ndarray
    offsets: np.ndarray
    sizes: np.ndarray

    def content(self, row: int) -> np.ndarray:
        """The bytes of one image."""
        return np.asarray(self.pixels[int(self.offsets[row]) : int(self.offsets[row + 1])])

    def fingerprint(self, form: Mapping[str, Any]) -> str:
        """SHA-256, in hex, of how they are kept, of sizes, offsets and bytes."""
        digest = hashlib.sha256(json.dumps(form, sort_keys=True).encode())
        digest.update(np.ascontiguousarray(self.sizes, "<i4").data)
        digest.update(np.ascontiguousarray(self.offsets, "<i8").data)
        for start in range(0, len(self.pixels), 1 << 24):
            digest.update(np.ascontiguousarray(self.pixels[start : start + (1 << 24)]).data)
        return digest.hexdigest()


class WholeImages:
    """Image k is row `rows[k]` of `parts` put end to end, of which none is copied before it is asked for."""

    def __init__(self, parts: Sequence[WholeArrays], form: Mapping[str, Any], rows: np.ndarray | None = None) -> None:
        self._parts, self.form = tuple(parts), form
        self._starts = np.cumsum([0, *(len(part.sizes) for part in parts)])
        self._rows = np.arange(self._starts[-1]) if rows is None else rows
        self.sides = np.concatenate([part.sizes[:, :2] for part in parts])[self._rows].astype(np.int64)
        """Height and width of each image, int64 (images, 2)."""

    def __len__(self) -> int:
        return len(self._rows)

    def image(self, number: int) -> UInt8[np.ndarray, "height width channels"]:
        """The levels of one image: the stored ones, or those of its JPEG file. `BadInput` where that is damaged."""
        row = int(self._rows[number])
        which = int(np.searchsorted(self._starts, row, side="right")) - 1
        part, place = self._parts[which], row - int(self._starts[which])
        height, width, coded = part.sizes[place].tolist()
        content = part.content(place)
        levels = self._decoded(content.tobytes()) if coded else content
        return levels.reshape(height, width, self.form["channels"])

    def _decoded(self, content: bytes) -> np.ndarray:
        try:
            return np.asarray(opened_jpeg(content, self.form["channels"], self.form["short_side"]))
        except (OSError, SyntaxError, ValueError) as error:
            raise BadInput(
                f"prepared JPEG image: can't be decoded ({error}); delete the prepared data and search again"
            ) from error

    def fingerprint(self) -> str:
        """SHA-256, in hex, of how an opened split's images are kept, of their sizes and bytes."""
        (part,) = self._parts
        return part.fingerprint(self.form)

    @staticmethod
    def joined(images: Sequence[WholeImages], rows: np.ndarray) -> WholeImages:
        """Some images of several splits put end to end; each split as it was opened."""
        return WholeImages([part for some in images for part in some._parts], images[0].form, rows)


def open_whole(directory: Path, split: str, form: Mapping[str, Any]) -> WholeImages:
    """A split's images of a prepared directory whose meta.json has this `form`. `BadInput` if they are not whole."""
    if form["decoder"] not in (None, decoder()):
        raise BadInput(
            f"{str(directory)!r} holds JPEG files prepared with {form['decoder']}, and {decoder()} is here, which may decode "
            "other levels; install the same Pillow, or delete it and search again"
        )
    try:
        arrays = [np.load(path, mmap_mode="r", allow_pickle=False) for path in whole_paths(directory, split)]
    except (OSError, ValueError) as error:
        raise BadInput(f"{str(directory)!r} is not whole ({error}); delete it and search again") from error
    pixels, offsets, sizes = arrays[0], np.array(arrays[1]), np.array(arrays[2])
    if len(offsets) != len(sizes) + 1 or offsets[0] != 0 or offsets[-1] != len(pixels) or (np.diff(offsets) < 1).any():
        raise BadInput(f"{str(directory)!r}: offsets of {split} don't fit its images; delete it and search again")
    return WholeImages([WholeArrays(pixels, offsets, sizes)], form)


def whole_paths(directory: Path, split: str) -> tuple[Path, ...]:
    """The three files of a split."""
    return tuple(directory / f"{split}_{name}.npy" for name in FILES)
