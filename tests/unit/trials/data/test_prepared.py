"""The prepared copy: found again, write-protected, whole or absent, and silent about the test set."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from searchspaces.errors import BadInput
from trials.data import Prepared, Source, open_split, prepare, read_meta
from trials.data.prepared import DEVIATION_FLOOR, channel_statistics
from trials.data.store import fingerprint

Refused = Callable[..., AbstractContextManager[None]]
MakeTree = Callable[..., Path]
MakeNpz = Callable[..., Path]
FOLDERS = {"train/cat": 6, "train/dog": 6, "val/cat": 3, "val/dog": 3, "test/cat": 4, "test/dog": 4}


def heldout_of(prepared: Prepared) -> Path:
    assert prepared.heldout is not None
    return prepared.heldout


def arrays_below(home: Path) -> dict[str, bytes]:
    return {str(path.relative_to(home)): path.read_bytes() for path in sorted(home.rglob("*.npy"))}


def test_layout_and_meta(make_npz: MakeNpz, tmp_path: Path) -> None:
    home = tmp_path / "home"
    prepared = prepare(Source(str(make_npz()), seed=3), home)
    assert prepared.directory.parent == home / "data"
    assert heldout_of(prepared) == home / "heldout" / prepared.directory.name
    names = {path.name for path in prepared.directory.iterdir()}
    assert names == {"meta.json", "train_images.npy", "train_labels.npy", "val_images.npy", "val_labels.npy"}
    assert {path.name for path in heldout_of(prepared).iterdir()} == {"meta.json", "test_images.npy", "test_labels.npy"}
    meta = read_meta(prepared.directory)
    wishes = {"train_images": None, "val_images": None, "seed": 3, "groups": None, "duplicates": "drop-exact"}
    wishes |= {"columns": None, "levels": None, "skip_bad": False}
    assert meta["wishes"] == wishes
    assert meta["counts"] == {"train": 12, "val": 6}
    assert meta["classes"] == ["0", "1", "2"]
    assert read_meta(heldout_of(prepared))["origin"] == str(tmp_path / "med.npz")


def test_mean_and_deviation_are_the_training_parts(make_npz: MakeNpz, tmp_path: Path) -> None:
    prepared = prepare(Source(str(make_npz())), tmp_path / "home")
    pixels = open_split(prepared.directory, "train").images / 255
    for directory in (prepared.directory, heldout_of(prepared)):
        assert np.allclose(read_meta(directory)["mean"], pixels.mean(axis=(0, 2, 3)), atol=1e-12)
        assert np.allclose(read_meta(directory)["std"], pixels.std(axis=(0, 2, 3)), atol=1e-12)


def test_a_channel_that_never_changes_has_a_usable_deviation() -> None:
    assert channel_statistics(np.full((5, 1, 4, 4), 51, np.uint8)) == ([0.2], [DEVIATION_FLOOR])


def test_fingerprints_are_of_shape_pixels_and_labels(make_npz: MakeNpz, tmp_path: Path) -> None:
    prepared = prepare(Source(str(make_npz())), tmp_path / "home")
    test = open_split(heldout_of(prepared), "test")
    raw = b"[6, 3, 8, 9]" + test.images.tobytes() + test.labels.astype("<i8").tobytes()
    assert prepared.heldout_fingerprint == test.fingerprint == hashlib.sha256(raw).hexdigest()
    images, labels = np.array(test.images), np.array(test.labels)
    assert fingerprint(images, labels) == test.fingerprint
    assert fingerprint(images.reshape(6, 3, 9, 8), labels) != test.fingerprint
    assert fingerprint(images, labels[::-1]) != test.fingerprint
    images[-1, -1, -1, -1] ^= 1
    assert fingerprint(images, labels) != test.fingerprint


@pytest.mark.parametrize("what", ["train_images", "val_images", "train_labels"])
def test_the_fingerprint_covers_train_and_val(what: str, make_npz: MakeNpz, tmp_path: Path) -> None:
    before = prepare(Source(str(make_npz())), tmp_path / "home")
    with np.load(tmp_path / "med.npz") as arrays:
        changed = arrays[what][::-1]
    after = prepare(Source(str(make_npz(**{what: changed}))), tmp_path / "home")
    assert after.fingerprint != before.fingerprint
    assert after.heldout_fingerprint == before.heldout_fingerprint


def test_arrays_are_memory_maps_that_can_not_be_written(make_npz: MakeNpz, tmp_path: Path) -> None:
    prepared = prepare(Source(str(make_npz())), tmp_path / "home")
    split = open_split(prepared.directory, "train")
    assert isinstance(split.images, np.memmap)
    assert (split.images.dtype.name, split.labels.dtype.name) == ("uint8", "int64")
    with pytest.raises(ValueError, match="read-only"):
        split.images[0] = 0
    for path in (*prepared.directory.iterdir(), *heldout_of(prepared).iterdir()):
        assert path.stat().st_mode & 0o222 == 0


def test_it_is_made_once_and_found_again(make_tree: MakeTree, tmp_path: Path) -> None:
    source = Source(str(make_tree(FOLDERS)), image_size=8)
    calls: list[tuple[str, int, int]] = []
    first = prepare(source, tmp_path / "home", lambda *told: calls.append(told))
    read = [done for what, done, _ in calls if what == "preparing images"]
    assert read == sorted(read) and read[-1] == 26
    assert calls[-1] == ("looking for copies among images", 26, 26)
    made = (first.directory / "train_images.npy").stat()
    calls.clear()
    assert prepare(source, tmp_path / "home", lambda *told: calls.append(told)) == first
    assert not calls
    assert (first.directory / "train_images.npy").stat().st_mtime_ns == made.st_mtime_ns


def test_what_it_was_made_from_keys_it(make_tree: MakeTree, tmp_path: Path) -> None:
    root, home = make_tree(FOLDERS), tmp_path / "home"
    source = Source(str(root), image_size=8)
    first = prepare(source, home)
    seen = {first.directory}
    wishes = [
        replace(source, image_size=9),
        replace(source, seed=1),
        replace(source, train_images=8),
        replace(source, val_images=4),
        replace(source, val_folder="test"),
    ]
    seen.update(prepare(wish, home).directory for wish in wishes)
    (root / "val/cat/0.png").write_bytes((root / "val/cat/1.png").read_bytes())
    seen.add(prepare(source, home).directory)
    (root / "test/cat/0.png").unlink()
    seen.add(prepare(source, home).directory)
    assert len(seen) == len(wishes) + 3


def test_content_alone_keys_it_not_dates_or_places(make_tree: MakeTree, tmp_path: Path) -> None:
    source, home = Source(str(make_tree(FOLDERS)), image_size=8), tmp_path / "home"
    first = prepare(source, home)
    os.utime(tmp_path / "photos/val/cat/0.png", ns=(1, 1))
    assert prepare(source, home).directory == first.directory
    (tmp_path / "elsewhere").mkdir()
    moved = (tmp_path / "photos").rename(tmp_path / "elsewhere" / "photos")
    assert prepare(replace(source, data=str(moved)), home).directory == first.directory
    (moved / "val/cat").rename(moved / "val/aside")
    (moved / "val/dog").rename(moved / "val/cat")
    (moved / "val/aside").rename(moved / "val/dog")
    relabelled = prepare(replace(source, data=str(moved)), home)
    assert (relabelled.directory, relabelled.fingerprint) != (first.directory, first.fingerprint)


def test_the_same_source_gives_the_same_bytes(make_tree: MakeTree, tmp_path: Path) -> None:
    source = Source(str(make_tree({"cat": 12, "dog": 12})), image_size=8, seed=9)
    first, second = prepare(source, tmp_path / "one"), prepare(source, tmp_path / "two")
    assert (first.fingerprint, first.heldout_fingerprint) == (second.fingerprint, second.heldout_fingerprint)
    assert arrays_below(tmp_path / "one") == arrays_below(tmp_path / "two")


@pytest.mark.parametrize(
    "folders", [FOLDERS, {"train/cat": 9, "train/dog": 9, "val/cat": 4, "val/dog": 4}, {"cat": 12, "dog": 12}]
)
def test_nothing_beside_the_training_arrays_tells_where_the_test_arrays_are(
    folders: dict[str, int], make_tree: MakeTree, tmp_path: Path
) -> None:
    root = make_tree(folders)
    prepared = prepare(Source(str(root), image_size=8), tmp_path / "home")
    assert prepared.heldout_fingerprint is not None
    for path in prepared.directory.rglob("*"):
        raw = path.read_bytes()
        for word in (str(tmp_path), "heldout", "test/", "val/", prepared.heldout_fingerprint):
            assert word.encode() not in raw, (path, word)


def test_a_missing_half_is_made_again(make_npz: MakeNpz, tmp_path: Path) -> None:
    source, home = Source(str(make_npz())), tmp_path / "home"
    prepared = prepare(source, home)
    before = arrays_below(home)
    for lost in (heldout_of(prepared), prepared.directory):
        shutil.rmtree(lost)
        assert prepare(source, home) == prepared
        assert arrays_below(home) == before


KILLED = """
import os, signal, sys
from pathlib import Path
from trials.data import Source, prepare, store

