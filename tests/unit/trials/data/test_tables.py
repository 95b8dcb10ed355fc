"""Tables of image files: which column is which, and every way in which a table can be wrong."""

import csv
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest

from trials.data import Prepared, Source, open_split, prepare
from trials.data.tables import read_table

Refused = Callable[..., AbstractContextManager[None]]
MakeTree = Callable[..., Path]
Row = Sequence[object]


def write(path: Path, header: Row, rows: Sequence[Row]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",").writerows([header, *rows])
    return path


@pytest.fixture
def rows(make_tree: MakeTree) -> list[list[object]]:
    """20 images a class, in photos/."""
    make_tree({"a": 20, "b": 20}, width=8, height=8)
    return [[f"photos/{name}/{index}.png", name, index // 2] for name in "ab" for index in range(20)]


def prepared_of(path: Path, tmp_path: Path, **wishes: object) -> Prepared:
    return prepare(Source(str(path), **{"image_size": 8, "duplicates": "report", **wishes}), tmp_path / "home")  # type: ignore[arg-type]


@pytest.mark.parametrize("header", [("path", "label"), ("Image", "Class"), ("file_name", "category"), (" filename ", "TARGET")])
@pytest.mark.parametrize("name", ["set.csv", "set.tsv"])
def test_columns_by_their_names(header: Row, name: str, rows: list[list[object]], tmp_path: Path) -> None:
    prepared = prepared_of(write(tmp_path / name, header, [row[:2] for row in rows]), tmp_path)
    assert (prepared.name, prepared.classes) == ("set", ("a", "b"))
    assert prepared.counts == {"train": 26, "val": 6, "test": 8}
    assert any("set" in note and "split in three" in note for note in prepared.notes)


def test_columns_by_option_and_paths_below_another_folder(rows: list[list[object]], tmp_path: Path) -> None:
    inside = [[str(row[0]).removeprefix("photos/"), row[1], "no"] for row in rows]
    (tmp_path / "elsewhere").mkdir()
    path = write(tmp_path / "elsewhere" / "set.csv", ("where", "kind", "label"), inside)
    prepared = prepared_of(path, tmp_path, columns="path=where, label=kind", data_root=str(tmp_path / "photos"))
    assert prepared.classes == ("a", "b")


def test_groups_are_a_column_and_keep_together(rows: list[list[object]], tmp_path: Path) -> None:
    path = write(tmp_path / "set.csv", ("path", "label", "patient"), rows)
    prepared = prepared_of(path, tmp_path, groups="column")
    assert prepared.counts["test"] % 2 == 0  # pairs of images are one patient's
    assert any("no group in two splits" in note for note in prepared.notes)


def test_whole_numbers_are_classes_in_their_order(rows: list[list[object]], tmp_path: Path) -> None:
    numbered = [[row[0], {"a": 10, "b": 9}[str(row[1])]] for row in rows]
    assert prepared_of(write(tmp_path / "set.csv", ("path", "label"), numbered), tmp_path).classes == ("9", "10")


def test_splits_by_a_column(rows: list[list[object]], tmp_path: Path) -> None:
    words = ["training"] * 12 + ["valid"] * 4 + ["Test"] * 4
    splits = [[row[0], row[1], words[place % 20]] for place, row in enumerate(rows)]
    prepared = prepared_of(write(tmp_path / "set.csv", ("path", "label", "split"), splits), tmp_path)
    assert prepared.counts == {"train": 24, "val": 8, "test": 8}


def test_of_two_splits_the_second_is_held_out_unless_it_is_named(rows: list[list[object]], tmp_path: Path) -> None:
    splits = [[row[0], row[1], "val" if place % 4 == 0 else "train"] for place, row in enumerate(rows)]
    path = write(tmp_path / "set.csv", ("path", "label", "split"), splits)
    held = prepared_of(path, tmp_path)
    assert held.counts == {"train": 24, "val": 6, "test": 10}
    assert any("val is kept as the held-out test set" in note for note in held.notes)
    assert prepared_of(path, tmp_path, val_folder="val").counts == {"train": 30, "val": 10, "test": 0}


@pytest.mark.parametrize(
    ("header", "changed", "parts"),
    [
        (("path", "kind"), {}, ("no column for the label", "path, kind", "--columns label=NAME")),
        (("file", "path"), {}, ("file and path may both be the path", "--columns path=file")),
        (("path", "path"), {}, ("two columns are called 'path'",)),
        (("path", "label"), {3: ["photos/a/3.png"]}, ("row 4 has 1 entries and the header 2",)),
        (("path", "label"), {3: ["../a.png", "a"]}, ("row 4", "'../a.png'", "leaves")),
        (("path", "label"), {3: ["/etc/a.png", "a"]}, ("row 4", "'/etc/a.png'", "leaves")),
        (("path", "label"), {3: ["", "a"]}, ("row 4", "is empty")),
        (("path", "label"), {3: ["photos/a/3", "a"]}, ("row 4", "no image by its name")),
        (("path", "label"), {3: ["photos/a/3.gif", "a"]}, (".gif files are not read",)),
        (("path", "label"), {3: ["photos/a/2.png", "a"]}, ("row 4", "is in row 3 already")),
        (("path", "label"), {3: ["photos/a/./2.png", "a"]}, ("row 4", "is in row 3 already")),
        (("path", "label"), {3: ["photos/a/99.png", "a"]}, ("99.png", "can't be read")),
        (("path", "label"), {3: ["photos/a/3.png", ""]}, ("image 3 has no label",)),
        (("path", "label"), {3: ["photos/a/3.png", "NaN"]}, ("image 3 has no label ('NaN')",)),
        (("path", "label"), {3: ["photos/a/3.png", "-1"]}, ("label '-1' of image 3", "whole, from 0 up")),
        (("path", "label"), {3: ["photos/a/3.png", "-100"]}, ("label '-100'",)),
        (("path", "label"), {3: ["photos/a/3.png", "1.0"]}, ("label '1.0'", "whole")),
        (("path", "label"), {3: ["photos/a/3.png", "1e3"]}, ("label '1e3'", "whole")),
        (("path", "label"), {3: ["photos/a/3.png", "c"]}, ("'c' has 1 images",)),
    ],
)
def test_what_is_wrong_with_a_table(
    header: Row, changed: dict[int, Row], parts: tuple[str, ...], rows: list[list[object]], tmp_path: Path, refused: Refused
) -> None:
    body = [changed.get(place, row[:2]) for place, row in enumerate(rows)]
    with refused(*parts):
        prepared_of(write(tmp_path / "set.csv", header, body), tmp_path)


def test_a_class_that_one_split_alone_has(rows: list[list[object]], tmp_path: Path, refused: Refused) -> None:
    splits = [[row[0], row[1], "test" if place % 4 == 0 else "train"] for place, row in enumerate(rows)]
    splits[0][1] = "B"
    with refused("set.csv (test)", "label 'B' of image 0", "train, which has 'b'"):
        prepared_of(write(tmp_path / "set.csv", ("path", "label", "split"), splits), tmp_path)


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("train", "holdout"), ("split 'holdout' is unknown", "--val-folder holdout")),
        (("train", "val", "valid"), ("'val' and 'valid' both mean val",)),
        (("val", "test"), ("no train",)),
        (("train", ""), ("split '' is unknown",)),
    ],
)
def test_splits_that_can_not_be(
    words: Sequence[str], parts: tuple[str, ...], rows: list[list[object]], tmp_path: Path, refused: Refused
) -> None:
    splits = [[*row[:2], words[place % len(words)]] for place, row in enumerate(rows)]
    with refused("set.csv", *parts):
        prepared_of(write(tmp_path / "set.csv", ("path", "label", "split"), splits), tmp_path)


