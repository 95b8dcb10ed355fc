"""CIFAR-10's and CIFAR-100's python batches. They are pickles, so: first the md5 of the bytes, then an unpickler that knows numpy
arrays alone.

Refuses any file that is not, byte for byte, the published one.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from searchspaces.errors import BadInput
from trials.data.pools import ArrayPool

FOLDER = "cifar-10-batches-py"
# As torchvision.datasets.CIFAR10 has them.
MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
FOLDER_100 = "cifar-100-python"
# As torchvision.datasets.CIFAR100 has them.
MD5_100 = {
    "train": "16019d7e3df5f24257cddd939b257f8d",
    "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    "meta": "7973b15100ade9c7d40fb424638fde48",
}
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_RECONSTRUCT = np.empty(0, dtype=np.uint8).__reduce__()[0]
_ADMITTED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _ArraysOnly(pickle.Unpickler):
    """Builds dicts, lists, strings, numbers and numpy arrays; another name in the pickle is an error, and nothing is imported."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"{module_name}.{global_name} is not admitted")
        return _ADMITTED[module_name, global_name]


def cifar_files(data_root: Path) -> dict[str, tuple[Path, ...]]:
    """CIFAR-10's batches per split under `data_root`, not yet opened."""
    folder = _folder_with(MD5, data_root / FOLDER, "cifar10", "cifar-10-python.tar.gz")
    return {
        "train": tuple(folder / name for name in MD5 if name.startswith("data_")),
        "test": (folder / "test_batch",),
    }


def cifar100_files(data_root: Path) -> dict[str, tuple[Path, ...]]:
    """CIFAR-100's batches per split under `data_root`, not yet opened; "meta" has the classes' names."""
    folder = _folder_with(MD5_100, data_root / FOLDER_100, "cifar100", "cifar-100-python.tar.gz")
    return {name: (folder / name,) for name in MD5_100}


def _folder_with(names: Iterable[str], folder: Path, data: str, archive: str) -> Path:
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise BadInput(
            f"{data}: {str(folder / missing[0])!r} does not exist; point --data-root at the folder that holds {folder.name}/ "
            f"({archive} unpacked, as torchvision does)"
        )
    return folder


def read_cifar_pool(paths: tuple[Path, ...]) -> ArrayPool:
    """The images of some batches, in order; `BadInput` before anything is unpickled if a file is not the published one."""
    batches = [read_batch(path) for path in paths]
    images = np.concatenate([images for images, _ in batches])
    return ArrayPool(str(paths[0].parent), images, np.concatenate([labels for _, labels in batches]))


def read_cifar100_classes(path: Path) -> tuple[str, ...]:
    """The hundred names in CIFAR-100's `meta`."""
    with _damaged(path):
        return tuple(name.decode("utf-8") for name in _unpickled(path)[b"fine_label_names"])


def read_batch(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(images uint8 (n, 3, 32, 32), labels int64 (n,)) of one batch file; of CIFAR-100 the fine labels."""
    with _damaged(path):
        batch = _unpickled(path)
        images = batch[b"data"].reshape(-1, 3, 32, 32)
        labels = np.array(batch[b"labels" if b"labels" in batch else b"fine_labels"], dtype=np.int64)
        return images, labels


@contextmanager
def _damaged(path: Path) -> Iterator[None]:
    try:
        yield
    except BadInput:
        raise
    except Exception as error:  # a pickle can make the unpickler raise nearly anything
        raise BadInput(f"{str(path)!r} does not hold a CIFAR batch ({error!r}); download it again") from error


def _unpickled(path: Path) -> Any:
    """What a published file holds. The bytes that were hashed are those that are read."""
    known = {**MD5, **MD5_100}
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{str(path)!r} can't be read ({error.strerror}); check its permissions") from error
    md5 = hashlib.md5(raw, usedforsecurity=False).hexdigest()
    if md5 != known[path.name]:
        raise BadInput(f"{str(path)!r} has md5 {md5}, not CIFAR's {known[path.name]}; it was not opened: download it again")
    return _ArraysOnly(io.BytesIO(raw), encoding="bytes").load()
