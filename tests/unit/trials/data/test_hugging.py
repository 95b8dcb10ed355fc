"""Data sets that Hugging Face's library saved on disk: columns, labels, and images that are not where they should be."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from trials.data import Source, open_split, prepare

datasets = pytest.importorskip("datasets")
Refused = Callable[..., AbstractContextManager[None]]


def columns_of(tmp_path: Path, count: int = 20, **more: Any) -> dict[str, Any]:
    (tmp_path / "files").mkdir(exist_ok=True)
    encoded = []
    for index in range(count):
        pixels = np.random.default_rng(index).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "files" / f"{index}.png")
        encoded.append({"bytes": (tmp_path / "files" / f"{index}.png").read_bytes(), "path": None})
    return {"image": encoded, "label": [index % 2 for index in range(count)], **more}


def save(tmp_path: Path, columns: dict[str, Any], **features: Any) -> str:
    known = {"image": datasets.Image(), "label": datasets.ClassLabel(names=["no", "yes"])} | features
    inferred = datasets.Dataset.from_dict({name: column for name, column in columns.items() if name not in known}).features
    kinds = datasets.Features({name: known.get(name) or inferred[name] for name in columns})
    datasets.Dataset.from_dict(columns, features=kinds).save_to_disk(str(tmp_path / "set"))
    return str(tmp_path / "set")


def prepared_of(data: str, tmp_path: Path, **wishes: Any) -> Any:
    return prepare(Source(data, image_size=8, duplicates="report", **wishes), tmp_path / "home")


def test_one_split_is_cut_in_three_and_classes_are_the_sets_own(tmp_path: Path) -> None:
    prepared = prepared_of(save(tmp_path, columns_of(tmp_path)), tmp_path)
    assert (prepared.name, prepared.classes) == ("set", ("no", "yes"))
    assert prepared.counts == {"train": 12, "val": 4, "test": 4}


def test_texts_as_labels_and_a_column_of_groups(tmp_path: Path) -> None:
    columns = columns_of(tmp_path, group=[index // 2 for index in range(20)], kind=[f"k{index % 2}" for index in range(20)])
    del columns["label"]
    prepared = prepared_of(save(tmp_path, columns), tmp_path, columns="label=kind", groups="column")
    assert prepared.classes == ("k0", "k1")


def test_a_label_that_is_missing(tmp_path: Path, refused: Refused) -> None:
    columns = columns_of(tmp_path)
    columns["label"][3] = None
    with refused("label -1 of image 3 is out of range"):
        prepared_of(save(tmp_path, columns), tmp_path)


def test_two_columns_of_images(tmp_path: Path, refused: Refused) -> None:
    columns = columns_of(tmp_path)
    columns["mask"] = columns["image"]
    data = save(tmp_path, columns, mask=datasets.Image())
    with refused("several columns for the path", "--columns path=NAME"):
        prepared_of(data, tmp_path)
    assert prepared_of(data, tmp_path, columns="path=image").counts["train"] == 12
    with refused("--columns path=label", "no images there"):
        prepared_of(data, tmp_path, columns="path=label")


def test_no_label(tmp_path: Path, refused: Refused) -> None:
    columns = columns_of(tmp_path)
    del columns["label"]
    with refused("no column for the label"):
        prepared_of(save(tmp_path, columns), tmp_path)


@pytest.mark.parametrize("path", ["/etc/passwd", "../files/5.png", None, ""])
def test_images_that_lie_elsewhere_are_not_opened(path: str | None, tmp_path: Path, refused: Refused) -> None:
    from trials.data.hugging import _Files

    stored = [{"image": {"bytes": None, "path": path}}]
    with refused("image 5", "the image is not in", "embed"):
        _Files(stored, "image", tmp_path, ["image 5"])[0]


def test_a_damaged_image_is_named_and_left_out_on_wish(tmp_path: Path, refused: Refused) -> None:
    columns = columns_of(tmp_path, 100)
    columns["image"][7] = {"bytes": b"\x89PNG", "path": None}
    data = save(tmp_path, columns)
    with refused("image 7 of set (train)", "can't be read as an image"):
        prepared_of(data, tmp_path)
    prepared = prepared_of(data, tmp_path, skip_bad=True)
    assert sum(prepared.counts.values()) == 99
    assert any("--skip-bad" in note and "image 7 of set (train)" in note for note in prepared.notes)


def test_a_damaged_folder(tmp_path: Path, refused: Refused) -> None:
    data = save(tmp_path, columns_of(tmp_path))
    for path in Path(data).glob("*.arrow"):
        path.write_bytes(b"no arrow")
    with refused("set'", "can't be read as a saved data set"):
        prepared_of(data, tmp_path)


def test_a_link_out_of_the_folder(tmp_path: Path, refused: Refused) -> None:
    data = Path(save(tmp_path, columns_of(tmp_path)))
    (arrow,) = data.glob("*.arrow")
    arrow.rename(tmp_path / "elsewhere.arrow")
    arrow.symlink_to(tmp_path / "elsewhere.arrow")
    with refused(str(arrow), "is a link to"):
        prepared_of(str(data), tmp_path)


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    import sys

    data = save(tmp_path, columns_of(tmp_path))
    monkeypatch.setitem(sys.modules, "datasets", None)
    with refused("pip install 'policysearch[datasets]'"):
        prepared_of(data, tmp_path)


def test_the_files_hold_nothing_that_runs(tmp_path: Path) -> None:
    """A script that lies in the folder is not looked at."""
    data = save(tmp_path, columns_of(tmp_path))
    made = tmp_path / "made"
    (Path(data) / "set.py").write_text(f"open({str(made)!r}, 'w')\n")
    prepared = prepared_of(data, tmp_path)
    assert not made.exists()
    assert len(open_split(prepared.directory, "train").labels) == 12
