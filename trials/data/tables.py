"""A table of image files: CSV (or TSV) or Parquet, a row an image, with its path, its label and perhaps its group and split.

| column | its name, in any case (or `--columns path=NAME,label=NAME,group=NAME,split=NAME`) |
|---|---|
| path | path, file, filename, file_name, filepath, file_path, image, image_path, img_path |
| label | label, class, target, category, label_name, class_name |
| group | group, group_id, patient, patient_id, subject, subject_id; used by `--groups column` |
| split | split, set, subset, partition |

Paths are relative to the table's folder, or to `--data-root`. Refuses paths that leave that folder, a file that is there twice,
two columns that may be meant, ragged rows, and what is no table.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from searchspaces.errors import BadInput
from trials.data.files import FilePool
from trials.data.folders import check_link, is_image
from trials.data.levels import Levels
from trials.data.naming import classes_of, numbered_by
from trials.data.pools import Material, Pools, check_classes, data_name, file_identity
from trials.data.roles import Roles, roles_of

SEPARATORS = {".csv": ",", ".tsv": "\t"}
EXTENSIONS = (*SEPARATORS, ".parquet")
COLUMNS = {
    "path": ("path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "img_path"),
    "label": ("label", "class", "target", "category", "label_name", "class_name"),
    "group": ("group", "group_id", "patient", "patient_id", "subject", "subject_id"),
    "split": ("split", "set", "subset", "partition"),
}
NEEDED = ("path", "label")
MOST_BYTES = 1 << 30
MOST_LETTERS = 4096  # of one entry: csv's own limit lets a single quote swallow a file


@dataclass(frozen=True)
class Table:
    """The four columns, texts, a row an image; a column that there is not is None."""

    path: Sequence[str]
    label: Sequence[str]
    group: Sequence[str] | None
    split: Sequence[str] | None


def understand_table(
    path: Path, root: Path, size: int, columns: str | None, val_word: str | None, levels: Levels | None, skip_bad: bool
) -> Material:
    """A table as material. `root`: what its paths are relative to. It is read here, pixels later."""
    table = read_table(path, columns)
    roles = roles_of(table.split or (), path.name, val_word)
    listed = _Listed(table, _files(table, root, path), path, root, size, levels)
    identity = {
        "size": size,
        "table": [list(table.path), list(table.label), table.group and list(table.group), table.split and list(table.split)],
        "columns": columns,
        "val_folder": val_word,
        "files": file_identity(file for file in listed.files if not skip_bad or file.exists()),
    }

    def load() -> Pools:
        rows = {role: listed.rows(word) for role, word in roles.named.items()} or {"train": np.arange(len(listed.files))}
        classes = classes_of([table.label[row] for row in rows["train"]], path.name)
        pools = {role: listed.pool(classes, picked, role) for role, picked in rows.items()}
        check_classes(classes, pools["train"], tuple(pool for role, pool in pools.items() if role != "train"))
        return as_pools(classes, pools, roles)

    has_test = roles.test is not None or roles.cut_test
    return Material(
        data_name(path.stem), "photos", str(path.resolve()), identity, has_test, load, f"a table ({path.suffix[1:].lower()})"
    )


def as_pools(classes: tuple[str, ...], pools: Mapping[str, Any], roles: Roles) -> Pools:
    """Pools by role with what there is to say of them."""
    cut = roles.cut_test
    return Pools(classes, pools["train"], pools.get("val"), pools.get("test"), cut, roles.notes, roles.heldout_notes)


def read_table(path: Path, columns: str | None = None) -> Table:
    """The columns of a table; `columns` is the option that names some."""
    whole = _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_csv(path)
    wished = columns_wished(columns)
    found = {what: _find(what, list(whole), wished.get(what), path) for what in COLUMNS}
    taken = {what: None if name is None else whole[name] for what, name in found.items()}
    assert taken["path"] is not None and taken["label"] is not None  # _find
    if not taken["path"]:
        raise BadInput(f"{str(path)!r} has no rows; give each image one")
    return Table(taken["path"], taken["label"], taken["group"], taken["split"])


def columns_wished(columns: str | None) -> dict[str, str]:
    """The columns that `--columns` names, by what they hold."""
    wished: dict[str, str] = {}
    for pair in (columns or "").split(",") if columns is not None else ():
        what, equals, name = pair.partition("=")
        if what.strip() not in COLUMNS or not equals or not name.strip():
            raise BadInput(
                f"--columns {columns!r}: {pair!r} says nothing; allowed are WHAT=NAME, WHAT one of {', '.join(COLUMNS)}"
            )
        wished[what.strip()] = name.strip()
    return wished


def _find(what: str, names: list[str], wished: str | None, path: Path) -> str | None:
    if wished is not None:
        if wished not in names:
            raise BadInput(f"--columns {what}={wished}: {str(path)!r} has no such column; there are {', '.join(names)}")
        return wished
    found = [name for name in names if name.strip().lower() in COLUMNS[what]]
    if len(found) > 1:
        raise BadInput(f"{str(path)!r}: {' and '.join(found)} may both be the {what}; say --columns {what}={found[0]}")
    if not found and what in NEEDED:
        raise BadInput(
            f"{str(path)!r} has no column for the {what} ({', '.join(COLUMNS[what])}); there are {', '.join(names)}: "
            f"say --columns {what}=NAME"
        )
    return found[0] if found else None


def _read_csv(path: Path) -> dict[str, list[str]]:
    csv_limit = csv.field_size_limit()
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BadInput(f"{str(path)!r} is larger than {MOST_BYTES} bytes; give a smaller table")
        with path.open(encoding="utf-8-sig", newline="") as file:
            csv.field_size_limit(MOST_LETTERS)
            rows = [row for row in csv.reader(file, delimiter=SEPARATORS[path.suffix.lower()], strict=True) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{str(path)!r} can't be read as a table ({error}); write it as CSV in UTF-8, a row an image") from error
    finally:
        csv.field_size_limit(csv_limit)
    if not rows:
        raise BadInput(f"{str(path)!r} is empty; its first row must name the columns, such as path,label")
    names, *body = rows
    _check_header(names, path)
    ragged = next((place for place, row in enumerate(body) if len(row) != len(names)), None)
    if ragged is not None:
        raise BadInput(
            f"{str(path)!r}: row {ragged + 1} has {len(body[ragged])} entries and the header {len(names)}; put a quote around "
            "entries with a comma"
        )
    return {name: [row[place] for row in body] for place, name in enumerate(names)}


def _check_header(names: Sequence[str], path: Path) -> None:
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise BadInput(f"{str(path)!r}: two columns are called {twice!r}; rename one")


def _read_parquet(path: Path) -> dict[str, list[str]]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise BadInput(f"{str(path)!r}: Parquet needs pyarrow; pip install pyarrow, or write the table as .csv") from error
    try:
        table = pyarrow.parquet.ParquetFile(path).read()
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        reason = " ".join(str(error).split())[:160]
        raise BadInput(f"{str(path)!r} can't be read as Parquet ({reason}); write it again, or as .csv") from error
    _check_header(table.column_names, path)
    return {name: _texts(table.column(name), name, path) for name in table.column_names if _is_flat(table.column(name))}


def _is_flat(column: Any) -> bool:
    import pyarrow

    kind = column.type.value_type if pyarrow.types.is_dictionary(column.type) else column.type
    tests = ("is_string", "is_large_string", "is_integer", "is_floating", "is_boolean")
    return any(getattr(pyarrow.types, test)(kind) for test in tests)


def _texts(column: Any, name: str, path: Path) -> list[str]:
    """A column's entries as texts, what is missing as an empty one."""
    return ["" if value is None else str(value) for value in column.to_pylist()]


