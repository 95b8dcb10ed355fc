"""MNIST's idx files, plain or gzipped, as torchvision lays them out (or directly in the folder, as Debian has them).

Reads unsigned bytes only. Refuses a wrong magic number, a length that its header does not announce, and impossible sizes.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from searchspaces.errors import BadInput
from trials.data.pools import ArrayPool, array_pool

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
FOLDERS = {"mnist": "MNIST/raw", "fashion-mnist": "FashionMNIST/raw", "kmnist": "KMNIST/raw"}
CLASSES = {
    "mnist": tuple(str(digit) for digit in range(10)),
    "kmnist": ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    "fashion-mnist": (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
}
MOST_BYTES = 1 << 30  # a header may lie; MNIST's largest file holds 47 MB


def idx_files(name: str, data_root: Path) -> dict[str, tuple[Path, Path]]:
    """(images, labels) per split for one of `FOLDERS`; `BadInput` if they are in neither place."""
    for folder in (data_root / FOLDERS[name], data_root):
        found = {split: tuple(_one_of(folder, file) for file in files) for split, files in FILES.items()}
        if all(path is not None for pair in found.values() for path in pair):
            return {split: (images, labels) for split, (images, labels) in found.items() if images and labels}
    raise BadInput(
        f"{name}: no {FILES['train'][0]}[.gz] and its like in {str(data_root)!r} or in {FOLDERS[name]}/ below it; "
        "point --data-root at the folder that torchvision downloaded to"
    )


def _one_of(folder: Path, file: str) -> Path | None:
    return next((path for path in (folder / file, folder / f"{file}.gz") if path.is_file()), None)


def read_idx_pool(images: Path, labels: Path) -> ArrayPool:
    """The images of one split with their labels."""
    return array_pool(str(images), read_idx(images, 3), read_idx(labels, 1))


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """The uint8 array in an idx file of so many dimensions (format: yann.lecun.com/exdb/mnist)."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            header = file.read(4 + 4 * dimensions)
            if header[:4] != bytes((0, 0, 8, dimensions)):
                raise BadInput(
                    f"{str(path)!r} is not an idx file of unsigned bytes in {dimensions} dimension(s); download it again"
                )
            shape = tuple(int(n) for n in np.frombuffer(header[4:], dtype=">u4"))
            count = math.prod(shape)
            body = file.read(count + 1) if count <= MOST_BYTES else b""
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise BadInput(f"{str(path)!r} can't be read ({error}); download it again") from error
    if len(shape) != dimensions or len(body) != count:
        raise BadInput(f"{str(path)!r} announces {shape} bytes, which it does not hold; it is damaged: download it again")
    return np.frombuffer(body, dtype=np.uint8).reshape(shape)
