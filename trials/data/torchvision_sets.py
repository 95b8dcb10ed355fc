"""Data sets of torchvision by name, `--data torchvision:NAME --data-root DIR`, where their files are on disk: none is downloaded.

Their own classes find the files and say the labels; what are image files is decoded by our own rules. CIFAR's pickles, and
MNIST's kin, are read by readers of our own (`cifar.py`, `idx.py`), and SVHN and STL10 are hashed by torchvision before they are
opened. The table lists all that are offered: each with splits to search on, and none that unpickles. Refuses other names, and
sets whose files are not there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from searchspaces.errors import BadInput
from trials.data.files import FilePool
from trials.data.folders import check_link
from trials.data.pools import ArrayPool, Domain, Material, Pools, array_pool, check_labels, data_name, file_identity
from trials.data.roles import Roles
from trials.data.tables import as_pools

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX = "torchvision:"
# Those that have readers of our own, by the names that these go by.
OURS = {"CIFAR10": "cifar10", "CIFAR100": "cifar100", "MNIST": "mnist", "FashionMNIST": "fashion-mnist", "KMNIST": "kmnist"}


@dataclass(frozen=True)
class Kind:
    """How a set is asked for: by role torchvision's word for the split (empty: the set has no splits, and is cut in three)."""

    splits: Mapping[str, str | bool]
    domain: Domain = "photos"
    argument: str = "split"
    arrays: tuple[str, ...] = ()  # its files below the root (patterns), where it is arrays
    folder: str = ""  # the folder below the root that its image files lie in, where it is such


TWO = {"train": "train", "test": "test"}
THREE = {"train": "train", "val": "val", "test": "test"}
SETS: Mapping[str, Kind] = {
    "SVHN": Kind(TWO, "digits", arrays=("train_32x32.mat", "test_32x32.mat")),
    "STL10": Kind(TWO, arrays=("stl10_binary/train_*.bin", "stl10_binary/test_*.bin", "stl10_binary/class_names.txt")),
    "USPS": Kind({"train": True, "test": False}, "digits", "train", arrays=("usps.bz2", "usps.t.bz2")),
    "Country211": Kind({**THREE, "val": "valid"}, folder="country211"),
    "DTD": Kind(THREE, folder="dtd"),
    "EuroSAT": Kind({}, folder="eurosat"),
    "FGVCAircraft": Kind(THREE, folder="fgvc-aircraft-2013b"),
    "Flowers102": Kind(THREE, folder="flowers-102"),
    "Food101": Kind(TWO, folder="food-101"),
    "Imagenette": Kind({"train": "train", "test": "val"}, folder="imagenette2"),
    "RenderedSST2": Kind(THREE, folder="rendered-sst2"),
    "StanfordCars": Kind(TWO, folder="stanford_cars"),
    "SUN397": Kind({}, folder="SUN397"),
}


def check_name(name: str) -> None:
    """`BadInput` for a set that is not offered."""
    if name not in SETS and name not in OURS:
        names = ", ".join(sorted({*SETS, *OURS}))
        raise BadInput(
            f"--data {PREFIX}{name}: offered are {names}; give another set as class folders, or as a table of its files"
        )


def understand_set(name: str, root: Path, size: int) -> Material:
    """One of `SETS` as material."""
    kind = SETS[name]
    if kind.folder:
        _check_links(root / kind.folder, root)
    roles = Roles("train", "val" if "val" in kind.splits else None, "test" if "test" in kind.splits else None)
    opened = {role: _opened(name, kind, root, word) for role, word in (kind.splits or {"train": ""}).items()}
    if kind.arrays:
        files = sorted(path for pattern in kind.arrays for path in root.glob(pattern))
        identity: dict[str, Any] = {"set": name, "files": file_identity(files)}
        read: Callable[[str], FilePool | ArrayPool] = lambda role: _array_pool(name, role, opened[role])  # noqa: E731
    else:
        # SUN397 is listed in the order of the disk, and what is cut by a seed must not hang on that; EuroSAT is in order already.
        listed = {role: _listed(opened[role]) if kind.splits else sorted(_listed(opened[role])) for role in opened}
        paths = {role: file_identity(path for path, _ in found) for role, found in listed.items()}
        identity = {"set": name, "size": size, "files": paths, "labels": {role: [k for _, k in listed[role]] for role in listed}}
        read = lambda role: _file_pool(name, role, listed[role], root, size)  # noqa: E731

    def load() -> Pools:
        pools = {role: read(role) for role in opened}
        others = tuple(pool for role, pool in pools.items() if role != "train")
        return as_pools(check_labels(pools["train"], others, _classes(opened["train"])), pools, roles)

    return Material(data_name(name), kind.domain, str(root.resolve()), identity, True, load, f"torchvision's {name}")


def _check_links(folder: Path, root: Path) -> None:
    """Links may not lead out of the root, nor to folders: torchvision would follow them anywhere, in circles too."""
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            check_link(os.path.join(place, name), root)


def _opened(name: str, kind: Kind, root: Path, word: str | bool) -> Any:
    """The library's own object, its loader replaced by one that hands on the path."""
    from torchvision import datasets

    wishes: dict[str, Any] = {kind.argument: word} if kind.splits else {}
    wishes |= {} if kind.arrays else {"loader": str}
    try:
        return getattr(datasets, name)(root=str(root), download=False, **wishes)
    except ModuleNotFoundError as error:
        raise BadInput(f"{PREFIX}{name} needs {error.name}; pip install {error.name}") from error
    except Exception as error:  # missing and damaged files make it raise nearly anything
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise BadInput(
            f"{PREFIX}{name}: it is not in {str(root)!r}, or not whole ({reason}); point --data-root at the folder that "
            "torchvision downloaded it to"
        ) from error


def _array_pool(name: str, role: str, opened: Any) -> ArrayPool:
    images, labels = np.asarray(opened.data), np.asarray(opened.labels if hasattr(opened, "labels") else opened.targets)
    last = images.transpose(0, 2, 3, 1) if images.ndim == 4 else images
    return array_pool(f"{name} ({role})", last, labels.astype(np.int64))


def _listed(opened: Any) -> list[tuple[Path, int]]:
    """Path and label of each image."""
    found = []
    for index in range(len(opened)):
        path, label = opened[index]
        found.append((Path(path), int(label)))
    return found


def _file_pool(name: str, role: str, listed: list[tuple[Path, int]], root: Path, size: int) -> FilePool:
    labels = np.array([label for _, label in listed], dtype=np.int64)
    inner = tuple(path.relative_to(root).as_posix() for path, _ in listed)
    return FilePool(f"{name} ({role})", tuple(path for path, _ in listed), labels, size, root, inner)


def _classes(opened: Any) -> tuple[str, ...] | None:
    names = getattr(opened, "classes", None)  # Imagenette has several for each
    return None if names is None else tuple(name if isinstance(name, str) else str(name[0]) for name in names)
