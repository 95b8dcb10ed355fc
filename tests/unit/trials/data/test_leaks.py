"""Planted copies are found in every layout and cured as wished; the search's directory never says which test image it was."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from searchspaces.arrays import Images
from trials.data import Prepared, Source, open_split, prepare, read_meta
from trials.data.copies import near_within
from trials.data.pictures import read_pictures
from trials.data.source import SAMPLE
from trials.data.store import SplitName

Refused = Callable[..., AbstractContextManager[None]]
MakeTree = Callable[..., Path]
MakeNpz = Callable[..., Path]
FOLDERS = {"train/cat": 8, "train/dog": 8, "val/cat": 3, "val/dog": 3, "test/cat": 4, "test/dog": 4}


def planted(make_tree: MakeTree) -> Path:
    """train/ holds a test image and a validation image, val/ another test image."""
    root = make_tree(FOLDERS)
    shutil.copy(root / "test/cat/0.png", root / "train/cat/copy.png")
    shutil.copy(root / "val/dog/1.png", root / "train/dog/copy.png")
    shutil.copy(root / "test/dog/2.png", root / "val/dog/copy.png")
    return root


def prepared_from(root: Path, tmp_path: Path, cure: str = "drop-exact") -> Prepared:
    return prepare(Source(str(root), image_size=12, duplicates=cure), tmp_path / f"home-{cure}")


def holds_test_image(prepared: Prepared, split: SplitName) -> bool:
    assert prepared.heldout is not None
    images = {bytes(image) for image in np.array(open_split(prepared.heldout, "test").images)}
    return any(bytes(image) in images for image in np.array(open_split(prepared.directory, split).images))


def test_exact_copies_leave_training_and_validation(make_tree: MakeTree, tmp_path: Path) -> None:
    prepared = prepared_from(planted(make_tree), tmp_path)
    assert prepared.counts == {"train": 16, "val": 6, "test": 8}
    assert prepared.leaks["dropped"] == {"train": 2, "val": 1}
    assert prepared.leaks["across"]["train-test"]["exact"] == {"pairs": 1, "images": 1}
    assert not holds_test_image(prepared, "train")
    assert not holds_test_image(prepared, "val")
    assert any("copies dropped: 2 from train, 1 from val" in note for note in prepared.notes)


def test_report_drops_nothing(make_tree: MakeTree, tmp_path: Path) -> None:
    prepared = prepared_from(planted(make_tree), tmp_path, "report")
    assert prepared.counts == {"train": 18, "val": 7, "test": 8}
    assert holds_test_image(prepared, "train")
    assert holds_test_image(prepared, "val")
    assert prepared.leaks["across"]["train-val"]["exact"]["images"] == 1


def test_refuse_names_the_first_pair(make_tree: MakeTree, tmp_path: Path, refused: Refused) -> None:
    with refused("1 exact between train and val", "train/dog/copy.png", "val/dog/1.png", "drop-from-train or report"):
        prepared_from(planted(make_tree), tmp_path, "refuse")
    assert not list((tmp_path / "home-refuse" / "data").glob("[!.]*"))


def test_an_unknown_cure_is_refused(make_tree: MakeTree, tmp_path: Path, refused: Refused) -> None:
    with refused("--duplicates 'drop'", "drop-exact"):
        prepared_from(make_tree(FOLDERS), tmp_path, "drop")


def test_a_class_of_which_all_images_are_copies_is_refused(make_tree: MakeTree, tmp_path: Path, refused: Refused) -> None:
    root = make_tree({"train/cat": 2, "train/dog": 8, "val/cat": 3, "val/dog": 3, "test/cat": 4, "test/dog": 4})
    for name in ("0.png", "1.png"):
        shutil.copy(root / "test/cat" / name, root / "train/cat" / name)
    with refused("class 'cat' has 0 images in train", "2 are needed"):
        prepared_from(root, tmp_path)


def test_copies_in_arrays_are_named_by_their_numbers(make_npz: MakeNpz, tmp_path: Path) -> None:
    with np.load(make_npz()) as arrays:
        train, test = arrays["train_images"], arrays["test_images"]
    train[9] = test[3]  # both of class 0
    prepared = prepare(Source(str(make_npz(train_images=train))), tmp_path / "home")
    assert prepared.counts["train"] == 11
    assert prepared.heldout is not None
    (pair,) = read_meta(prepared.heldout)["pairs"]
    assert pair["images"] == ["image 9 of train", "image 3 of test"]
    assert pair["dropped"] is True


def test_only_the_held_out_directory_says_which_test_images_have_copies(make_tree: MakeTree, tmp_path: Path) -> None:
    prepared = prepared_from(planted(make_tree), tmp_path)
    assert prepared.heldout is not None
    meta = read_meta(prepared.directory)
    assert [pair["splits"] for pair in meta["pairs"]] == [["train", "val"]]
    pictured = read_pictures(prepared.directory)
    assert pictured is not None
    assert len(pictured.facts) == 1
    closed = read_pictures(prepared.heldout)
    assert closed is not None
    assert np.array_equal(closed.first, closed.second)
    assert [fact["splits"][1] for fact in closed.facts] == ["test", "test"]
    for path in prepared.directory.iterdir():
        assert b"test/" not in path.read_bytes()


def test_near_copies_are_kept_in_one_split_where_the_splits_are_ours(tmp_path: Path) -> None:
    with np.load(SAMPLE) as arrays:
        images, labels = arrays["train_images"][:300], arrays["train_labels"][:300].ravel()
    root = tmp_path / "photos"
    for number, (pixels, label) in enumerate(zip(images, labels, strict=True)):
        (root / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / str(label) / f"{number}.png")
        if number < 40:
            Image.fromarray(np.roll(pixels, 1, axis=1) // 2 + 60).save(root / str(label) / f"{number}-near.png")
            shutil.copy(root / str(label) / f"{number}.png", root / str(label) / f"{number}-exact.png")
    prepared = prepare(Source(str(root), image_size=28), tmp_path / "home")
    assert prepared.leaks["across"] == {}
    assert sum(prepared.counts.values()) == 380
    assert prepared.counts["test"] == 76


@pytest.mark.parametrize("change", ["brighter", "shifted", "mirrored", "cropped"])
def test_what_is_done_to_copies_does_not_hide_them(change: str) -> None:
    images = scenes(300)
    chosen = images[[3, 50, 200, 211]]
    made = {
        "brighter": chosen // 2 + 80,
        "shifted": np.roll(chosen, (1, 2), axis=(2, 3)),
        "mirrored": chosen[..., ::-1],
        "cropped": np.stack([resized(image[:, 2:30, 2:30]) for image in chosen]),
    }[change]
    pairs = near_within([images, np.ascontiguousarray(made)])
    found = set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    assert found == {(3, 300), (50, 301), (200, 302), (211, 303)}


def scenes(count: int) -> Images:
    """Images with large and small shapes, as photographs have them: noise of two sizes, enlarged smoothly."""
    generator = np.random.default_rng(1)
    coarse, fine = (generator.integers(0, 256, (count, 3, side, side), dtype=np.uint8) for side in (4, 9))
    return np.stack([resized(one) // 2 + resized(other) // 2 for one, other in zip(coarse, fine, strict=True)])


def resized(pixels: np.ndarray) -> np.ndarray:
    image = Image.fromarray(pixels.transpose(1, 2, 0)).resize((32, 32), Image.Resampling.BICUBIC)
    return np.asarray(image).transpose(2, 0, 1)


def test_noise_has_no_copies() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 3, 20, 20), dtype=np.uint8)
    assert len(near_within([noise[:200], noise[200:]])) == 0


def test_whoever_waits_hears_of_reading_and_of_comparing(make_tree: MakeTree, tmp_path: Path) -> None:
    heard = list[tuple[str, int, int]]()
    images = sum(prepare(Source(str(make_tree(FOLDERS))), tmp_path / "home", lambda *told: heard.append(told)).counts.values())
    ends = {what: (done, total) for what, done, total in heard}
    assert list(ends) == ["preparing images", "looking for copies among images"]
    assert set(ends.values()) == {(images, images)}


def test_one_colour_and_labels_at_odds_are_told(make_tree: MakeTree, tmp_path: Path, refused: Refused) -> None:
    root = make_tree(FOLDERS)
    Image.new("RGB", (20, 12), (7, 7, 7)).save(root / "train/cat/grey.png")
    shutil.copy(root / "train/cat/0.png", root / "train/dog/wrong.png")
    notes = prepared_from(root, tmp_path).notes
    assert any("1 images are of one colour: train/cat/grey.png" in note for note in notes)
    assert any("another label: train/cat/0.png and train/dog/wrong.png" in note for note in notes)
    with refused("train/cat/0.png and train/dog/wrong.png are one image with two labels"):
        prepared_from(root, tmp_path, "refuse")


def test_hidden_folders_are_no_classes_and_are_told(make_tree: MakeTree, tmp_path: Path) -> None:
    root = make_tree(FOLDERS | {"train/.ipynb_checkpoints": 1, "train/__pycache__": 1, "train/cat/.thumbs": 2})
    prepared = prepared_from(root, tmp_path)
    assert prepared.classes == ("cat", "dog")
    assert "train/: left out, hidden or no class: .ipynb_checkpoints/, __pycache__/, .thumbs/" in prepared.notes
