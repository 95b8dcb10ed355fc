"""What a source was understood to be: labelled images that can be asked for by row, before any of them is chosen or decoded.

Readers make `Material`; `splits` chooses rows; `prepared` stores them. Refuses arrays that are not images of one size, of 8 bits
or of 16 with a window, and labels that are not the whole numbers 0 to K-1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from searchspaces.errors import BadInput
from trials.data.levels import Levels, needless_window, no_window

if TYPE_CHECKING:
    from searchspaces.arrays import Images, Labels

Domain = Literal["photos", "digits"]
MOST_CHANNELS = 64
ImageShape = tuple[int, int, int]
Rows = np.ndarray[tuple[int], np.dtype[np.int64]]


class Pool(Protocol):
    """Labelled images in a fixed order. `where` names them in messages."""

    @property
    def where(self) -> str:
        """The file or folder they come from."""
        ...

    @property
    def labels(self) -> Labels:
        """Class numbers from 0, one per image."""
        ...

    @property
    def groups(self) -> np.ndarray | None:
        """What each image belongs to, where the source says so itself."""
        ...

    @property
    def inner_paths(self) -> Sequence[str] | None:
        """Each image's path below its class folder, with slashes; None where images are no files."""
        ...

    def name(self, row: int) -> str:
        """One image, for a person to find it again."""
        ...

    def shape(self, rows: Rows) -> ImageShape:
        """(channels, height, width) that these rows need, found without decoding them."""
        ...

    def read(self, rows: Rows, out: Images, tick: Callable[[int], None]) -> None:
        """Write these rows' pixels to `out` (rows, channels, height, width), calling `tick(images)` as they are done."""
        ...

    def notes(self) -> tuple[str, ...]:
        """What a user should know about the images looked at so far, a line each."""
        ...


@dataclass(frozen=True)
class Pools:
    """The images of a source by role. `val` None: to be split from train. `test` None: there is none, or it is cut from train.

    `notes` may be shown to a search; `heldout_notes` speak of the test set and are kept with it.
    """

    classes: tuple[str, ...]
    train: Pool
    val: Pool | None
    test: Pool | None
    cut_test: bool = False
    notes: tuple[str, ...] = ()
    heldout_notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Material:
    """A source before its pixels are read. `identity` (JSON values) keys the prepared copy; `origin` says where it came from.

    `reader` says in words what it was taken for.
    """

    name: str
    domain: Domain
    origin: str
    identity: Mapping[str, Any]
    has_test: bool
    load: Callable[[], Pools]
    reader: str = "arrays"


