"""Pictures of a policy: the right pixels, repeatable, told in words."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from study_fixture import StudyInLedger, whole_study

from dashboards.contact_sheet import GAP_PX, HANG, MARGIN_PX, TILE_PX, enlarged
from dashboards.gallery import originals, picture_grid, tiles, value_in_short, write_pictures
from dashboards.wrapping import wrapped
from policysearch.home import Home
from policysearch.ledger import Ledger
from searchspaces.errors import BadInput
from searchspaces.ops import find_op
from searchspaces.policy import Base, Batch, Branch, Choice, Constant, PadCrop, Policy, Step

FIXED = "\N{NO-BREAK SPACE}"
GENERATOR = np.random.default_rng(3)
GREY = GENERATOR.integers(0, 256, (3, 1, 8, 8), dtype=np.uint8)
COLOUR = GENERATOR.integers(0, 256, (3, 3, 8, 8), dtype=np.uint8)
ROTATE = Policy(Base(), (Branch((Step((Choice("rotate", (Constant(90.0),)),)),)),))


@pytest.mark.parametrize("images", [GREY, COLOUR])
def test_a_tile_is_what_the_op_makes_of_its_image(images: np.ndarray) -> None:
    (row,) = tiles(ROTATE, images, seed=1, draws=1)
    for tile, image in zip(row, images, strict=True):
        assert tile.caption == ("rotate 90°",)
        assert np.array_equal(tile.pixels, np.rot90(image, 1, axes=(1, 2))) or np.array_equal(
            tile.pixels, np.rot90(image, -1, axes=(1, 2))
        )


def test_each_tile_has_the_caption_of_its_own_draw() -> None:
    signed = Policy(Base(), (Branch((Step((Choice("translate_x_px", (Constant(3.0, signed=True),)),)),)),))
    (row,) = tiles(signed, np.repeat(GREY[:1], 40, axis=0), seed=1, draws=1)
    right = np.concatenate([np.zeros((1, 8, 3), np.uint8), GREY[0, :, :, :-3]], axis=2)
    said = {tile.caption for tile in row}
    assert said == {(f"translate x 3{FIXED}px",), (f"translate x −3{FIXED}px",)}
    assert all(np.array_equal(tile.pixels, right) == ("−" not in tile.caption[0]) for tile in row)


def test_an_image_that_nothing_happens_to_is_called_as_it_is() -> None:
    (row,) = tiles(Policy(), GREY, seed=1, draws=1)
    assert [tile.caption for tile in row] == [("as it is",)] * 3
    assert np.array_equal(row[0].pixels, GREY[0])


def test_the_same_seed_gives_the_same_draws_and_rows_differ() -> None:
    policy = Policy(Base(hflip=0.5), (Branch((Step((Choice("rotate", (Constant(30.0, signed=True),)),)),)),))
    captions = [[[tile.caption for tile in row] for row in tiles(policy, GREY, seed, 6)] for seed in (1, 1, 2)]
    assert captions[0] == captions[1] != captions[2]
    assert any(row != captions[0][0] for row in captions[0][1:])


CROPPED = Base(PadCrop(0.25))


def test_the_base_s_crop_is_told_only_where_it_is_all_there_is() -> None:
    (row,) = tiles(Policy(CROPPED), GREY, seed=1, draws=1)
    assert [tile.caption for tile in row] == [("crop only",)] * 3
    (row,) = tiles(Policy(CROPPED, ROTATE.branches), GREY, seed=1, draws=1)
    assert [tile.caption for tile in row] == [("rotate 90°",)] * 3
    crop = Branch((Step((Choice("crop", (Constant(2.0), Constant(-1.0))),)),))
    (row,) = tiles(Policy(Base(), (crop,)), GREY, seed=1, draws=1)
    assert [tile.caption for tile in row] == [(f"crop x{FIXED}2{FIXED}px, y{FIXED}−1{FIXED}px",)] * 3


def test_a_caption_names_each_op_with_its_value_in_order() -> None:
    chosen = [("translate_x_px", -3.0), ("posterize", 4.0), ("brightness", 1.25), ("invert", 1.0), ("shear_y", 0.5)]
    chain = Branch(tuple(Step((Choice(name, (Constant(value),)),)) for name, value in chosen))
    (row,) = tiles(Policy(Base(hflip=1.0), (chain,)), COLOUR, seed=1, draws=1)
    wanted = ("flipped", f"translate x −3{FIXED}px", f"posterize 4{FIXED}bits", "brightness ×1.25", "invert")
    assert [tile.caption for tile in row] == [(*wanted, "shear y 0.5")] * 3


def test_an_op_of_several_values_names_them_and_a_long_caption_hangs() -> None:
    values = (Constant(0.25), Constant(0.123456), Constant(0.0459), Constant(128.0))
    erased = Policy(Base(), (Branch((Step((Choice("erase", values),)),)),))
    (row,) = tiles(erased, COLOUR, seed=1, draws=1)
    assert row[0].caption == (f"erase side{FIXED}0.25, x{FIXED}0.12, y{FIXED}0.046, level{FIXED}128",)
    (first, *others) = wrapped(row[0].caption[0], TILE_PX, 12, hang=HANG)
    assert first == f"erase side{FIXED}0.25,"
    assert all(line.startswith(HANG) for line in others)


def test_the_grid_says_that_mixing_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("dashboards.gallery.contact_sheet", lambda rows, heading, words, label_px: said.append(words))
    for batch in (Batch(), Batch(cutout=0.5), Batch(mixup_alpha=0.2), Batch(cutmix_alpha=1.0)):
        picture_grid(Policy(batch=batch), COLOUR, 0, ("a", "b", "c"))
    assert ["is not shown" in words for words in said] == [False, False, True, True]


def test_a_value_is_told_with_three_digits_or_a_fraction_of_a_level() -> None:
    solarize, shear = find_op("solarize").strength, find_op("shear_x").strength
    values = [value_in_short(solarize, 178.5), value_in_short(solarize, 42.66), value_in_short(shear, -0.12345)]
    assert values == ["178.5", "42.7", "−0.123"]


def test_a_switch_is_on_or_off() -> None:
    assert [value_in_short(find_op("invert").strength, value) for value in (0.0, 1.0)] == ["off", "on"]


def test_the_grid_shows_the_originals_on_top_and_so_many_draws_below() -> None:
    grid = np.asarray(picture_grid(ROTATE, COLOUR, seed=0, titles=("a", "b", "c"), draws=2))
    assert grid.shape[1] == 2 * MARGIN_PX + 64 + 3 * (TILE_PX + GAP_PX) - GAP_PX
    original, turned = (np.asarray(enlarged(image)) for image in (COLOUR[0], np.rot90(COLOUR[0], 1, axes=(1, 2))))
    column = grid[:, MARGIN_PX + 64 : MARGIN_PX + 64 + TILE_PX]
    starts = range(len(column) - TILE_PX)
    where = [[y for y in starts if np.array_equal(column[y : y + TILE_PX], tile)] for tile in (original, turned)]
    assert [len(found) for found in where] == [1, 2]
    assert where[0][0] < where[1][0]


@pytest.mark.parametrize("titles", [(), ("a",), ("a", "b", "c", "d")])
def test_a_grid_wants_a_title_an_image(titles: tuple[str, ...]) -> None:
    with pytest.raises(
        BadInput, match=f"^picture grid: 3 images, {len(titles)} titles; give one image or more and each a title$"
    ):
        picture_grid(ROTATE, COLOUR, seed=0, titles=titles)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> StudyInLedger:
    return whole_study(tmp_path_factory.mktemp("home"))


def test_originals_are_training_images_of_different_classes(made: StudyInLedger) -> None:
    images, names = originals(made.prepared.directory, 8)
    assert names == made.prepared.classes[:8]
    train = np.load(made.prepared.directory / "train_images.npy", mmap_mode="r")
    assert all((train == image).all(axis=(1, 2, 3)).any() for image in images)
    assert len(originals(made.prepared.directory, 12)[0]) == 12


def test_the_best_three_get_a_picture_each(made: StudyInLedger) -> None:
    from dashboards.queries import read_study

    paths = write_pictures(made.ledger, made.home, made.name)
    folder = made.home.study_directory(made.name) / "pictures"
    assert paths == [folder / f"{row.uid}.png" for row in read_study(made.ledger, made.name).done[:3]]
    for path in paths:
        with Image.open(path) as picture:
            picture.load()
            assert picture.size[0] == 2 * MARGIN_PX + 64 + 8 * (TILE_PX + GAP_PX) - GAP_PX


def test_no_test_image_is_touched(made: StudyInLedger, tmp_path: Path) -> None:
    hidden = made.home.root / "heldout"
    hidden.rename(tmp_path / "elsewhere")
    try:
        assert write_pictures(made.ledger, made.home, made.name)
    finally:
        (tmp_path / "elsewhere").rename(hidden)


def test_a_home_that_moved_has_its_pictures_still(made: StudyInLedger, tmp_path: Path) -> None:
    shutil.copytree(made.home.root, tmp_path / "moved")
    made.prepared.directory.rename(tmp_path / "away")  # what the trials' specs name is gone
    try:
        assert write_pictures(Ledger(Home(tmp_path / "moved").ledger_url), Home(tmp_path / "moved"), made.name)
    finally:
        (tmp_path / "away").rename(made.prepared.directory)
