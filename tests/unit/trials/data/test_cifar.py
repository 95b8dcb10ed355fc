"""CIFAR-10's batches, written here in their own layout with the md5 table patched to match."""

import hashlib
import pickle
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trials.data import Source, cifar, open_split, prepare

Refused = Callable[..., AbstractContextManager[None]]


class Evil:
    """Unpickling it would make the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def as_python2_wrote_it(batch: Any) -> bytes:
    """The old home of numpy's functions, as the published files have it."""
    return pickle.dumps(batch, protocol=3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


@pytest.fixture
def data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five training batches of 20 images and a test batch of 20, two a class in each."""
    generator = np.random.default_rng(11)
    folder = tmp_path / "root" / cifar.FOLDER
    folder.mkdir(parents=True)
    table = {}
    for name in cifar.MD5:
        images = generator.integers(0, 256, (20, 3072), dtype=np.uint8)
        raw = as_python2_wrote_it(
            {b"batch_label": b"one", b"labels": [k % 10 for k in range(20)], b"data": images, b"filenames": [b"a.png"]}
        )
        (folder / name).write_bytes(raw)
        table[name] = hashlib.md5(raw).hexdigest()
    monkeypatch.setattr(cifar, "MD5", table)
    return tmp_path / "root"


def replace(data_root: Path, monkeypatch: pytest.MonkeyPatch, raw: bytes, name: str = "data_batch_2") -> Path:
    """Other bytes in a batch, with a right md5."""
    path = data_root / cifar.FOLDER / name
    path.write_bytes(raw)
    monkeypatch.setitem(cifar.MD5, name, hashlib.md5(raw).hexdigest())
    return path


def test_the_table_is_torchvisions() -> None:
    from torchvision.datasets import CIFAR10

    assert dict(CIFAR10.train_list + CIFAR10.test_list) == cifar.MD5


def test_the_official_test_set_is_the_test_set(data_root: Path, tmp_path: Path) -> None:
    prepared = prepare(Source("cifar10", data_root=str(data_root)), tmp_path / "home")
    assert prepared.counts == {"train": 80, "val": 20, "test": 20}
    assert prepared.classes == cifar.CLASSES
    assert (prepared.name, prepared.domain, prepared.channels, prepared.height, prepared.width) == (
        "cifar10",
        "photos",
        3,
        32,
        32,
    )
    assert prepared.heldout is not None
    batch = pickle.loads((data_root / cifar.FOLDER / "test_batch").read_bytes(), encoding="bytes")
    test = open_split(prepared.heldout, "test")
    assert np.array_equal(test.images.reshape(20, -1), batch[b"data"])
    assert test.labels.tolist() == batch[b"labels"]


def test_batches_come_in_order(data_root: Path) -> None:
    pool = cifar.read_cifar_pool(cifar.cifar_files(data_root)["train"])
    batch = pickle.loads((data_root / cifar.FOLDER / "data_batch_4").read_bytes(), encoding="bytes")
    assert np.array_equal(pool.images[60:80].reshape(20, -1), batch[b"data"])


def test_a_stratified_part(data_root: Path, tmp_path: Path) -> None:
    prepared = prepare(Source("cifar10", data_root=str(data_root), train_images=40, val_images=20), tmp_path / "home")
    assert np.bincount(open_split(prepared.directory, "train").labels).tolist() == [4] * 10
    assert np.bincount(open_split(prepared.directory, "val").labels).tolist() == [2] * 10


def test_a_wrong_md5_is_refused_before_anything_is_unpickled(data_root: Path, tmp_path: Path, refused: Refused) -> None:
    made = tmp_path / "made-by-the-pickle"
    path = data_root / cifar.FOLDER / "data_batch_3"
    path.write_bytes(pickle.dumps(Evil(made)))
    with refused(str(path), "md5", cifar.MD5["data_batch_3"], "download it again"):
        prepare(Source("cifar10", data_root=str(data_root)), tmp_path / "home")
    assert not made.exists()


@pytest.mark.parametrize("protocol", range(6))
def test_an_evil_pickle_with_a_right_md5_runs_nothing(
    protocol: int, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    made = tmp_path / "made-by-the-pickle"
    path = replace(data_root, monkeypatch, pickle.dumps({b"data": Evil(made), b"labels": []}, protocol=protocol))
    with refused(str(path), "not admitted"):
        prepare(Source("cifar10", data_root=str(data_root)), tmp_path / "home")
    assert not made.exists()
    pickle.loads(path.read_bytes())
    assert made.exists()  # so the pickle would have


@pytest.mark.parametrize(
    "name", ["os.system", "builtins.eval", "builtins.getattr", "numpy.load", "numpy._core.multiarray.fromfile"]
)
def test_other_names_are_not_admitted(
    name: str, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    module, _, function = name.rpartition(".")
    path = replace(data_root, monkeypatch, f"c{module}\n{function}\n.".encode())
    with refused(str(path), f"{name} is not admitted"):
        prepare(Source("cifar10", data_root=str(data_root)), tmp_path / "home")


@pytest.mark.parametrize("batch", [{b"data": 1}, {b"data": np.zeros(7, np.uint8), b"labels": []}, [1], None, {b"labels": [1]}])
def test_another_pickle(batch: Any, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    path = replace(data_root, monkeypatch, as_python2_wrote_it(batch))
    with refused(str(path), "does not hold a CIFAR batch"):
        prepare(Source("cifar10", data_root=str(data_root)), tmp_path / "home")


def test_no_pickle_at_all(data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    for raw in (b"", b"hello", b"\x80\x03}q"):
        path = replace(data_root, monkeypatch, raw)
        with refused(str(path), "does not hold a CIFAR batch"):
            prepare(Source("cifar10", data_root=str(data_root)), tmp_path / "home")


def test_a_batch_that_is_not_there(data_root: Path, tmp_path: Path, refused: Refused) -> None:
    (data_root / cifar.FOLDER / "data_batch_5").unlink()
    with refused("data_batch_5", "does not exist", "--data-root"):
        prepare(Source("cifar10", data_root=str(data_root)), tmp_path / "home")
