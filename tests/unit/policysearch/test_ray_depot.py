"""What the driver's node gives to others and takes from them, and a node's own copy; without Ray."""

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from search_fixture import write_bars

from policysearch.drivers import ray_depot
from policysearch.drivers.ray_depot import Depot, node_directory, placed, send_weights, served_arrays
from searchspaces.errors import BadInput
from trials.data import Prepared, Source, open_split, prepare
from trials.data.store import META, open_groups, read_meta


@pytest.fixture
def data(tmp_path: Path) -> Prepared:
    return prepare(Source(str(write_bars(tmp_path / "bars.npz"))), tmp_path / "home")


@pytest.fixture(autouse=True)
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POLICYSEARCH_NODE_DIR", str(tmp_path / "node"))
    monkeypatch.setattr(ray_depot, "PART_BYTES", 1000)
    placed.cache_clear()
    return tmp_path / "node"


class Counting(Depot):
    """Counts what it gives; `spoil` changes a byte of the images."""

    def __init__(self, *values: Any, spoil: bool = False) -> None:
        super().__init__(*values)
        self.names: list[str] = []
        self.spoil = spoil

    def part(self, name: str, offset: int) -> bytes:
        self.names.append(name)
        found = super().part(name, offset)
        return found[:-1] + bytes([found[-1] ^ 1]) if self.spoil and name == "val_images.npy" and offset else found


def elsewhere(data: Prepared) -> str:
    return f"/nowhere/{data.directory.name}"


def test_a_node_with_the_data_uses_what_is_there(data: Prepared, node: Path) -> None:
    assert placed(str(data.directory), data.fingerprint, None) == str(data.directory)
    assert not (node / "data").exists()


def test_a_node_without_it_gets_it_in_parts_whole_and_write_protected(data: Prepared, node: Path) -> None:
    depot = Counting(str(data.directory), None)
    found = Path(placed(elsewhere(data), data.fingerprint, depot))
    assert found.is_relative_to(node)
    arrays = served_arrays(read_meta(data.directory))
    assert len(arrays) == 4
    for name in (META, *arrays):
        assert (found / name).stat().st_mode & 0o222 == 0
    for name in arrays:
        assert (found / name).read_bytes() == (data.directory / name).read_bytes()
    assert json.loads((found / META).read_text()) == json.loads((data.directory / META).read_text())
    assert len(depot.names) > len(arrays) + 1, "in parts"
    assert open_split(found, "train").images.flags.writeable is False


def test_groups_and_a_second_validation_part_come_too(tmp_path: Path) -> None:
    generator, arrays = np.random.default_rng(1), dict[str, np.ndarray]()
    for first, (split, images) in enumerate((("train", 90), ("val", 30), ("test", 30))):
        arrays[f"{split}_images"] = generator.integers(0, 256, (images, 12, 12), dtype=np.uint8)
        arrays[f"{split}_labels"] = np.arange(images) % 3
        arrays[f"{split}_groups"] = 1000 * first + np.arange(images) // 2
    np.savez(tmp_path / "pairs.npz", allow_pickle=False, **arrays)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("trials.data.splits.SELECT_FROM", 20)
        data = prepare(Source(str(tmp_path / "pairs.npz"), groups="column"), tmp_path / "home")
    assert data.counts["select"] > 0
    found = Path(placed(elsewhere(data), data.fingerprint, Depot(str(data.directory), None)))
    meta = read_meta(found)
    assert open_split(found, "select").fingerprint == data.fingerprints["select"]
    assert open_groups(found, meta) is not None

    damaged = tmp_path / "home" / "data" / data.directory.name / "groups.npy"
    damaged.chmod(0o644)
    np.save(damaged, np.zeros(120, dtype=np.int64))
    with pytest.raises(BadInput, match=r"what came is other data \(damaged\)"):
        ray_depot._fetch(tmp_path / "again", data.fingerprint, Depot(str(data.directory), None))


def test_workers_of_a_node_fetch_it_once(data: Prepared) -> None:
    depot = Counting(str(data.directory), None)
    uncached: Any = placed.__wrapped__
    workers = [threading.Thread(target=uncached, args=(elsewhere(data), data.fingerprint, depot)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert depot.names.count("val_labels.npy") == 1


def test_what_comes_damaged_is_refused_and_leaves_nothing(data: Prepared, node: Path) -> None:
    with pytest.raises(BadInput, match=r"what came is other data \(damaged\)"):
        placed(elsewhere(data), data.fingerprint, Counting(str(data.directory), None, spoil=True))
    assert [path.name for path in (node / "data").iterdir()] == [".lock"]


def test_data_that_nobody_has_is_refused_with_the_cure(data: Prepared) -> None:
    with pytest.raises(BadInput, match="put it on a shared disk"):
        placed(elsewhere(data), data.fingerprint, Depot("/nowhere", None))


@pytest.mark.parametrize("name", ["test_images.npy", "../../heldout/x/test_images.npy", "../ledger.sqlite", "/etc/passwd"])
def test_it_serves_no_file_but_those_of_a_training_directory(data: Prepared, name: str) -> None:
    assert data.heldout is not None and (data.heldout / "test_images.npy").exists()
    for directory in (data.directory, data.heldout):
        with pytest.raises(ValueError, match="is not served here"):
            Depot(str(directory), None).part(name, 0)


@pytest.mark.parametrize("length", [0, 1, 1000, 2500])
def test_weights_arrive_whole(tmp_path: Path, length: int) -> None:
    file = tmp_path / "sent"
    file.write_bytes(bytes(number % 251 for number in range(length)))
    send_weights(file, "trial.pt", Depot(None, str(tmp_path / "weights")).take_weights)
    assert (tmp_path / "weights" / "trial.pt").read_bytes() == file.read_bytes()
    assert [path.name for path in (tmp_path / "weights").iterdir()] == ["trial.pt"]


def test_weights_that_arrive_otherwise_or_under_another_name_get_no_name(tmp_path: Path) -> None:
    depot = Depot(None, str(tmp_path / "weights"))
    with pytest.raises(ValueError, match="not what was sent"):
        depot.take_weights("trial.pt", b"weights", 0, hashlib.sha256(b"others").hexdigest())
    assert list((tmp_path / "weights").iterdir()) == []
    for name in ("../trial.pt", "/tmp/trial.pt", ".trial.pt"):
        with pytest.raises(ValueError, match="no name of a weights file"):
            depot.take_weights(name, b"", 0, None)


def test_a_directory_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POLICYSEARCH_NODE_DIR")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    own = node_directory()
    assert own.stat().st_mode & 0o077 == 0
    own.rmdir()
    own.symlink_to(tmp_path)
    with pytest.raises(BadInput, match="is not a directory of this account"):
        node_directory()


def test_photos_that_are_kept_whole_come_whole(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for split in ("train", "val", "test"):
        for name in ("cat", "dog"):
            (tmp_path / "photos" / split / name).mkdir(parents=True)
            for index in range(3):
                levels = generator.integers(0, 256, (9 + index, 20 - index, 3), dtype=np.uint8)
                Image.fromarray(levels).save(tmp_path / "photos" / split / name / f"{index}.png")
    data = prepare(Source(str(tmp_path / "photos"), image_size=8), tmp_path / "home")
    there = open_split(Path(placed(elsewhere(data), data.fingerprint, Depot(str(data.directory), None))), "train").whole
    here = open_split(data.directory, "train").whole
    assert there is not None and here is not None
    assert all((there.image(number) == here.image(number)).all() for number in range(len(here)))
