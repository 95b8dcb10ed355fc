"""What a cluster without a shared disk gets from the driver's node: the prepared training images in parts; and weights back.

The depot serves the files of one prepared directory and no others, so that test images are out of its reach, and takes weights
files into one folder. A node keeps its copy, made once under a lock and checked against the fingerprint, in a directory of its
own.
"""

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from searchspaces.errors import BadInput
from searchspaces.whole_files import sync
from trials.data.store import (
    META,
    Draft,
    array_files,
    data_fingerprint,
    fingerprint,
    only_maker,
    open_groups,
    open_split,
    read_meta,
)

NODE_DIRECTORY = "POLICYSEARCH_NODE_DIR"
PART_BYTES = 8 * 1024**2


class Parts(Protocol):
    """Where the files of a prepared training directory come from."""

    def sizes(self) -> Mapping[str, int] | None:
        """Bytes of each file; None where there is no such directory."""

    def part(self, name: str, offset: int) -> bytes:
        """At most `PART_BYTES` of a file from there."""


class Depot:
    """On the driver's node: gives out one prepared training directory in parts, takes weights files in."""

    def __init__(self, data_directory: str | None, weights_directory: str | None) -> None:
        self._data = None if data_directory is None else Path(data_directory)
        self._weights = None if weights_directory is None else Path(weights_directory)

    def sizes(self) -> Mapping[str, int] | None:
        """As `Parts.sizes` says."""
        return {name: (self._data / name).stat().st_size for name in self._served} if self._data and self._served else None

    @cached_property
    def _served(self) -> tuple[str, ...]:
        if self._data is None or not (self._data / META).is_file():
            return ()
        return (META, *served_arrays(read_meta(self._data)))

    def part(self, name: str, offset: int) -> bytes:
        """As `Parts.part` says. ValueError for files that it doesn't serve."""
        if self._data is None or name not in self._served:
            raise ValueError(f"{name!r} is not served here")
        with (self._data / name).open("rb") as file:
            file.seek(offset)
            return file.read(PART_BYTES)

    def take_weights(self, name: str, part: bytes, offset: int, sha256: str | None) -> None:
        """Write a part of a weights file; with `sha256` it was the last, and the file gets its name if it is whole."""
        if self._weights is None or Path(name).name != name or name.startswith("."):
            raise ValueError(f"{name!r} is no name of a weights file")
        self._weights.mkdir(parents=True, exist_ok=True)
        arriving = self._weights / f".{name}.arriving"
        with arriving.open("wb" if offset == 0 else "r+b") as file:
            file.seek(offset)
            file.write(part)
        if sha256 is None:
            return
        if hashlib.sha256(arriving.read_bytes()).hexdigest() != sha256:
            arriving.unlink()
            raise ValueError(f"{name}: not what was sent")
        sync(arriving)
        os.replace(arriving, self._weights / name)
        sync(self._weights)


def send_weights(file: Path, name: str, take: Callable[[str, bytes, int, str | None], None]) -> None:
    """Give a weights file to `Depot.take_weights`, part by part."""
    content = file.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    for offset in range(0, max(1, len(content)), PART_BYTES):
        is_last = offset + PART_BYTES >= len(content)
        take(name, content[offset : offset + PART_BYTES], offset, sha256 if is_last else None)


def served_arrays(meta: Mapping[str, Any]) -> tuple[str, ...]:
    """The files beside meta.json that a prepared training directory has; of a directory of test images there are none."""
    return tuple(name for name in array_files(meta) if not name.startswith("test_"))


def holds(directory: Path, wanted: str) -> bool:
    """Whether the directory is prepared data of that fingerprint."""
    try:
        return data_fingerprint(read_meta(directory)) == wanted
    except (BadInput, KeyError):
        return False


def node_directory() -> Path:
    """This node's own directory, made if need be: $POLICYSEARCH_NODE_DIR, else a folder for this account in the one for temporary
    files. BadInput where it can't be had.
    """
    named = os.environ.get(NODE_DIRECTORY)
    path = Path(named) if named else Path(tempfile.gettempdir()) / f"policysearch-{os.geteuid()}"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat() if named is None else path.stat()
    except OSError as error:
        raise BadInput(f"{path}: can't be made ({error.strerror}); name another directory with ${NODE_DIRECTORY}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise BadInput(f"{path}: is not a directory of this account; name another with ${NODE_DIRECTORY}")
    return path


def copy_of(directory: str, wanted: str) -> Path:
    """Where this node's copy of a prepared directory belongs."""
    return node_directory() / "data" / f"{Path(directory).name}-{wanted[:12]}"


@lru_cache(maxsize=4)
def placed(directory: str, wanted: str, parts: Parts | None) -> str:
    """The directory where this node has that prepared data: the named one, or its own copy, made now if need be.

    BadInput where it has neither and `parts` don't give it either.
    """
    if holds(Path(directory), wanted):
        return directory
    here = copy_of(directory, wanted)
    if not holds(here, wanted):
        with only_maker(here.parent):
            if not holds(here, wanted):
                _fetch(here, wanted, parts)
    return str(here)


def _fetch(here: Path, wanted: str, parts: Parts | None) -> None:
    sizes = None if parts is None else parts.sizes()
    if parts is None or sizes is None:
        raise BadInput(f"data {here.name}: it isn't here, and can't be had from the driver's node; put it on a shared disk")
    draft = Draft(here)
    try:
        _receive(draft.path / META, sizes, parts)
        meta = read_meta(draft.path)
        for name in served_arrays(meta):
            _receive(draft.path / name, sizes, parts)
        _require_whole(draft.path, meta, wanted)
        draft.finish(meta)
    except OSError as error:
        raise BadInput(
            f"data {here}: can't be written ({error.strerror}); name another directory with ${NODE_DIRECTORY}"
        ) from error


def _receive(path: Path, sizes: Mapping[str, int], parts: Parts) -> None:
    with path.open("wb") as file:
        for offset in range(0, sizes[path.name], PART_BYTES):
            file.write(parts.part(path.name, offset))


def _require_whole(directory: Path, meta: dict[str, Any], wanted: str) -> None:
    found = data_fingerprint(meta)
    try:
        open_groups(directory, meta)
    except BadInput:
        found = "damaged"
    for name in meta["counts"]:
        split = open_split(directory, name)
        if fingerprint(split.images, np.asarray(split.labels), split.whole) != meta["fingerprints"][name]:
            found = "damaged"
    if found != wanted:
        raise BadInput(f"data {directory.name}: what came is other data ({found[:12]}) than was planned for ({wanted[:12]})")
