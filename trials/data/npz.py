"""A .npz file with MedMNIST's keys: {train,val,test}_images and {train,val,test}_labels.

There may be {train,val,test}_groups, and `classes`: the classes' names, texts in the labels' order.

Refuses pickled objects, missing keys, and arrays beyond the size limit, before they are unpacked.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from searchspaces.errors import BadInput
from trials.data.levels import Levels
from trials.data.pools import ArrayPool, array_pool, class_names

SPLITS = ("train", "val", "test")
GROUPS = tuple(f"{split}_groups" for split in SPLITS)
CLASSES = "classes"
KEYS = tuple(f"{split}_{what}" for split in SPLITS for what in ("images", "labels"))
MOST_BYTES = 16 << 30  # MedMNIST's largest array (236,386 images of 224 x 224) has 12 GB


def read_npz_pools(path: Path, levels: Levels | None = None) -> tuple[dict[str, ArrayPool], tuple[str, ...] | None]:
    """A pool per split, and the classes' names, if the file has them."""
    more = _check_keys(path)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            loaded = {key: arrays[key] for key in (*KEYS, *more)}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error, MemoryError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(
            f"{str(path)!r} can't be read ({reason}); write it again with numpy.savez, arrays of numbers only"
        ) from error
    names = class_names(str(path), loaded[CLASSES]) if CLASSES in loaded else None
    pools = {}
    for split in SPLITS:
        images, labels, groups = (loaded.pop(f"{split}_{what}", None) for what in ("images", "labels", "groups"))
        assert images is not None and labels is not None  # _check_keys
        pools[split] = array_pool(f"{path} ({split})", images, labels, groups, levels)
    return pools, names


def _check_keys(path: Path) -> tuple[str, ...]:
    """The keys beside the necessary ones, if there are any."""
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
    more = tuple(key for key in (*GROUPS, CLASSES) if key in sizes)
    largest = max((*KEYS, *more), key=lambda key: sizes[key])
    if sizes[largest] > MOST_BYTES:
        raise BadInput(
            f"{str(path)!r}: {largest} unpacks to {sizes[largest]} bytes; at most {MOST_BYTES} are read: use a smaller set"
        )
    return more