def _files(table: Table, root: Path, path: Path) -> tuple[Path, ...]:
    """The images' files. `BadInput` for a path that leaves the root, is no image by its name, or is there twice."""
    inside = Path(os.path.realpath(root))
    files, known = [], dict[str, int]()
    for row, text in enumerate(table.path):
        file = root / text
        where = f"{str(path)!r}, row {row + 1}"
        if not text.strip() or "\0" in text or not Path(os.path.normpath(file)).is_relative_to(os.path.normpath(root)):
            raise BadInput(f"{where}: path {text!r} is empty or leaves {str(root)!r}; paths are relative to that folder")
        check_link(file, root)
        if not Path(os.path.realpath(file)).is_relative_to(inside):
            raise BadInput(f"{where}: path {text!r} leads out of {str(root)!r} by a link; copy the image there")
        if not is_image(file):
            raise BadInput(f"{where}: {text!r} is no image by its name; give paths of image files, with their endings")
        if known.setdefault(os.path.normpath(file), row) != row:
            raise BadInput(f"{where}: {text!r} is in row {known[os.path.normpath(file)] + 1} already; an image has one row")
        files.append(file)
    return tuple(files)


@dataclass(frozen=True)
class _Listed:
    """A table with its images' files."""

    table: Table
    files: Sequence[Path]
    path: Path
    root: Path
    size: int
    levels: Levels | None

    def rows(self, word: str) -> np.ndarray:
        """The rows of a split."""
        return np.flatnonzero(np.array(self.table.split) == word)

    def pool(self, classes: tuple[str, ...], rows: np.ndarray, role: str) -> FilePool:
        """The images of some rows, labelled by train's classes."""
        table, where = self.table, self.path.name if self.table.split is None else f"{self.path.name} ({role})"
        labels = numbered_by([table.label[row] for row in rows], classes, where)
        groups = None if table.group is None else np.array([table.group[row] for row in rows], dtype=np.str_)
        inner = tuple(PurePosixPath(Path(table.path[row])).as_posix() for row in rows)
        files = tuple(self.files[row] for row in rows)
        return FilePool(where, files, labels, self.size, self.root, inner, levels=self.levels, groups=groups)
