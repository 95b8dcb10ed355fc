"""Folders of class folders: which is what, and what is refused."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trials.data import Source, open_split, prepare
from trials.data.folders import find_layout

Refused = Callable[..., AbstractContextManager[None]]
MakeTree = Callable[..., Path]

TWO = {"train/cat": 6, "train/dog": 6}
THREE = {**TWO, "val/cat": 3, "val/dog": 3, "test/cat": 4, "test/dog": 4}


def source(root: Path, **wishes: object) -> Source:
    return Source(str(root), **{"image_size": 8, **wishes})  # type: ignore[arg-type]


def test_three_folders_are_what_they_say(make_tree: MakeTree, tmp_path: Path) -> None:
    prepared = prepare(source(make_tree(THREE)), tmp_path / "home")
    assert prepared.counts == {"train": 12, "val": 6, "test": 8}
    assert prepared.classes == ("cat", "dog")
    assert (prepared.channels, prepared.height, prepared.width) == (3, 8, 8)
    assert (prepared.name, prepared.domain) == ("photos", "photos")
    assert open_split(prepared.directory, "train").labels.tolist() == [0] * 6 + [1] * 6


def test_labels_go_with_their_images(make_tree: MakeTree, tmp_path: Path) -> None:
    root = make_tree({})
    for split in ("train", "val", "test"):
        for index, name in enumerate(("ant", "bee", "cow")):
            (root / split / name).mkdir(parents=True)
            for copy in range(3):
                Image.new("RGB", (9, 9), (index * 40 + copy, len(split), 0)).save(root / split / name / f"{copy}.png")
    prepared = prepare(source(root), tmp_path / "home")
    assert prepared.heldout is not None
    for directory, split in ((prepared.directory, "train"), (prepared.directory, "val"), (prepared.heldout, "test")):
        part = open_split(directory, split)  # type: ignore[arg-type]
        assert part.images[:, 0, 4, 4].tolist() == [index * 40 + copy for index in range(3) for copy in range(3)]
        assert (part.images[:, 1] == len(split)).all()
        assert part.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("second", ["val", "test"])
def test_of_two_folders_the_second_is_held_out(second: str, make_tree: MakeTree, tmp_path: Path) -> None:
    root = make_tree({"train/cat": 20, "train/dog": 10, f"{second}/cat": 3, f"{second}/dog": 3})
    prepared = prepare(source(root), tmp_path / "home")
    assert prepared.counts == {"train": 24, "val": 6, "test": 6}
    assert np.bincount(open_split(prepared.directory, "val").labels).tolist() == [4, 2]
    line = next(note for note in prepared.notes if "held-out" in note)
    assert f"{second}/ is kept as the held-out test set" in line
    assert "--val-folder" in line
    assert any("validation: 6 of train's images" in note for note in prepared.notes)


def test_val_folder_makes_it_validation_and_leaves_no_test_set(make_tree: MakeTree, tmp_path: Path) -> None:
    root = make_tree({**TWO, "val/cat": 3, "val/dog": 3})
    prepared = prepare(source(root, val_folder="val"), tmp_path / "home")
    assert prepared.counts == {"train": 12, "val": 6, "test": 0}
    assert prepared.heldout is None
    assert prepared.heldout_fingerprint is None
    assert "there is no held-out test set" in prepared.notes


def test_val_folder_may_have_another_name(make_tree: MakeTree, tmp_path: Path) -> None:
    root = make_tree({**TWO, "valid/cat": 3, "valid/dog": 3, "test/cat": 2, "test/dog": 2})
    prepared = prepare(source(root, val_folder="valid"), tmp_path / "home")
    assert prepared.counts == {"train": 12, "val": 6, "test": 4}


def test_val_folder_may_swap_val_and_test(make_tree: MakeTree) -> None:
    layout = find_layout(make_tree(THREE), "test")
    assert layout.val is not None
    assert layout.test is not None
    assert (layout.val.name, layout.test.name) == ("test", "val")


def test_one_folder_is_split_in_three(make_tree: MakeTree, tmp_path: Path) -> None:
    root = make_tree({"cat": 20, "dog": 20})
    prepared = prepare(source(root), tmp_path / "home")
    assert prepared.counts == {"train": 26, "val": 6, "test": 8}
    assert prepared.heldout is not None
    splits = [
        open_split(prepared.directory, "train"),
        open_split(prepared.directory, "val"),
        open_split(prepared.heldout, "test"),
    ]
    assert len(np.unique(np.concatenate([split.images for split in splits]).reshape(40, -1), axis=0)) == 40
    other = prepare(source(root, seed=1), tmp_path / "home")
    assert other.heldout_fingerprint != prepared.heldout_fingerprint


def test_train_alone_is_split_in_three(make_tree: MakeTree, tmp_path: Path) -> None:
    prepared = prepare(source(make_tree({"train/cat": 10, "train/dog": 10})), tmp_path / "home")
    assert prepared.counts["test"] == 4


def test_train_images_and_val_images(make_tree: MakeTree, tmp_path: Path) -> None:
    prepared = prepare(source(make_tree(THREE), train_images=8, val_images=4), tmp_path / "home")
    assert prepared.counts == {"train": 8, "val": 4, "test": 8}


def test_grey_images_stay_grey(make_tree: MakeTree, tmp_path: Path) -> None:
    prepared = prepare(source(make_tree(THREE, mode="L")), tmp_path / "home")
    assert prepared.channels == 1


def test_grey_among_colour_becomes_rgb_with_a_note(make_tree: MakeTree, tmp_path: Path) -> None:
    root = make_tree(THREE)
    Image.new("L", (9, 9), 77).save(root / "train/cat/a-grey.png")
    prepared = prepare(source(root), tmp_path / "home")
    assert prepared.channels == 3
    assert any("1 of 13 images are grey" in note for note in prepared.notes)
    assert (open_split(prepared.directory, "train").images == 77).all(axis=(1, 2, 3)).sum() == 1


def test_grey_training_images_join_a_coloured_test_set(make_tree: MakeTree, tmp_path: Path) -> None:
    root = make_tree({**TWO, "val/cat": 3, "val/dog": 3}, mode="L")
    make_tree({"test/cat": 3, "test/dog": 3})
    prepared = prepare(source(root), tmp_path / "home")
    train = open_split(prepared.directory, "train").images
    assert prepared.channels == 3
    assert (train[:, 0] == train[:, 1]).all()


def test_dropped_alpha_is_said(make_tree: MakeTree, tmp_path: Path) -> None:
    root = make_tree(THREE)
    Image.new("RGBA", (9, 9)).save(root / "train/cat/alpha.png")
    assert any("alpha is dropped from 1 images" in note for note in prepare(source(root), tmp_path / "home").notes)


def test_deeper_folders_hidden_names_and_other_files(make_tree: MakeTree, tmp_path: Path) -> None:
    root = make_tree({**THREE, ".git/objects": 2, "train/.cache": 2, "train/__MACOSX": 2, "train/dog/more/yet": 3})
    (root / "train/cat/.DS_Store").write_text("x")
    (root / "train/cat/notes.txt").write_text("x")
    (root / "README.md").write_text("x")
    prepared = prepare(source(root), tmp_path / "home")
    assert prepared.classes == ("cat", "dog")
    assert prepared.counts["train"] == 15
    assert any("1 files are left out" in note for note in prepared.notes)


def test_an_upper_case_extension(make_tree: MakeTree, tmp_path: Path) -> None:
    root = make_tree(THREE)
    (root / "train/cat/0.png").rename(root / "train/cat/0.PNG")
    assert prepare(source(root), tmp_path / "home").counts["train"] == 12


def test_an_empty_folder(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "empty").mkdir()
    with refused("empty", "no folders of classes"):
        prepare(source(tmp_path / "empty"), tmp_path / "home")


def test_empty_class_folders(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "photos/cat").mkdir(parents=True)
    (tmp_path / "photos/dog").mkdir()
    with refused("photos", "holds no images", ".jpg"):
        prepare(source(tmp_path / "photos"), tmp_path / "home")


def test_one_empty_class(make_tree: MakeTree, tmp_path: Path, refused: Refused) -> None:
    root = make_tree(THREE)
    (root / "train/emu").mkdir()
    with refused("train", "no image of class 'emu'"):
        prepare(source(root), tmp_path / "home")


def test_images_outside_class_folders(tmp_path: Path, make_tree: MakeTree, refused: Refused) -> None:
    root = make_tree({"train": 3, "test": 3})
    with refused("train", "3 files lie outside class folders"):
        prepare(source(root), tmp_path / "home")


def test_one_class_only(make_tree: MakeTree, tmp_path: Path, refused: Refused) -> None:
    with refused("photos", "only one class ('cat')", "at least 2"):
        prepare(source(make_tree({"cat": 10})), tmp_path / "home")


@pytest.mark.parametrize("lacking", ["test", "val"])
def test_a_class_that_test_or_val_lacks(lacking: str, make_tree: MakeTree, tmp_path: Path, refused: Refused) -> None:
    folders = {folder: count for folder, count in THREE.items() if folder != f"{lacking}/dog"}
    with refused(lacking, "'dog'", "each class of train"):
        prepare(source(make_tree(folders)), tmp_path / "home")


def test_a_class_that_train_lacks(make_tree: MakeTree, tmp_path: Path, refused: Refused) -> None:
    with refused("test", "'emu'", "train lacks"):
        prepare(source(make_tree({**THREE, "test/emu": 2})), tmp_path / "home")


def test_too_few_images_of_a_class(make_tree: MakeTree, tmp_path: Path, refused: Refused) -> None:
    with refused("'dog' has 1 images", "at least 2"):
        prepare(source(make_tree({**THREE, "train/dog": 1})), tmp_path / "home")


def test_a_truncated_image_is_named_and_nothing_is_left(make_tree: MakeTree, tmp_path: Path, refused: Refused) -> None:
    root = make_tree(THREE, width=60, height=60)
    broken = root / "test/dog/2.png"
    broken.write_bytes(broken.read_bytes()[:-2000])
    home = tmp_path / "home"
    with refused(str(broken), "repair or remove"):
        prepare(source(root), home)
    assert not [path for folder in ("data", "heldout") for path in (home / folder).rglob("*") if path.name != ".lock"]


def test_a_sixteen_bit_image_is_named(make_tree: MakeTree, tmp_path: Path, refused: Refused) -> None:
    root = make_tree(THREE)
    Image.new("I;16", (9, 9)).save(root / "val/cat/deep.png")
    with refused(str(root / "val/cat/deep.png"), "more than 8 bits"):
        prepare(source(root), tmp_path / "home")


@pytest.mark.parametrize("name", ["a.gif", "a.HEIC", "a.dcm"])
def test_an_image_in_a_format_that_is_not_read_is_not_left_out_in_silence(
    name: str, make_tree: MakeTree, tmp_path: Path, refused: Refused
) -> None:
    root = make_tree(THREE)
    (root / "train/cat" / name).write_bytes(b"x")
    with refused(name, "not read", "convert it to .png"):
        prepare(source(root), tmp_path / "home")


def test_a_file_link_inside_the_folder_is_followed(make_tree: MakeTree, tmp_path: Path) -> None:
    root = make_tree(THREE)
    (root / "train/cat/again.png").symlink_to(root / "train/cat/0.png")
    assert prepare(source(root), tmp_path / "home").counts["train"] == 13


def test_the_folder_itself_may_be_a_link(make_tree: MakeTree, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(make_tree(THREE))
    assert prepare(source(tmp_path / "link"), tmp_path / "home").counts["train"] == 12


@pytest.mark.parametrize("where", ["train/cat/x.png", "train/cat/x", "train/emu"])
@pytest.mark.parametrize("kind", ["file outside", "folder outside", "nothing", "loop"])
def test_links_that_lead_elsewhere(where: str, kind: str, make_tree: MakeTree, tmp_path: Path, refused: Refused) -> None:
    root = make_tree(THREE)
    outside = tmp_path / "outside"
    outside.mkdir()
    Image.new("RGB", (9, 9)).save(outside / "a.png")
    target = {"file outside": outside / "a.png", "folder outside": outside, "nothing": root / "none", "loop": root / "train"}[
        kind
    ]
    (root / where).symlink_to(target)
    with refused(str(root / where), "is a link to", "copy it"):
        prepare(source(root), tmp_path / "home")


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_split_that_is_a_link_to_elsewhere(split: str, make_tree: MakeTree, tmp_path: Path, refused: Refused) -> None:
    root = make_tree(THREE)
    (root / split).rename(tmp_path / "elsewhere")
    (root / split).symlink_to(tmp_path / "elsewhere")
    with refused(str(root / split), "is a link to"):
        prepare(source(root), tmp_path / "home")


def test_test_without_train(make_tree: MakeTree, tmp_path: Path, refused: Refused) -> None:
    with refused("has test/ but no train/"):
        prepare(source(make_tree({"test/cat": 2, "test/dog": 2})), tmp_path / "home")


def test_a_second_folder_of_unknown_role(make_tree: MakeTree, tmp_path: Path, refused: Refused) -> None:
    with refused("train/ and valid/", "--val-folder valid"):
        prepare(source(make_tree({**TWO, "valid/cat": 2, "valid/dog": 2})), tmp_path / "home")


def test_a_folder_beside_the_splits_is_left_out_with_a_note(make_tree: MakeTree, tmp_path: Path) -> None:
    prepared = prepare(source(make_tree({**THREE, "unlabelled": 2})), tmp_path / "home")
    assert any("unlabelled/" in note for note in prepared.notes)


@pytest.mark.parametrize("name", ["nowhere", "train", "../photos/val", ""])
def test_a_val_folder_that_can_not_be(name: str, make_tree: MakeTree, tmp_path: Path, refused: Refused) -> None:
    with refused("--val-folder", repr(name), "val/"):
        prepare(source(make_tree(THREE), val_folder=name), tmp_path / "home")


@contextmanager
def as_a_common_user() -> Iterator[None]:
    """Root reads everything; inside, the process is nobody in particular."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_file_that_may_not_be_read(make_tree: MakeTree, refused: Refused) -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to everybody else
        Path(folder).chmod(0o777)
        root = Path(shutil.copytree(make_tree(THREE), Path(folder) / "photos"))
        (root / "train/cat/0.png").chmod(0)
        with as_a_common_user(), refused(str(root / "train/cat/0.png"), "Permission denied"):
            prepare(source(root), Path(folder) / "home")


def test_a_missing_path(tmp_path: Path, refused: Refused) -> None:
    with refused("nowhere", "neither a folder", ".npz", "cifar10"):
        prepare(source(tmp_path / "nowhere"), tmp_path / "home")
    assert not (tmp_path / "home").exists()
