"""The report's section on copies: counts, what was done, pairs side by side, and names that are only ever text."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dashboards.leaks import leaks_section
from dashboards.page import templates
from policysearch.home import Home
from trials.data import Prepared, Source, prepare

EVIL = "<script>alert(1)<"


@pytest.fixture
def made(tmp_path: Path) -> tuple[Home, Prepared]:
    generator = np.random.default_rng(5)
    root = tmp_path / "photos"
    for folder, count in {"train/cat": 6, "train/dog": 6, "val/cat": 3, "val/dog": 3, "test/cat": 4, "test/dog": 4}.items():
        (root / folder).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(generator.integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(root / folder / f"{number}.png")
    shutil.copy(root / "test/cat/0.png", root / "train/cat" / f"{EVIL}.png")
    shutil.copy(root / "val/dog/1.png", root / "train/dog/copy.png")
    return Home(tmp_path / "home"), prepare(Source(str(root), image_size=12), tmp_path / "home")


def test_counts_cure_and_pairs_are_shown(made: tuple[Home, Prepared]) -> None:
    home, prepared = made
    section = leaks_section(home, str(prepared.directory))
    assert section is not None
    assert ("train and test", "the same to the pixel", 1, 1) in section["rows"]
    assert section["dropped"] == [("train", 2)]
    assert [caption.split(":")[0] for _, _, caption in section["pairs"]] == ["train", "train"]
    assert all(first == second for first, second, _ in section["pairs"])


def test_names_with_markup_are_escaped(made: tuple[Home, Prepared]) -> None:
    home, prepared = made
    page = templates().get_template("leaks.html.j2").render(leaks=leaks_section(home, str(prepared.directory)))
    assert EVIL not in page
    assert "&lt;script&gt;alert(1)&lt;.png" in page
    assert "2 images dropped from train." in page


def test_data_that_is_gone_has_no_section(made: tuple[Home, Prepared]) -> None:
    home, prepared = made
    assert leaks_section(home, None) is None
    assert leaks_section(home, str(home.root / "data" / "nothing")) is None
    assert prepared.heldout is not None
    shutil.rmtree(prepared.heldout)
    section = leaks_section(home, str(prepared.directory))
    assert section is not None
    assert len(section["pairs"]) == 1
