"""Prepared arrays on disk: written whole or not at all, then only read.

A directory appears by one rename, after every byte is on disk; what a killed process leaves has another name and is swept by the
next. Arrays are uint8 (images, channels, height, width) and int64 (images,), write-protected, and opened as memory maps, so that
all trials of a machine share one copy. Refuses a directory that is not whole.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from searchspaces.errors import BadInput
from searchspaces.whole_files import sync
from trials.data.whole import WholeImages, open_whole, whole_paths

if TYPE_CHECKING:
    from searchspaces.arrays import Images, Labels

SplitName = Literal["train", "val", "select", "test"]
META = "meta.json"
GROUPS = "groups.npy"
_UNFINISHED = ".making-"


@dataclass(frozen=True)
class Split:
    """One split, read-only: `images` a memory map; `fingerprint` the SHA-256 of shape, pixels and labels, in order.

    `whole` are the same images before they were cut to one size, for who crops them himself; None where `images` are all of them,
    and for test images, which are only ever scored.
    """

    images: Images
    labels: Labels
    classes: tuple[str, ...]
    fingerprint: str
    whole: WholeImages | None = None


def open_split(directory: Path, name: SplitName) -> Split:
    """A split of a prepared directory. `BadInput` if it is not there, or not whole."""
    meta = read_meta(directory)
    images_path, labels_path = _array_paths(directory, name)
    try:
        images = np.load(images_path, mmap_mode="r", allow_pickle=False)
        labels = np.load(labels_path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise BadInput(f"{str(images_path)!r} can't be read ({error}); delete {str(directory)!r} and search again") from error
    whole = open_whole(directory, name, meta["whole"]) if is_kept_whole(meta, name) else None
    return Split(images, labels, tuple(meta["classes"]), meta["fingerprints"][name], whole)


def read_meta(directory: Path) -> dict[str, Any]:
    """A prepared directory's meta.json: name, domain, classes, counts, fingerprints, notes.

    `mean` and `std` (lists, per channel, of pixels / 255) are the training images', in the held-out directory too.
    """
    try:
        meta: dict[str, Any] = json.loads((directory / META).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{str(directory)!r} is not prepared data ({error}); delete it and search again") from error
    return meta


def is_kept_whole(meta: Mapping[str, Any], name: SplitName) -> bool:
    """Whether a split's images stand there before they were cut, too."""
    return meta.get("whole") is not None and name != "test"


def fingerprint(images: Images, labels: Labels, whole: WholeImages | None = None) -> str:
    """SHA-256, in hex, of the images' shape, their pixels and the labels as little-endian int64, in order.

    Of images that are kept whole (an opened split's own) how they are kept, their sizes and bytes are in it too.
    """
    digest = hashlib.sha256(json.dumps(list(images.shape)).encode())
    for start in range(0, len(images), 4096):
        digest.update(np.ascontiguousarray(images[start : start + 4096]).data)
    digest.update(np.ascontiguousarray(labels, dtype="<i8").data)
    if whole is not None:
        digest.update(whole.fingerprint().encode())
    return digest.hexdigest()


def data_fingerprint(meta: Mapping[str, Any]) -> str:
    """SHA-256, in hex, of what a search sees: classes, train, val, and select and groups where there are such, by what a training
    directory's meta.json says of them.
    """
    whole = [meta["classes"], meta["fingerprints"]["train"], meta["fingerprints"]["val"]]
    if "select" in meta["fingerprints"] or meta.get("groups_sha256") is not None:
        whole += [meta["fingerprints"].get("select"), meta.get("groups_sha256")]
    return hashlib.sha256(json.dumps(whole).encode()).hexdigest()


