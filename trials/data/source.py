"""What the user said the data is, and which reader understands it.

`understand` looks at names, sizes and dates; pixels are read when a prepared copy must be made. Refuses what no reader knows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from searchspaces.errors import BadInput
from trials.data import cifar, idx, npz
from trials.data.folders import understand_folder
from trials.data.pools import ArrayPool, Domain, Material, Pools, check_labels, data_name, file_identity

SAMPLE = Path(__file__).parent / "sample" / "fashion-mnist-sample.npz"
NAMED = ("sample", "cifar10", "fashion-mnist", "mnist")
IMAGE_SIZES = (8, 1024)


@dataclass(frozen=True)
class Source:
    """The wishes about data. `data`: a folder, FILE.npz, or one of `NAMED` (a folder of that name is meant by "./cifar10").

    `data_root` holds a named set's files; `image_size` (pixels a side) is for folders; `train_images`/`val_images`: a stratified
    part of so many, None for all; `val_folder`: the folder that is validation. `seed` (>= 0) decides the splits. `groups` says
    which images belong together (a rule of `groups.py`; None: there is none), `duplicates` what is done with copies across splits
    (one of `leaks.CURES`).
    """

    data: str
    data_root: str | None = None
    image_size: int = 64
    train_images: int | None = None
    val_images: int | None = None
    val_folder: str | None = None
    seed: int = 0
    groups: str | None = None
    duplicates: str = "drop-exact"

    def __post_init__(self) -> None:
        if not self.data.strip():
            raise BadInput(f"--data is empty; give a folder, a .npz file, or one of {', '.join(NAMED)}")
        low, high = IMAGE_SIZES
        if not low <= self.image_size <= high:
            raise BadInput(f"--image-size {self.image_size} is out of range; {low} to {high} pixels are allowed")
        if self.seed < 0:
            raise BadInput(f"--seed {self.seed} is negative; use 0 or more")


def understand(source: Source) -> Material:
    """Where the images are and what keys their prepared copy; `BadInput` names what is missing."""
    try:
        return _understood(source)
    except (OSError, RuntimeError) as error:  # RuntimeError: "~name/" of a user that there is not
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise BadInput(f"--data {source.data!r} can't be looked at ({reason}); check the path and its permissions") from error


def _understood(source: Source) -> Material:
    named = source.data in NAMED
    path = Path(source.data).expanduser()
    if source.data_root is not None and source.data not in NAMED[1:]:
        raise BadInput(
            f"--data-root {source.data_root!r} is for {', '.join(NAMED[1:])}; leave it out with --data {source.data!r}"
        )
    if source.val_folder is not None and (named or not path.is_dir()):
        raise BadInput(f"--val-folder {source.val_folder!r} is for folders of images; {source.data!r} brings its own splits")
    if named:
        return _named(source)
    if path.is_dir():
        return understand_folder(path, source.image_size, source.val_folder)
    if path.is_file():
        return _npz(path)
    raise BadInput(f"--data {source.data!r} is neither a folder, nor a .npz file, nor one of {', '.join(NAMED)}; check the path")


def _named(source: Source) -> Material:
    if source.data == "sample":
        identity = {"sample": hashlib.sha256(SAMPLE.read_bytes()).hexdigest()}  # its path and date differ between installations
        classes = idx.CLASSES["fashion-mnist"]
        return Material(
            "sample", "photos", "the shipped sample of Fashion-MNIST", identity, True, lambda: _npz_pools(SAMPLE, classes)
        )
    if source.data_root is None:
        raise BadInput(f"--data {source.data} needs --data-root DIR: the folder that torchvision downloaded it to")
    root = Path(source.data_root).expanduser()
    if not root.is_dir():
        raise BadInput(f"--data-root {source.data_root!r} is not a folder; point it at the one that torchvision downloaded to")
    if source.data == "cifar10":
        batches = cifar.cifar_files(root)
        return _arrays(source.data, "photos", cifar.CLASSES, root, batches, cifar.read_cifar_pool)
    files = idx.idx_files(source.data, root)
    domain: Domain = "digits" if source.data == "mnist" else "photos"
    return _arrays(source.data, domain, idx.CLASSES[source.data], root, files, lambda pair: idx.read_idx_pool(*pair))


def _arrays(
    name: str, domain: Domain, classes: tuple[str, ...], root: Path, files: dict[str, Any], read: Callable[[Any], ArrayPool]
) -> Material:
    """A named set with a training and a test part, each a tuple of files."""

    def load() -> Pools:
        train, test = read(files["train"]), read(files["test"])
        _check_one_shape(train, test)
        return Pools(check_labels(train, (test,), classes), train, None, test)

    identity = {"files": file_identity(path for split in files.values() for path in split)}
    return Material(name, domain, str(root.resolve()), identity, True, load)


def _npz(path: Path) -> Material:
    if path.suffix.lower() != ".npz":
        raise BadInput(
            f"--data {str(path)!r}: of files only .npz is read (numpy.savez with MedMNIST's keys); folders of images are read too"
        )
    return Material(
        data_name(path.stem),
        "photos",
        str(path.resolve()),
        {"files": file_identity([path])},
        True,
        lambda: _npz_pools(path, None),
    )


def _npz_pools(path: Path, classes: tuple[str, ...] | None) -> Pools:
    pools = npz.read_npz_pools(path)
    train, val, test = (pools[split] for split in npz.SPLITS)
    _check_one_shape(train, val, test)
    return Pools(check_labels(train, (val, test), classes), train, val, test)


def _check_one_shape(train: ArrayPool, *others: ArrayPool) -> None:
    for pool in others:
        if pool.images.shape[1:] != train.images.shape[1:]:
            raise BadInput(
                f"{pool.where}: images are {pool.images.shape[1:]} (channels, height, width), "
                f"but train has {train.images.shape[1:]}; all splits must agree"
            )
