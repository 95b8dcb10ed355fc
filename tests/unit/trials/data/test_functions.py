"""A function of the user's that returns arrays: found, called, checked; identity is what it returned."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from trials.data import Prepared, Source, prepare
from trials.data.source import lasting_data

Refused = Callable[..., AbstractContextManager[None]]
HEAD = """
import numpy as np
pixels = np.random.default_rng(0)
images = pixels.integers(0, 256, (30, 8, 9, 3), dtype=np.uint8)
labels = np.arange(30) % 3
splits = ["train"] * 15 + ["val"] * 9 + ["test"] * 6
"""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Prepared]:
    """`load("return images, labels")` prepares what a function with that body returns."""
    monkeypatch.chdir(tmp_path)
    made = iter(range(100))

    def of(body: str, **wishes: Any) -> Prepared:
        name = f"made_{tmp_path.name.replace('-', '_')}_{next(made)}"
        (tmp_path / f"{name}.py").write_text(f"{HEAD}\ndef load():\n    {body}\n")
        return prepare(Source(f"{name}:load", duplicates="report", **wishes), tmp_path / "home")

    return of


def test_a_tuple_is_cut_in_three(load: Callable[..., Prepared]) -> None:
    prepared = load("return images, labels")
    assert (prepared.classes, prepared.channels) == (("0", "1", "2"), 3)
    assert prepared.counts["test"] == 6


NAMED = "images=images, labels=labels, splits=splits, classes=['x', 'y', 'z']"


@pytest.mark.parametrize("body", ["return images, labels, splits, ['x', 'y', 'z']", f"return dict({NAMED})"])
def test_splits_and_classes(body: str, load: Callable[..., Prepared]) -> None:
    prepared = load(body)
    assert (prepared.classes, prepared.counts) == (("x", "y", "z"), {"train": 15, "val": 9, "test": 6})


def test_groups(load: Callable[..., Prepared]) -> None:
    prepared = load("return dict(images=images, labels=labels, groups=np.arange(30) // 6)", groups="column")
    assert any("no group in two splits" in note for note in prepared.notes)


def test_its_content_is_its_identity(load: Callable[..., Prepared]) -> None:
    first, same, other = load("return images, labels"), load("return images.copy(), labels"), load("return 255 - images, labels")
    assert first.fingerprint == same.fingerprint != other.fingerprint


def test_other_content_under_the_same_name_is_prepared_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.chdir(tmp_path)
    directories = set()
    for change in ("", "images = 255 - images\n"):
        (tmp_path / "changing.py").write_text(f"{HEAD}{change}\ndef load():\n    return images, labels\n")
        sys.modules.pop("changing", None)
        directories.add(prepare(Source("changing:load", duplicates="report"), tmp_path / "home").directory)
    sys.modules.pop("changing", None)
    assert len(directories) == 2


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        ("return images", ("returned ndarray",)),
        ("return {'images': images}", ("returned ['images']", "labels")),
        ("return dict(images=images, labels=labels, weights=labels)", ("'weights'",)),
        ("raise KeyError('no disk')", ("it failed", "KeyError: 'no disk'")),
        ("return images / 255, labels", ("float64", "only uint8")),
        ("return images, labels[:-1]", ("30 images but 29 labels",)),
        ("return images, labels - 1", ("label -1 of image 0",)),
        ("return images, labels, splits[:-1]", ("30 labels but 29 splits",)),
        ("return [images[0], images[1][:4]], labels[:2]", ("all of one size",)),
        ("return images, labels, splits, ['x', 'x', 'z']", ("class name 'x' is empty or there twice",)),
        ("return images.astype(np.uint16), labels", ("16-bit pixels", "--levels")),
        ("return np.array([None] * 30), labels", ("object", "only uint8")),
    ],
)
def test_what_can_not_be_used(body: str, parts: tuple[str, ...], load: Callable[..., Prepared], refused: Refused) -> None:
    with refused(":load", *parts):
        load(body)


def test_names_that_lead_nowhere(tmp_path: Path, refused: Refused) -> None:
    with refused("--data no_such_module:load", "can't be imported"):
        prepare(Source("no_such_module:load"), tmp_path / "home")
    with refused("--data math:load", "no function 'load'"):
        prepare(Source("math:load"), tmp_path / "home")
    with refused("--columns", "leave it out"):
        prepare(Source("math:load", columns="path=a"), tmp_path / "home")


def test_what_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert lasting_data("package.module:load") == "package.module:load"
    assert lasting_data("torchvision:SVHN") == "torchvision:SVHN"
    assert lasting_data("photos") == str(tmp_path / "photos")
    (tmp_path / "a:b").mkdir()
    assert lasting_data("a:b") == str(tmp_path / "a:b")
