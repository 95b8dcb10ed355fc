"""The wishes about data, before any file is opened."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from trials.data import Source
from trials.data.pools import data_name
from trials.data.source import understand

Refused = Callable[..., AbstractContextManager[None]]


def test_an_unknown_name(refused: Refused) -> None:
    with refused("'cifar11'", "sample, cifar10, fashion-mnist, mnist", "check the path"):
        understand(Source("cifar11"))


@pytest.mark.parametrize("path", ["~nobody-of-this-name/photos", "a" * 300])
def test_a_path_that_can_not_be_looked_at(path: str, tmp_path: Path, refused: Refused) -> None:
    with refused(f"--data '{path}' can't be looked at", "check the path"):
        understand(Source(path))
    with refused("--data 'mnist' can't be looked at", "check the path"):
        understand(Source("mnist", data_root=path))


@pytest.mark.parametrize("name", ["cifar10", "fashion-mnist", "mnist"])
def test_a_named_set_needs_its_root(name: str, tmp_path: Path, refused: Refused) -> None:
    with refused(f"--data {name}", "--data-root DIR"):
        understand(Source(name))
    with refused(str(tmp_path / "none"), "is not a folder"):
        understand(Source(name, data_root=str(tmp_path / "none")))
    with refused(name, str(tmp_path), "--data-root"):
        understand(Source(name, data_root=str(tmp_path)))


def test_a_root_that_would_do_nothing(tmp_path: Path, refused: Refused) -> None:
    for data in ("sample", str(tmp_path)):
        with refused("--data-root", "leave it out", data):
            understand(Source(data, data_root=str(tmp_path)))


@pytest.mark.parametrize("data", ["sample", "cifar10"])
def test_a_val_folder_that_would_do_nothing(data: str, tmp_path: Path, refused: Refused) -> None:
    with refused("--val-folder 'val'", "for folders of images"):
        understand(Source(data, data_root=str(tmp_path) if data == "cifar10" else None, val_folder="val"))


@pytest.mark.parametrize("size", [0, 7, 1025, -64])
def test_image_size(size: int, refused: Refused) -> None:
    with refused(f"--image-size {size}", "8 to 1024"):
        Source("sample", image_size=size)


def test_seed(refused: Refused) -> None:
    with refused("--seed -1", "0 or more"):
        Source("sample", seed=-1)


def test_a_folder_with_the_name_of_a_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "sample" / name).mkdir(parents=True)
        (tmp_path / "sample" / name / "a.png").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    assert understand(Source("./sample")).origin == str(tmp_path / "sample")
    assert understand(Source("sample")).origin.startswith("the shipped sample")


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("My Photos (2)", "my-photos-2"),
        ("..", "data"),
        ("a/b\nc", "a-b-c"),
        ("été", "t"),
        ("x" * 90, "x" * 40),
        ("a.b_c-d", "a.b_c-d"),
    ],
)
def test_names_are_fit_for_folders(raw: str, name: str) -> None:
    assert data_name(raw) == name


def test_importing_and_opening_data_needs_no_torch() -> None:
    code = "import trials.data, sys; sys.exit(bool({'torch', 'torchvision'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