@pytest.mark.parametrize("columns", ["", "path", "path=", "colour=x", "path=a,,label=b"])
def test_columns_that_say_nothing(columns: str, rows: list[list[object]], tmp_path: Path, refused: Refused) -> None:
    with refused("--columns", "WHAT=NAME"):
        prepared_of(write(tmp_path / "set.csv", ("path", "label"), [row[:2] for row in rows]), tmp_path, columns=columns)


def test_a_column_that_is_not_there(rows: list[list[object]], tmp_path: Path, refused: Refused) -> None:
    with refused("--columns label=kind", "no such column", "path, label"):
        prepared_of(write(tmp_path / "set.csv", ("path", "label"), [row[:2] for row in rows]), tmp_path, columns="label=kind")


@pytest.mark.parametrize(
    "raw", [b"", b"\xff\xfe\x00p", b'path,label\n"a.png,x\n' + b"b" * 5000, b"path,label\n", b"path,label\na\0.png,1\n"]
)
def test_what_is_no_table(raw: bytes, tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "set.csv").write_bytes(raw)
    with refused("set.csv"):
        prepared_of(tmp_path / "set.csv", tmp_path)
    assert csv.field_size_limit() > 100_000, "the module's limit was put back"


def test_a_link_out_of_the_folder(rows: list[list[object]], tmp_path: Path, refused: Refused) -> None:
    outside = tmp_path / "outside"
    (tmp_path / "photos" / "a").rename(outside)
    (tmp_path / "photos" / "a").symlink_to(outside)
    path = write(tmp_path / "photos" / "set.csv", ("path", "label"), [["a/0.png", "a"], ["b/0.png", "b"]])
    with refused("'a/0.png' leads out of"):
        prepared_of(path, tmp_path)


def test_a_byte_order_mark_and_quotes(tmp_path: Path) -> None:
    (tmp_path / "set.csv").write_bytes(b'\xef\xbb\xbfpath,label\r\n"a, b.png","x ""y"""\r\n')
    table = read_table(tmp_path / "set.csv")
    assert (table.path, table.label) == (["a, b.png"], ['x "y"'])


def test_parquet_of_whole_numbers_and_of_categories(rows: list[list[object]], tmp_path: Path, refused: Refused) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    paths, kinds = [str(row[0]) for row in rows], [str(row[1]) for row in rows]
    columns = {"path": paths, "label": pyarrow.array(kinds).dictionary_encode(), "number": [kinds[0] == kind for kind in kinds]}
    columns["vector"] = [[0.5]] * len(rows)  # no column of ours, and left alone
    parquet.write_table(pyarrow.table(columns), tmp_path / "set.parquet")
    prepared = prepared_of(tmp_path / "set.parquet", tmp_path)
    assert prepared.classes == ("a", "b")
    assert np.bincount(open_split(prepared.directory, "train").labels).tolist() == [13, 13]
    parquet.write_table(pyarrow.table({"path": paths, "label": [0.0, None] * 20}), tmp_path / "floats.parquet")
    with refused("floats.parquet", "label '0.0'", "whole"):
        prepared_of(tmp_path / "floats.parquet", tmp_path)
    (tmp_path / "no.parquet").write_bytes(b"PAR1 no")
    with refused("no.parquet", "can't be read as Parquet"):
        prepared_of(tmp_path / "no.parquet", tmp_path)
