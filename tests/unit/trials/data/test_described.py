"""What is told of a set before a search: sizes and kinds of its training part, counts of all, and what is odd."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from trials.data import Prepared, Source, prepare, read_meta
from trials.data.described import Sizes, odd
from trials.data.facts import facts_of

MakeTree = Callable[..., Path]
MakeNpz = Callable[..., Path]
SPLITS = {"train/cat": 12, "train/dog": 12, "val/cat": 3, "val/dog": 3, "test/cat": 4, "test/dog": 2}


def prepared_of(root: Path, tmp_path: Path, **wishes: Any) -> Prepared:
    return prepare(Source(str(root), **{"image_size": 8, "duplicates": "report", **wishes}), tmp_path / "home")


def test_sizes_are_least_median_and_largest() -> None:
    sizes = Sizes.of([10, 20, 90], [40, 20, 20], 16)
    assert (sizes.height, sizes.width) == ((10, 20, 90), (20, 20, 40))
    assert (sizes.enlarged, sizes.long) == (1, 2)


def test_all_splits_are_counted_and_the_training_part_alone_is_measured(make_tree: MakeTree, tmp_path: Path) -> None:
    root = make_tree(SPLITS, width=20, height=12)
    Image.new("L", (300, 100)).save(root / "test/dog/large-and-grey.png")
    Image.new("RGB", (6, 40)).save(root / "train/dog/narrow.png")
    facts = facts_of(prepared_of(root, tmp_path))
    assert facts["reader"] == "class folders"
    assert facts["images"] == {"train": 25, "val": 6, "test": 7}
    assert facts["classes"] == [
        {"class": "cat", "train": 12, "val": 3, "test": 4},
        {"class": "dog", "train": 13, "val": 3, "test": 3},
    ]
    assert facts["sizes"] == {"height": [12, 12, 40], "width": [6, 20, 20], "enlarged": 1, "long": 1}
    assert facts["modes"] == {"RGB": 25}
    assert facts["prepared_size"] == {"height": 8, "width": 8}
    assert len(facts["odd"]) == 2


def test_test_images_change_no_figure_but_their_count(make_tree: MakeTree, tmp_path: Path) -> None:
    root = make_tree(SPLITS)
    before = facts_of(prepared_of(root, tmp_path))
    Image.new("RGB", (500, 400), (255, 255, 255)).save(root / "test/dog/white.png")
    after = facts_of(prepared_of(root, tmp_path))
    assert {name for name in before if before[name] != after[name]} == {"images", "classes", "directory", "copies", "notes"}


def test_mean_and_deviation_are_of_the_training_part(make_npz: MakeNpz, tmp_path: Path) -> None:
    path = make_npz(test_images=np.full((6, 8, 9, 3), 255, dtype=np.uint8))
    facts = facts_of(prepared_of(path, tmp_path))
    with np.load(path) as arrays:
        train = arrays["train_images"] / 255
    assert facts["mean"] == pytest.approx(train.mean(axis=(0, 1, 2)))
    assert facts["deviation"] == pytest.approx(train.std(axis=(0, 1, 2)))
    assert (facts["sizes"]["height"], facts["modes"]) == ([8, 8, 8], {})


def test_the_window_is_kept(make_npz: MakeNpz, tmp_path: Path) -> None:
    deep = {
        f"{split}_images": np.full((count, 8, 9), 700, np.uint16) for split, count in (("train", 12), ("val", 6), ("test", 6))
    }
    prepared = prepared_of(make_npz(**deep), tmp_path, levels="0:1400")
    assert read_meta(prepared.directory)["wishes"]["levels"] == "0:1400"
    assert any("level 0 is black, 1400 white" in note for note in prepared.notes)
    assert prepared.directory != prepared_of(make_npz(**deep), tmp_path, levels="0:1401").directory


def meta(**changed: Any) -> dict[str, Any]:
    sizes = {"height": [9, 9, 9], "width": [9, 9, 9], "enlarged": 0, "long": 0}
    plain = {"classes": ["a", "b"], "class_counts": {"train": [50, 50]}, "counts": {"train": 100}, "sizes": sizes, "modes": {}}
    return {**plain, "grey_rgb": False, "std": [0.2], **changed}


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"class_counts": {"train": [500, 50]}}, "'a' has 500 training images, 'b' 50"),
        ({"class_counts": {"train": [50, 9]}}, "fewer than 10 training images: 'b' (9)"),
        ({"classes": ["cat", "Cat"]}, "differ in case alone"),
        ({"sizes": {"height": [1, 9, 9], "width": [1, 9, 9], "enlarged": 7, "long": 0}}, "7 of 100 training images are smaller"),
        (
            {"sizes": {"height": [1, 9, 9], "width": [1, 9, 9], "enlarged": 0, "long": 2}},
            "2 of 100 training images are more than 3",
        ),
        ({"modes": {"L": 4, "RGB": 96}}, "mixed: 96 RGB, 4 L"),
        ({"grey_rgb": True}, "three equal channels"),
        ({"std": [0.2, 1 / 255]}, "channels 1 (from 0) hardly change"),
    ],
)
def test_what_is_odd(changed: dict[str, Any], part: str) -> None:
    assert odd(meta()) == ()
    (line,) = odd(meta(**changed))
    assert part in line


def test_grey_saved_as_colour_is_noticed(make_tree: MakeTree, tmp_path: Path) -> None:
    root = make_tree(SPLITS, mode="L")
    for path in root.rglob("*.png"):
        Image.open(path).convert("RGB").save(path)
    assert facts_of(prepared_of(root, tmp_path))["odd"] == [
        "all training images are grey, saved with three equal channels: ops of colour change nothing"
    ]
