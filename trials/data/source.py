"""What the user said the data is, and which reader understands it.

`understand` looks at names, sizes and dates; pixels are read when a prepared copy must be made. Refuses what no reader knows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from searchspaces.errors import BadInput
from trials.data import cifar, functions, hugging, idx, npz, tables, torchvision_sets
from trials.data.files import without_bad
from trials.data.folders import understand_folder
from trials.data.levels import Levels
from trials.data.pools import ArrayPool, Domain, Material, Pools, check_labels, data_name, file_identity

SAMPLE = Path(__file__).parent / "sample" / "fashion-mnist-sample.npz"
NAMED = ("sample", "cifar10", "fashion-mnist", "mnist")
WHAT = "a folder, a .npz, .csv or .parquet file, torchvision:NAME, module:function, or one of " + ", ".join(NAMED)
IMAGE_SIZES = (8, 1024)


@dataclass(frozen=True)
class Source:
    """The wishes about data. `data`: one of `WHAT` (a folder called as a named set is meant by "./cifar10").

    `data_root` holds a named set's files, or is what a table's paths are relative to; `image_size` (pixels a side) is for image
    files; `train_images`/`val_images`: a stratified part of so many, None for all; `val_folder`: the folder, or split, that is
    validation. `seed` (>= 0) decides the splits. `groups` says which images belong together (a rule of `groups.py`; None: there
    is none), `duplicates` what is done with copies across splits (one of `leaks.CURES`). `columns` names a table's columns
    (`tables.py`), `levels` is the window of 16-bit images (`levels.py`), `skip_bad`: leave out up to 1 % of images that can't be
    read.
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
    columns: str | None = None
    levels: str | None = None
    skip_bad: bool = False

    def __post_init__(self) -> None:
        if not self.data.strip():
            raise BadInput(f"--data is empty; give {WHAT}")
        low, high = IMAGE_SIZES
        if not low <= self.image_size <= high:
            raise BadInput(f"--image-size {self.image_size} is out of range; {low} to {high} pixels are allowed")
        if self.seed < 0:
            raise BadInput(f"--seed {self.seed} is negative; use 0 or more")
        self.window  # noqa: B018  # refuses what is no window

    @property
    def window(self) -> Levels | None:
        """The window of 16-bit images."""
        return None if self.levels is None else Levels.parse(self.levels)


def understand(source: Source) -> Material:
    """Where the images are and what keys their prepared copy; `BadInput` names what is missing."""
    try:
        material = _understood(source)
    except (OSError, RuntimeError) as error:  # RuntimeError: "~name/" of a user that there is not
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise BadInput(f"--data {source.data!r} can't be looked at ({reason}); check the path and its permissions") from error
    wishes = {"levels": source.levels, "skip_bad": source.skip_bad}
    if source.levels is not None or source.skip_bad:  # without them a prepared copy has the key that it always had
        material = replace(material, identity={**material.identity, **wishes})
    if not source.skip_bad:
        return material
    load = material.load
    return replace(material, load=lambda: without_bad(load()))


def lasting_data(data: str) -> str:
    """What `--data` says, so that it means the same in another working directory: a path made absolute."""
    return str(Path(data).expanduser().absolute()) if is_place(data, Path()) else data


def is_place(data: str, folder: Path) -> bool:
    """Whether what `--data` says is a path, a relative one beginning at `folder`, and no name of a set or function."""
    if data in NAMED or data.startswith(torchvision_sets.PREFIX):
        return False
    return not functions.is_function_name(data) or (folder / Path(data).expanduser()).exists()


def _understood(source: Source) -> Material:
    data, window = source.data, source.window
    path = Path(data).expanduser()
    named = data in NAMED or data.startswith(torchvision_sets.PREFIX)
    kind = "named" if named else "folder" if path.is_dir() else "file" if path.is_file() else "function"
    table = kind == "file" and path.suffix.lower() in tables.EXTENSIONS
    saved = kind == "folder" and hugging.is_saved_dataset(path)
    _refuse_idle(source, kind, table, saved)
    if kind == "named":
        return _named(source)
    if saved:
        return hugging.understand_dataset(path, source.image_size, source.columns, source.val_folder, window)
    if kind == "folder":
        return understand_folder(path, source.image_size, source.val_folder, window)
    if table:
        root = path.parent if source.data_root is None else _root(source.data_root)
        wishes = (source.columns, source.val_folder, window, source.skip_bad)
        return tables.understand_table(path, root, source.image_size, *wishes)
    if kind == "file":
        return _npz(path, window)
    if functions.is_function_name(data):
        return functions.understand_function(data, source.val_folder, window)
    raise BadInput(f"--data {data!r} is neither {WHAT.replace(', or one of', ', nor one of')}; check the path")


