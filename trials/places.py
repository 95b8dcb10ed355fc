"""Where a kept file is: on a disk, as a path, or behind a URL of any file system that fsspec knows (s3://, gs://, sftp://, file://).

Both are written whole or not at all: a path by temporary file, fsync and rename; a URL by an upload under a temporary name that
is then moved. What goes wrong behind a URL is an OSError, whatever library says it. Refuses URLs that hold a password, that chain
file systems, or that no file can be written to and read back from.
"""

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit
from uuid import uuid4

from searchspaces.errors import BadInput
from searchspaces.json_text import one_line
from searchspaces.whole_files import FOR_THE_OWNER, write_whole

PATIENCE_SECONDS = 60.0  # object stores try again for a while, some of them for many minutes


@dataclass(frozen=True)
class RemoteFile:
    """A file or folder behind a URL, with as much of `pathlib.Path` as kept files need. Every method may raise OSError."""

    url: str

    def __truediv__(self, name: str) -> "RemoteFile":
        return RemoteFile(f"{self.url.rstrip('/')}/{name}")

    def __str__(self) -> str:
        return self.url

    @property
    def name(self) -> str:
        """The last part of its URL."""
        return self.url.rpartition("/")[2]

    @property
    def parent(self) -> "RemoteFile":
        """The folder it is in."""
        return RemoteFile(self.url.rpartition("/")[0])

    def exists(self) -> bool:
        """Whether it is there."""
        with _as_os_errors() as opened:
            system, path = opened(self.url)
            return bool(system.exists(path))

    def read_bytes(self) -> bytes:
        """All of it. FileNotFoundError where it isn't."""
        with _as_os_errors() as opened:
            system, path = opened(self.url)
            found: bytes = system.cat_file(path)
            return found

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete it."""
        with _as_os_errors() as opened:
            system, path = opened(self.url)
            if system.exists(path) or not missing_ok:
                system.rm_file(path)

    def mkdir(self, parents: bool = True, exist_ok: bool = True) -> None:
        """Make the folder, where the file system has folders. In an object store, whose paths begin with a bucket's name, there
        are none, and its library would make the bucket: a name that was mistyped must not become one.
        """
        with _as_os_errors() as opened:
            system, path = opened(self.url)
            if path.startswith("/"):
                system.makedirs(path, exist_ok=exist_ok)

    def iterdir(self) -> "Iterator[RemoteFile]":
        """What is in the folder, in the order of names; nothing where it isn't there."""
        with suppress(FileNotFoundError), _as_os_errors() as opened:
            system, path = opened(self.url)
            names = sorted(str(name).rstrip("/").rpartition("/")[2] for name in system.ls(path, detail=False))
            return iter([self / name for name in names])
        return iter(())

    def write_whole(self, data: bytes, halfway: Callable[[], object] = lambda: None) -> None:
        """Upload under a temporary name beside it, then move. `halfway` is called between the two."""
        self.parent.mkdir()
        with _as_os_errors() as opened:
            system, path = opened(self.url)
            _, temporary = opened(str(self.parent / f".{self.name}.{uuid4().hex}"))
            try:
                system.pipe_file(temporary, data)
                halfway()
                system.mv(temporary, path)
            except BaseException:
                with suppress(Exception):
                    system.rm_file(temporary)
                raise


Location: TypeAlias = Path | RemoteFile


def is_url(text: str) -> bool:
    """Whether it names a file system's URL and no path."""
    return "://" in text


def location(text: str | os.PathLike[str]) -> Location:
    """What a path or a URL names. Opens nothing."""
    said = os.fspath(text)
    return RemoteFile(said) if is_url(said) else Path(said)


def write_at(place: Location, data: bytes, halfway: Callable[[], object] = lambda: None) -> None:
    """Write a file whole or not at all, on a disk for its owner alone; folders are made. OSError where that can't be."""
    if isinstance(place, RemoteFile):
        place.write_whole(data, halfway)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    write_whole(place, data, FOR_THE_OWNER, halfway)


def require_usable(said: str, cure: str) -> None:
    """Raise BadInput, with the cure, unless a file can be written below `said`, read back and deleted, within a minute."""
    if is_url(said):
        _require_plain(said, cure)
    trouble: list[str] = []
    trying = threading.Thread(target=_try_out, args=(location(said), trouble), name="probe", daemon=True)
    trying.start()
    trying.join(PATIENCE_SECONDS)
    if trying.is_alive():
        trouble.append(f"no answer in {PATIENCE_SECONDS:.0f} s")
    if trouble:
        raise BadInput(f"checkpoints {said}: can't be written to ({one_line(trouble[0], 200)}); {cure}")


def _require_plain(url: str, cure: str) -> None:
    parts = urlsplit(url)
    if parts.password is not None:
        shown = url.replace(f":{parts.password}@", ":...@")
        raise BadInput(f"checkpoints {shown}: holds a password, which would be recorded; give it by fsspec's configuration file")
    if "::" in url or any(sign in url for sign in "*?[]"):
        raise BadInput(f"checkpoints {url}: allowed is one file system's URL of a folder, without ::, *, ?, [ or ]; {cure}")


def _try_out(place: Location, trouble: list[str]) -> None:
    """Write, read and delete a file there; what went wrong goes to `trouble`."""
    probe = place / f"probe-{uuid4().hex}"
    try:
        write_at(probe, b"policysearch")
        if probe.read_bytes() != b"policysearch":
            trouble.append("what was written is not what is read")
        probe.unlink()
    except OSError as error:
        trouble.append(error.strerror or str(error))


@contextmanager
def _as_os_errors() -> Iterator[Callable[[str], tuple[Any, str]]]:
    """Gives what opens a URL's file system, its listings fresh; whatever is raised inside becomes an OSError with a reason."""

    def opened(url: str) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        system, path = url_to_fs(url)
        system.invalidate_cache()
        return system, path

    try:
        yield opened
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, "it isn't there") from error
    except Exception as error:
        raise OSError(errno.EIO, one_line(f"{type(error).__name__}: {error}", 200)) from error