@dataclass(frozen=True)
class ArrayPool:
    """Images that came as one uint8 array (images, channels, height, width), in any memory order."""

    where: str
    images: Images
    labels: Labels
    groups: np.ndarray | None = None
    inner_paths: Sequence[str] | None = None
    said: tuple[str, ...] = ()

    def name(self, row: int) -> str:
        """Its number, from 0."""
        return f"image {row}"

    def shape(self, rows: Rows) -> ImageShape:
        """The array's own: arrays are never resized."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def read(self, rows: Rows, out: Images, tick: Callable[[int], None]) -> None:
        """Copy the rows in blocks."""
        for start in range(0, len(rows), 4096):
            block = rows[start : start + 4096]
            out[start : start + len(block)] = self.images[block]
            tick(len(block))

    def notes(self) -> tuple[str, ...]:
        """Their size, which --image-size does not change, and what became of 16 bits."""
        size = f"images keep their own size, {self.images.shape[2]} x {self.images.shape[3]} (--image-size is for folders)"
        return (size, *self.said)


def array_pool(
    where: str, images: np.ndarray, labels: np.ndarray, groups: np.ndarray | None = None, levels: Levels | None = None
) -> ArrayPool:
    """A pool from (n, h, w) or (n, h, w, c) images, uint8, or uint16 with `levels`, and (n,) or (n, 1) whole labels.

    `BadInput` for others. c is 1 to `MOST_CHANNELS`. `groups` are (n,) or (n, 1) whole numbers or texts. The labels' range is
    checked by `check_labels`, which needs the class count.
    """
    if images.ndim == 3:
        images = images[..., np.newaxis]
    _check_shape(where, images)
    eight_bits, said = _eight_bits(where, images, levels)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise BadInput(f"{where}: labels of shape {labels.shape}; one class per image is read, of shape (n,) or (n, 1)")
    if labels.dtype.kind not in "iu":
        raise BadInput(f"{where}: labels are {labels.dtype}; they must be whole numbers (an integer dtype) from 0 up")
    if len(labels) != len(images):
        raise BadInput(f"{where}: {len(images)} images but {len(labels)} labels; there must be one label per image")
    named = _checked_groups(where, len(images), groups)
    return ArrayPool(where, eight_bits.transpose(0, 3, 1, 2), labels.astype(np.int64), named, said=said)


def _check_shape(where: str, images: np.ndarray) -> None:
    if images.dtype not in (np.uint8, np.uint16):
        raise BadInput(
            f"{where}: images are {images.dtype}, and only uint8 (0 to 255) and uint16 are read; "
            "convert them by a rule of your own"
        )
    if images.ndim != 4 or 0 in images.shape or images.shape[3] > MOST_CHANNELS:
        first = images.ndim == 4 and images.shape[1] <= MOST_CHANNELS < images.shape[3]
        cure = ": put the channels last" if first else ""
        raise BadInput(
            f"{where}: images of shape {images.shape}; allowed are (n, height, width) grey, (n, height, width, 3) RGB and "
            f"(n, height, width, channels), at most {MOST_CHANNELS} channels{cure}"
        )


def _eight_bits(where: str, images: np.ndarray, levels: Levels | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """The images as uint8, and what is to be said of it."""
    if images.dtype == np.uint8:
        if levels is not None:
            raise needless_window(where, levels)
        return images, ()
    if levels is None:
        raise no_window(where, int(images.min()), int(images.max()))
    said = f"16 bits become 8: level {levels.low} is black, {levels.high} white (--levels)"
    return levels.to_bytes(images), (said,)


def _checked_groups(where: str, images: int, groups: np.ndarray | None) -> np.ndarray | None:
    if groups is None:
        return None
    if groups.shape not in ((images,), (images, 1)) or groups.dtype.kind not in "iuUS":
        raise BadInput(
            f"{where}: groups are {groups.dtype} of shape {groups.shape}; allowed is a whole number or a text for each of the "
            f"{images} images"
        )
    return groups.reshape(images)


def class_names(where: str, names: np.ndarray) -> tuple[str, ...]:
    """The classes' names from an array of texts; `BadInput` for what is none, empty, or there twice."""
    if names.ndim != 1 or names.dtype.kind != "U":
        raise BadInput(f"{where}: classes are {names.dtype} of shape {names.shape}; allowed is one text for each class")
    told = tuple(str(name) for name in names)
    wrong = next((name for place, name in enumerate(told) if not name.strip() or name in told[:place]), None)
    if wrong is not None:
        raise BadInput(f"{where}: class name {wrong!r} is empty or there twice; give each class a name of its own")
    return told


def check_labels(train: Pool, others: tuple[Pool, ...], classes: tuple[str, ...] | None) -> tuple[str, ...]:
    """The class names: `classes`, else "0" to "K-1" with K from train.

    `BadInput` for a label out of range and for a class that a part lacks.
    """
    found = np.unique(train.labels[train.labels >= 0])
    names = tuple(str(label) for label in range(len(found))) if classes is None else classes
    _need_two(names, train)
    for pool in (train, *others):
        _check_range(pool, len(names))
    check_classes(names, train, others)
    return names


def _check_range(pool: Pool, count: int) -> None:
    wrong = np.flatnonzero((pool.labels < 0) | (pool.labels >= count))
    if len(wrong):
        raise BadInput(
            f"{pool.where}: label {pool.labels[wrong[0]]} of image {wrong[0]} is out of range ({len(wrong)} such); "
            f"train has {count} classes, so labels must be 0 to {count - 1} without gaps: renumber them"
        )


def check_classes(classes: tuple[str, ...], train: Pool, others: tuple[Pool, ...]) -> None:
    """`BadInput` unless there are two classes or more and each is present in every pool."""
    _need_two(classes, train)
    for pool in (train, *others):
        missing = np.setdiff1d(np.arange(len(classes)), pool.labels)
        if len(missing):
            name = classes[missing[0]]
            raise BadInput(
                f"{pool.where}: no image of class {name!r}; each class of train must be in every split: add some or drop it"
            )


def _need_two(classes: tuple[str, ...], train: Pool) -> None:
    if len(classes) < 2:
        found = f"only one class ({classes[0]!r})" if classes else "no class (labels must be whole numbers from 0 up)"
        raise BadInput(f"{train.where}: {found}; a search needs at least 2 classes, so add another")


def file_identity(paths: Iterable[Path]) -> list[list[Any]]:
    """What tells a changed file from an unchanged one: absolute path, bytes, modification time in ns."""
    try:
        return [[str(path.absolute()), (facts := path.stat()).st_size, facts.st_mtime_ns] for path in paths]
    except OSError as error:
        raise BadInput(
            f"{error.filename!r} can't be read ({error.strerror}); check that it is still there, and its permissions"
        ) from error


def data_name(raw: str) -> str:
    """A name fit for a folder, an experiment and a study: lower case letters, digits, `.`, `_`, `-`, at most 40."""
    return re.sub(r"[^a-z0-9._-]+", "-", raw.lower()).strip("-.")[:40] or "data"