def _refuse_idle(source: Source, kind: str, table: bool, saved: bool) -> None:
    """A wish that would do nothing is refused: its user thinks that it does something."""
    if source.data_root is not None and not table and (kind != "named" or source.data == "sample"):
        takers = f"{', '.join(NAMED[1:])}, torchvision:NAME and tables"
        raise BadInput(f"--data-root {source.data_root!r} is for {takers}; leave it out with --data {source.data!r}")
    if source.val_folder is not None and (kind == "named" or (kind == "file" and not table)):
        raise BadInput(
            f"--val-folder {source.val_folder!r} is for folders of images, tables and saved data sets; {source.data!r} "
            "brings its own splits"
        )
    if source.columns is not None and not table and not saved:
        raise BadInput(
            f"--columns {source.columns!r} is for tables and saved data sets; leave it out with --data {source.data!r}"
        )
    if source.levels is not None and kind == "named":
        raise BadInput(f"--levels {source.levels!r}: {source.data} has 8-bit pixels, which are taken as they are; leave it out")


def _root(data_root: str) -> Path:
    root = Path(data_root).expanduser()
    if not root.is_dir():
        raise BadInput(f"--data-root {data_root!r} is not a folder; point it at the one that torchvision downloaded to")
    return root


def _named(source: Source) -> Material:
    name = source.data.removeprefix(torchvision_sets.PREFIX)
    if source.data != name:
        torchvision_sets.check_name(name)
        name = torchvision_sets.OURS.get(name, name)
    if name == "sample":
        identity = {"sample": hashlib.sha256(SAMPLE.read_bytes()).hexdigest()}  # its path and date differ between installations
        classes = idx.CLASSES["fashion-mnist"]
        return Material(
            "sample", "photos", "the shipped sample of Fashion-MNIST", identity, True, lambda: _npz_pools(SAMPLE, classes)
        )
    if source.data_root is None:
        raise BadInput(f"--data {source.data} needs --data-root DIR: the folder that torchvision downloaded it to")
    root = _root(source.data_root)
    if name == "cifar10":
        batches = cifar.cifar_files(root)
        return _arrays(name, "photos", lambda: cifar.CLASSES, root, batches, cifar.read_cifar_pool)
    if name == "cifar100":
        batches = cifar.cifar100_files(root)
        classes_of = lambda: cifar.read_cifar100_classes(batches["meta"][0])  # noqa: E731
        return _arrays(name, "photos", classes_of, root, batches, cifar.read_cifar_pool)
    if name in torchvision_sets.SETS:
        return torchvision_sets.understand_set(name, root, source.image_size)
    files = idx.idx_files(name, root)
    domain: Domain = "photos" if name == "fashion-mnist" else "digits"
    return _arrays(name, domain, lambda: idx.CLASSES[name], root, files, lambda pair: idx.read_idx_pool(*pair))


def _arrays(
    name: str,
    domain: Domain,
    classes: Callable[[], tuple[str, ...]],
    root: Path,
    files: dict[str, Any],
    read: Callable[[Any], ArrayPool],
) -> Material:
    """A named set with a training and a test part, each a tuple of files."""

    def load() -> Pools:
        train, test = read(files["train"]), read(files["test"])
        _check_one_shape(train, test)
        return Pools(check_labels(train, (test,), classes()), train, None, test)

    identity = {"files": file_identity(path for split in files.values() for path in split)}
    return Material(name, domain, str(root.resolve()), identity, True, load, f"the published {name}")


def _npz(path: Path, window: Levels | None) -> Material:
    if path.suffix.lower() != ".npz":
        raise BadInput(
            f"--data {str(path)!r}: of files .npz (numpy.savez with MedMNIST's keys), {', '.join(tables.EXTENSIONS)} are read; "
            "folders of images are read too"
        )
    return Material(
        data_name(path.stem),
        "photos",
        str(path.resolve()),
        {"files": file_identity([path])},
        True,
        lambda: _npz_pools(path, None, window),
        "arrays (.npz)",
    )


def _npz_pools(path: Path, classes: tuple[str, ...] | None, window: Levels | None = None) -> Pools:
    pools, names = npz.read_npz_pools(path, window)
    train, val, test = (pools[split] for split in npz.SPLITS)
    _check_one_shape(train, val, test)
    return Pools(check_labels(train, (val, test), classes or names), train, val, test)


def _check_one_shape(train: ArrayPool, *others: ArrayPool) -> None:
    for pool in others:
        if pool.images.shape[1:] != train.images.shape[1:]:
            raise BadInput(
                f"{pool.where}: images are {pool.images.shape[1:]} (channels, height, width), "
                f"but train has {train.images.shape[1:]}; all splits must agree"
            )
