"""A data set that Hugging Face's `datasets` saved on disk (`save_to_disk`): its Image column, its labels, its splits.

The label is the ClassLabel column, else a column of texts or whole numbers by the names of `tables.py`; `--columns path=NAME,
label=NAME,group=NAME` says others. Images are decoded by our own rules. Only what lies in the folder is read: no script, nothing
from the net. Refuses data sets without images or labels, and images that lie elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np

from searchspaces.errors import BadInput
from trials.data.files import FilePool
from trials.data.folders import check_link
from trials.data.images import Encoded
from trials.data.levels import Levels
from trials.data.naming import classes_of, numbered_by
from trials.data.pools import Material, Pools, check_labels, data_name, file_identity
from trials.data.roles import roles_of
from trials.data.tables import COLUMNS, as_pools, columns_wished

DICT_FILE, ONE_FILE = "dataset_dict.json", "state.json"


def is_saved_dataset(root: Path) -> bool:
    """Whether `save_to_disk` made this folder."""
    return (root / DICT_FILE).is_file() or ((root / ONE_FILE).is_file() and (root / "dataset_info.json").is_file())


def understand_dataset(root: Path, size: int, columns: str | None, val_word: str | None, levels: Levels | None) -> Material:
    """A saved data set as material."""
    for path in root.rglob("*"):
        check_link(path, root)
    splits = _splits(root)
    roles = roles_of(splits if len(splits) > 1 or "" not in splits else (), root.name, val_word)
    read = {role: splits[word] for role, word in roles.named.items()} or {"train": splits[""]}
    found = {role: _Split(split, root, role, columns) for role, split in read.items()}
    files = sorted(path for path in root.rglob("*") if path.is_file())
    identity = {"size": size, "columns": columns, "val_folder": val_word, "files": file_identity(files)}

    def load() -> Pools:
        classes, labels = _labelled(found)
        pools = {role: split.pool(labels[role], size, levels) for role, split in found.items()}
        check_labels(pools["train"], tuple(pool for role, pool in pools.items() if role != "train"), classes)
        return as_pools(classes, pools, roles)

    has_test = roles.test is not None or roles.cut_test
    return Material(
        data_name(root.resolve().name), "photos", str(root.resolve()), identity, has_test, load, "a data set saved by datasets"
    )


def _splits(root: Path) -> dict[str, Any]:
    """The data sets by split; one without splits is called ""."""
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise BadInput(f"{str(root)!r} was saved by Hugging Face's datasets; pip install 'policysearch[datasets]'") from error
    try:
        whole = datasets.load_from_disk(str(root))
    except Exception as error:  # a damaged folder makes the library raise nearly anything
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise BadInput(f"{str(root)!r} can't be read as a saved data set ({reason}); save it again with save_to_disk") from error
    return dict(whole) if isinstance(whole, datasets.DatasetDict) else {"": whole}


def _labelled(found: Mapping[str, _Split]) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """The classes, and each split's labels."""
    names = {role: split.class_names for role, split in found.items()}
    classes = names["train"]
    if classes is None:
        classes = classes_of(found["train"].texts, found["train"].where)
        return classes, {role: numbered_by(split.texts, classes, split.where) for role, split in found.items()}
    other = next((role for role in names if names[role] != classes), None)
    if other is not None:
        raise BadInput(f"{found[other].where}: its classes are not those of train; save both with the same ClassLabel")
    return classes, {role: split.numbers for role, split in found.items()}


class _Split:
    """One split: which columns are images, labels and groups."""

    def __init__(self, split: Any, root: Path, role: str, columns: str | None) -> None:
        from datasets import ClassLabel, Image

        wished, features = columns_wished(columns), split.features
        self.where, self.root = f"{root.name} ({role})", root
        images = [name for name, kind in features.items() if isinstance(kind, Image)]
        classes = [name for name, kind in features.items() if isinstance(kind, ClassLabel)]
        named = [name for name in features if name.lower() in COLUMNS["label"]]
        self.image = self._only("path", wished.get("path"), images, features)
        self.label = self._only("label", wished.get("label"), classes or named, features)
        groups = [name for name in features if name.lower() in COLUMNS["group"]]
        self.group = self._only("group", wished.get("group"), groups, features) if groups or "group" in wished else None
        if self.image not in images:
            raise BadInput(
                f"--columns path={self.image}: {self.where} has no images there; its images are in {images or 'no column'}"
            )
        self.class_names = tuple(features[self.label].names) if self.label in classes else None
        self.encoded = split.select_columns([self.image]).cast_column(self.image, Image(decode=False))
        self.rest = split.select_columns([name for name in (self.label, self.group) if name is not None])

    def _only(self, what: str, wished: str | None, found: Sequence[str], features: Mapping[str, Any]) -> str:
        if wished is not None and wished in features:
            return wished
        if wished is not None or len(found) != 1:
            count = "no column" if not found else "several columns"
            raise BadInput(
                f"{self.where}: {count} for the {what}; there are {', '.join(map(str, features))}: say --columns {what}=NAME"
            )
        return found[0]

    @property
    def numbers(self) -> np.ndarray:
        """The labels of a ClassLabel column; -1 where there is none, which is refused later."""
        return np.array([-1 if label is None else label for label in self.rest[self.label]], dtype=np.int64)

    @property
    def texts(self) -> list[str]:
        """The labels of another column."""
        return ["" if label is None else str(label) for label in self.rest[self.label]]

    def pool(self, labels: np.ndarray, size: int, levels: Levels | None) -> FilePool:
        """The split's images with these labels."""
        groups = None if self.group is None else np.array([str(group) for group in self.rest[self.group]], dtype=np.str_)
        names = [f"image {row} of {self.where}" for row in range(len(labels))]
        files = _Files(self.encoded, self.image, self.root, names)
        return FilePool(self.where, files, labels, size, self.root, levels=levels, groups=groups, names=names)


class _Files(Sequence[Path | Encoded]):
    """The images of a split, each fetched from the memory-mapped file when it is asked for."""

    def __init__(self, rows: Any, column: str, root: Path, names: Sequence[str]) -> None:
        self._rows, self._column, self._root, self._names = rows, column, root, names

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Path | Encoded: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Path | Encoded]: ...
    def __getitem__(self, index: int | slice) -> Path | Encoded | Sequence[Path | Encoded]:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        stored = self._rows[int(index)][self._column] or {}
        if stored.get("bytes") is not None:
            return Encoded(self._names[index], stored["bytes"])
        path = self._root / (stored.get("path") or "")
        if not stored.get("path") or not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self._root)):
            raise BadInput(
                f"{self._names[index]}: the image is not in {str(self._root)!r} but at {stored.get('path')!r}; save the data set "
                "with its images (embed_external_files)"
            )
        return path