point, data, home = sys.argv[1:]
kill = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
if point.isdigit():
    prepare(Source(data, image_size=8), Path(home), lambda what, done, total: kill() if done == int(point) else None)
finish = store.Draft.finish
def finish_one(draft, meta):
    finish(draft, meta)
    kill()
store.Draft.finish = finish_one
prepare(Source(data, image_size=8), Path(home))
"""


@pytest.mark.parametrize("point", ["1", "9", "20", "26", "between the two renames"])
def test_a_kill_leaves_nothing_that_is_taken_for_whole(point: str, make_tree: MakeTree, tmp_path: Path) -> None:
    root, home = make_tree(FOLDERS), tmp_path / "home"
    source = Source(str(root), image_size=8)
    ended = subprocess.run([sys.executable, "-c", KILLED, point, str(root), str(home)], capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert not any(path.name.startswith("photos") for path in (home / "data").iterdir())
    prepared = prepare(source, home)
    prepare(source, tmp_path / "calm")
    assert arrays_below(home) == arrays_below(tmp_path / "calm")
    left = {path.name for path in (*(home / "data").iterdir(), *(home / "heldout").iterdir())}
    assert left == {".lock", prepared.directory.name}


def test_two_processes_make_one_copy(make_tree: MakeTree, tmp_path: Path) -> None:
    root, home = make_tree({"train/cat": 60, "train/dog": 60, "test/cat": 5, "test/dog": 5}), tmp_path / "home"
    program = (
        "import sys; from pathlib import Path; from trials.data import Source, prepare; calls = []\n"
        "made = prepare(Source(sys.argv[1], image_size=8), Path(sys.argv[2]), lambda *done: calls.append(done))\n"
        "print(made.fingerprint, bool(calls))"
    )
    command = [sys.executable, "-c", program, str(root), str(home)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate()[0].split() for process in running]
    assert len({mark for mark, _ in said}) == 1
    assert sorted(made for _, made in said) == ["False", "False", "True"]


def test_an_interrupt_leaves_no_draft(make_tree: MakeTree, tmp_path: Path) -> None:
    def interrupt(what: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    home = tmp_path / "home"
    with pytest.raises(KeyboardInterrupt):
        prepare(Source(str(make_tree(FOLDERS)), image_size=8), home, interrupt)
    assert not [path for folder in ("data", "heldout") for path in (home / folder).rglob("*") if path.name != ".lock"]


def test_a_home_that_can_not_be_written(make_npz: MakeNpz, tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "file").write_text("no directory")
    with refused(str(tmp_path / "file/home"), "can't be written", "--home"):
        prepare(Source(str(make_npz())), tmp_path / "file/home")


def test_a_disk_that_is_full(make_npz: MakeNpz, tmp_path: Path) -> None:
    """A process that may write no file beyond 1 kB stands for it: the reason is said and no copy appears."""
    program = (
        "import resource, signal, sys; from pathlib import Path; from trials.data import Source, prepare\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "prepare(Source(sys.argv[1]), Path(sys.argv[2]))"
    )
    home = tmp_path / "home"
    ended = subprocess.run([sys.executable, "-c", program, str(make_npz()), str(home)], capture_output=True, text=True)
    assert "BadInput" in ended.stderr.splitlines()[-1]
    assert "can't be written (File too large)" in ended.stderr
    assert not list(home.rglob("meta.json"))


def test_a_directory_that_is_not_prepared_data(tmp_path: Path, refused: Refused) -> None:
    with refused(str(tmp_path), "not prepared data"):
        open_split(tmp_path, "train")
    (tmp_path / "meta.json").write_text(json.dumps({"classes": [], "fingerprints": {"train": ""}}))
    with refused("train_images.npy", "can't be read"):
        open_split(tmp_path, "train")


def test_the_test_split_is_not_in_the_training_directory(make_npz: MakeNpz, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="test_images"):
        open_split(prepare(Source(str(make_npz())), tmp_path / "home").directory, "test")
