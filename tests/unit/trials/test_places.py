"""Files behind URLs: whole or not at all, with errors of one kind, and refused before anything depends on them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from searchspaces.errors import BadInput
from trials import places
from trials.places import Location, RemoteFile, location, require_usable, write_at


@pytest.fixture(params=["path", "memory", "file"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Location]:
    yield location({"path": str(tmp_path), "memory": "memory://a/b", "file": f"file://{tmp_path}"}[request.param])
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


def names(folder: Location) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_what_is_written_is_read_listed_and_deleted(folder: Location) -> None:
    file = folder / "deep" / "x.pt"
    assert not file.exists() and not isinstance(file, str) and file.name == "x.pt" and str(file.parent) == str(folder / "deep")
    with pytest.raises(FileNotFoundError):
        file.read_bytes()
    for data in (b"old", b"new and longer"):
        write_at(file, data)
        assert file.read_bytes() == data and file.exists() and names(folder / "deep") == ["x.pt"]
    file.unlink()
    file.unlink(missing_ok=True)
    assert not file.exists()


def test_a_write_that_fails_half_way_leaves_the_old_file_alone(folder: Location) -> None:
    def die() -> None:
        raise KeyboardInterrupt

    file = folder / "x.pt"
    write_at(file, b"old")
    with pytest.raises(KeyboardInterrupt):
        write_at(file, b"new", die)
    assert file.read_bytes() == b"old" and names(folder) == ["x.pt"]


def test_a_folder_that_is_not_there_is_empty() -> None:
    assert list(RemoteFile("memory://nowhere").iterdir()) == []


class Broken(MemoryFileSystem):  # type: ignore[misc]
    """Fails in its own way, as the libraries of object stores do."""

    protocol = "broken"
    cachable = False

    def _open(self, *values: Any, **more: Any) -> Any:
        raise ValueError("denied:\nby policy")

    pipe_file = cat_file = _open


def test_whatever_a_file_system_raises_is_an_oserror_of_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    fsspec.register_implementation("broken", Broken, clobber=True)
    for act in (RemoteFile("broken://a/x").read_bytes, lambda: write_at(RemoteFile("broken://a/x"), b"")):
        with pytest.raises(OSError) as raised:
            act()
        assert raised.value.strerror == "ValueError: denied:\\nby policy"


class Buckets(MemoryFileSystem):  # type: ignore[misc]
    """Paths begin with a bucket's name, and making a folder makes the bucket, as s3fs does."""

    protocol = "buckets"
    cachable = False

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return path.removeprefix("buckets://")

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        raise AssertionError("a bucket was made")

    def pipe_file(self, path: str, value: bytes, **more: Any) -> None:
        raise FileNotFoundError("The specified bucket does not exist")


def test_no_bucket_is_made_for_a_name_that_is_none() -> None:
    import fsspec

    fsspec.register_implementation("buckets", Buckets, clobber=True)
    with pytest.raises(BadInput, match=r"checkpoints buckets://mistyped/nets: can't be written to \(it isn't there\); the cure"):
        require_usable("buckets://mistyped/nets", "the cure")


def test_a_usable_place_is_left_as_it_was(folder: Location) -> None:
    require_usable(str(folder), "cure")
    assert names(folder) == []


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("nosuch://x/y", "can't be written to (ValueError: Protocol not known: nosuch"),
        ("https://127.0.0.1:9/x", "can't be written to ("),
        ("file:///proc/x", "can't be written to ("),
        ("/proc/x", "can't be written to ("),
        ("sftp://me:secret@host/x", "checkpoints sftp://me:...@host/x: holds a password"),
        ("simplecache::s3://x", "allowed is one file system's URL"),
        ("s3://x/*", "allowed is one file system's URL"),
    ],
)
def test_an_unusable_one_is_refused_in_one_line(said: str, reason: str) -> None:
    with pytest.raises(BadInput) as refused:
        require_usable(said, "the cure")
    text = str(refused.value)
    assert reason in text and "secret" not in text and "\n" not in text


def test_one_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from threading import Event

    monkeypatch.setattr(places, "PATIENCE_SECONDS", 0.05)
    over = Event()
    monkeypatch.setattr(places, "_try_out", lambda place, trouble: over.wait(20))
    with pytest.raises(BadInput, match="no answer in 0 s"):
        require_usable("memory://x", "cure")
    over.set()