def open_groups(directory: Path, meta: Mapping[str, Any]) -> np.ndarray | None:
    """The group (a whole number) of each image of train, then of val; None where each image is a group of its own."""
    if meta.get("groups_sha256") is None:
        return None
    path = directory / GROUPS
    try:
        groups: np.ndarray = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise BadInput(f"{str(path)!r} can't be read ({error}); delete {str(directory)!r} and search again") from error
    if hashlib.sha256(groups.astype("<i8").tobytes()).hexdigest() != meta["groups_sha256"]:
        raise BadInput(f"{str(path)!r} is not what was prepared; delete {str(directory)!r} and search again")
    return groups


def array_files(meta: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of a training directory's arrays, as its meta.json says: what a worker needs, and no test image."""
    splits = [split for split in meta["counts"] if split != "test"]
    arrays = [path.name for split in splits for path in _array_paths(Path(), split)]
    arrays += [path.name for split in splits if is_kept_whole(meta, split) for path in whole_paths(Path(), split)]
    return (*arrays, *([GROUPS] if meta.get("groups_sha256") is not None else []))


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """A folder for what is needed while something is made; it is gone afterwards, or swept by the next maker."""
    path = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


class Draft:
    """A directory in the making. `create_images` gives a writable memory map; `finish` makes it appear under its final name."""

    def __init__(self, final: Path) -> None:
        self.final = final
        self.path = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=final.parent))

    def create_images(self, name: SplitName, shape: tuple[int, int, int, int]) -> np.memmap[Any, Any]:
        """Room for a split's images, to be filled in place."""
        return np.lib.format.open_memmap(_array_paths(self.path, name)[0], mode="w+", dtype=np.uint8, shape=shape)

    def create_whole(self, name: SplitName, size_bytes: int, offsets: np.ndarray, sizes: np.ndarray) -> np.memmap[Any, Any]:
        """Room for the bytes of a split's whole images, to be filled in place; where and how large they are is written."""
        pixels, *others = whole_paths(self.path, name)
        for path, array in zip(others, (offsets, sizes), strict=True):
            np.save(path, array, allow_pickle=False)
        return np.lib.format.open_memmap(pixels, mode="w+", dtype=np.uint8, shape=(size_bytes,))

    def save_labels(self, name: SplitName, labels: Labels) -> None:
        """The labels of a split, in its images' order."""
        np.save(_array_paths(self.path, name)[1], labels.astype(np.int64), allow_pickle=False)

    def save_groups(self, groups: np.ndarray) -> str:
        """The groups of train's images, then of val's; the SHA-256 of them, in hex."""
        np.save(self.path / GROUPS, groups.astype(np.int64), allow_pickle=False)
        return hashlib.sha256(groups.astype("<i8").tobytes()).hexdigest()

    def finish(self, meta: Mapping[str, Any]) -> None:
        """Write meta.json, get all of it onto the disk, protect it, rename. A directory that stood there is replaced."""
        (self.path / META).write_text(json.dumps(meta, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        for file in self.path.iterdir():
            file.chmod(0o444)
            sync(file)
        sync(self.path)
        if self.final.exists():
            self.final.rename(self.path.with_name(f"{self.path.name}-old"))  # swept below, or by the next draft
        self.path.rename(self.final)
        sync(self.final.parent)
        sweep(self.final.parent)


@contextmanager
def only_maker(directory: Path) -> Iterator[None]:
    """Hold the lock of a folder of prepared directories: of several processes one makes, the others wait. Leftovers are swept.

    The lock goes with the process, so whatever looks unfinished under it was left by a dead one.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        sweep(directory)
        try:
            yield
        finally:
            sweep(directory)


def unfinished_name(key: str) -> str:
    """A name under which what was prepared counts as unfinished, and is swept."""
    return f"{_UNFINISHED}{key}-old"


def sweep(directory: Path) -> None:
    """Remove what is unfinished. Only under the lock of `only_maker`."""
    for path in directory.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(path, ignore_errors=True)


def _array_paths(directory: Path, name: SplitName) -> tuple[Path, Path]:
    return directory / f"{name}_images.npy", directory / f"{name}_labels.npy"
