"""A .npz file with MedMNIST's keys: {train,val,test}_images and {train,val,test}_labels; and {train,val,test}_groups, if wished.

Refuses pickled objects, missing keys, and arrays beyond the size limit, before they are unpacked.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from searchspaces.errors import BadInput
from trials.data.pools import ArrayPool, array_pool

SPLITS = ("train", "val", "test")
GROUPS = tuple(f"{split}_groups" for split in SPLITS)
KEYS = tuple(f"{split}_{what}" for split in SPLITS for what in ("images", "labels"))
MOST_BYTES = 16 << 30  # MedMNIST's largest array (236,386 images of 224 x 224) has 12 GB


def read_npz_pools(path: Path) -> dict[str, ArrayPool]:
    """A pool per split."""
    grouped = _check_keys(path)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            loaded = {key: arrays[key] for key in (*KEYS, *grouped)}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error, MemoryError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(
            f"{str(path)!r} can't be read ({reason}); write it again with numpy.savez, arrays of numbers only"
        ) from error
    return {
        split: array_pool(
            f"{path} ({split})", loaded[f"{split}_images"], loaded[f"{split}_labels"], loaded.get(f"{split}_groups")
        )
        for split in SPLITS
    }


def _check_keys(path: Path) -> tuple[str, ...]:
    """The names of the groups, if there are any."""
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {
                info.filename.removesuffix(".npy"): info.file_size
                for info in archive.infolist()
                if info.filename.endswith(".npy")
            }
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise BadInput(
            f"{str(path)!r} is not a .npz file ({error}); write one with numpy.savez and keys {', '.join(KEYS)}"
        ) from error
    missing = [key for key in KEYS if key not in sizes]
    if missing:
        found = ", ".join(sorted(sizes)[:12]) or "nothing"
        raise BadInput(f"{str(path)!r} lacks {missing[0]!r}; found {found}; needed are {', '.join(KEYS)}")
    grouped = tuple(key for key in GROUPS if key in sizes)
    largest = max((*KEYS, *grouped), key=lambda key: sizes[key])
    if sizes[largest] > MOST_BYTES:
        raise BadInput(
            f"{str(path)!r}: {largest} unpacks to {sizes[largest]} bytes; at most {MOST_BYTES} are read: use a smaller set"
        )
    return grouped
