"""Images to look at before anything is prepared: training images, one of each class first, nothing written."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from searchspaces.errors import BadInput
from trials.data import Source, open_split, prepare
from trials.data.examples import example_images, one_of_each_class


def test_one_of_each_class_then_the_others() -> None:
    labels = np.array([2, 2, 0, 1, 0, 1])
    assert one_of_each_class(labels, 10).tolist() == [2, 3, 0, 1, 4, 5]
    assert one_of_each_class(labels, 2).tolist() == [2, 3]


def folder(root: Path, splits: tuple[str, ...] = ("",)) -> Path:
    for split in splits:
        for number, name in enumerate(("cat", "dog")):
            for index in range(15):
                path = root / split / name / f"{index}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                level = 100 * number + 5 * index + (2 if split == "test" else 0)
                Image.new("RGB", (20, 12), (level, 0, level)).save(path)
    return root


@pytest.mark.parametrize("splits", [("",), ("train", "test")])
def test_they_are_images_that_a_search_trains_on(tmp_path: Path, splits: tuple[str, ...]) -> None:
    data = folder(tmp_path / "pets", splits)
    before = sorted(tmp_path.rglob("*"))
    images, titles = example_images(Source(str(data), image_size=8), 9)
    assert sorted(tmp_path.rglob("*")) == before
    assert images.shape == (9, 3, 8, 8)
    assert titles[:2] == ("cat", "dog")
    train = open_split(prepare(Source(str(data), image_size=8), tmp_path / "home").directory, "train").images
    assert all((train == image).all(axis=(1, 2, 3)).any() for image in images)


def test_there_may_be_fewer_than_asked_for() -> None:
    images, titles = example_images(Source("sample"), 3)
    assert images.shape == (3, 1, 28, 28)
    assert titles == ("T-shirt/top", "Trouser", "Pullover")
    assert len(example_images(Source("sample"), 10**6)[0]) == 4000


def test_data_that_can_not_be_used_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is neither a folder"):
        example_images(Source(str(tmp_path / "none")), 3)
