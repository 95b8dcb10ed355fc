"""How large each image of a folder is, how it will be kept whole, and the keeping, while the folder's files are decoded.

Headers are read first, so that every image has its place before the first is decoded and threads can write at once. Keeps nothing
where all images are squares of one size: their centre crops are all of them. Refuses files that change meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from searchspaces.errors import BadInput
from trials.data.files import FilePool, threaded
from trials.data.images import content, opened
from trials.data.whole import JPEG, PIXELS, decoder, drafted, kept_side

if TYPE_CHECKING:
    from trials.data.images import File
    from trials.data.pools import Pool, Rows
    from trials.data.store import Draft, SplitName

MOST_PIXEL_BYTES = 8 << 30
"""Above this, JPEG files that are smaller than their levels are kept as they are: what a machine's memory doesn't hold is read
from the disk in every epoch, and files are a third of it."""
_TURNED = (5, 6, 7, 8)  # EXIF orientations that exchange height and width
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Measured:
    """An image: its sides in pixels as a person sees it, those of its levels when kept, and those of its JPEG file's draft."""

    sides: tuple[int, int]
    kept: tuple[int, int]
    jpeg: tuple[int, int] | None
    jpeg_bytes: int = 0


def measured(file: File, channels: int, size: int) -> Measured:
    """What the header of a file says. `BadInput` if it can't be read."""
    try:
        with opened(file) as image:
            turned = image.getexif().get(_ORIENTATION, 1) in _TURNED
            sides = (image.height, image.width)
            jpeg, jpeg_bytes = None, 0
            if image.format == "JPEG":
                drafted(image, channels, kept_side(size))
                jpeg, jpeg_bytes = (image.height, image.width), _length(file)
    except Exception as error:  # as in `images`: codecs raise nearly anything
        raise BadInput(f"{str(file)!r} can't be read as an image ({error}); repair or remove it") from error
    sides, jpeg = (sides[::-1], jpeg and jpeg[::-1]) if turned else (sides, jpeg)
    return Measured(sides, shrunk_sides(sides, kept_side(size)), jpeg, jpeg_bytes)


def shrunk_sides(sides: tuple[int, int], short: int) -> tuple[int, int]:
    """Height and width with the shorter one at most `short`, the longer one in proportion, rounded."""
    least = min(sides)
    if least <= short:
        return sides
    return tuple(max(1, round(side * short / least)) for side in sides)  # type: ignore[return-value]


class Keeper:
    """Room in a scratch file for the images of one pool's rows, each written by `keep` when it is decoded."""

    def __init__(self, images: Sequence[Measured], channels: int, as_jpeg: bool, path: Path) -> None:
        coded = np.array([as_jpeg and one.jpeg is not None and one.jpeg_bytes < _bytes(one, channels) for one in images])
        sides = [one.jpeg if is_coded else one.kept for one, is_coded in zip(images, coded, strict=True)]
        self.sizes = np.column_stack([np.array(sides), coded]).astype(np.int32)
        lengths = [one.jpeg_bytes if is_coded else _bytes(one, channels) for one, is_coded in zip(images, coded, strict=True)]
        self.offsets = np.cumsum([0, *lengths]).astype(np.int64)
        self._content = np.memmap(path, np.uint8, "w+", shape=(int(self.offsets[-1]),))

    def keep(self, number: int, file: File, image: Image.Image) -> None:
        """Write image `number`, decoded from `file`, upright; several threads may do so."""
        height, width, coded = self.sizes[number].tolist()
        if (height - width) * (image.height - image.width) < 0:  # some files tell their orientation after the pixels
            height, width = width, height
            self.sizes[number, :2] = height, width
        room = self._content[int(self.offsets[number]) : int(self.offsets[number + 1])]
        found = np.frombuffer(content(file), np.uint8) if coded else _levels(image, (width, height))
        if len(found) != len(room):
            raise BadInput(f"{str(file)!r} changed while it was read; search again")
        room[:] = found

    def save(self, draft: Draft, name: SplitName, rows: np.ndarray) -> None:
        """The images at some rows of this keeper as a split of the draft, in their order."""
        lengths = np.diff(self.offsets)[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        pixels = draft.create_whole(name, int(offsets[-1]), offsets, self.sizes[rows])
        for place, row in enumerate(rows.tolist()):
            pixels[offsets[place] : offsets[place + 1]] = self._content[self.offsets[row] : self.offsets[row + 1]]
        pixels.flush()


def _levels(image: Image.Image, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(image if image.size == size else image.resize(size, Image.Resampling.BILINEAR)).reshape(-1)


def _all_measured(pool: FilePool, rows: Rows, channels: int) -> list[Measured]:
    return list(threaded(lambda row: measured(pool.files[row], channels, pool.size), rows.tolist()))


def _length(file: File) -> int:
    return file.stat().st_size if isinstance(file, Path) else len(file.content)


def _bytes(one: Measured, channels: int) -> int:
    return one.kept[0] * one.kept[1] * channels


@dataclass(frozen=True)
class Keeping:
    """The keepers of the pools that are trained on, by role, and what meta.json says of how they keep."""

    keepers: Mapping[str, Keeper]
    form: Mapping[str, Any]


def keeping(
    pools: Mapping[str, Pool], rows: Mapping[str, Rows], channels: int, scratch: Path, most_pixel_bytes: int
) -> Keeping | None:
    """How the images of these pools are to be kept whole; None where they need not be: their centre crops are all of them."""
    files = {role: pool for role, pool in pools.items() if role != "test" and isinstance(pool, FilePool)}
    if not files or any(role != "test" and role not in files for role in pools):
        return None
    size = next(iter(files.values())).size
    found = {role: _all_measured(pool, rows[role], channels) for role, pool in files.items()}
    every = [one for some in found.values() for one in some]
    if len({one.sides for one in every}) == 1 and every[0].sides[0] == every[0].sides[1]:
        return None
    as_jpeg = sum(_bytes(one, channels) for one in every) > most_pixel_bytes
    form = {
        "form": JPEG if as_jpeg else PIXELS,
        "short_side": kept_side(size),
        "channels": channels,
        "decoder": decoder() if as_jpeg else None,
    }
    keepers = {role: Keeper(some, channels, as_jpeg, scratch / f"{role}.whole") for role, some in found.items()}
    return Keeping(keepers, form)
