"""How much of a home prepared images may take, which of them are in use, and which go first.

A prepared set (`data/KEY` with its `heldout/KEY`) is in use while a process holds a shared lock on `prepared/in-use/KEY`; when
the lock was last taken is when the set was last used. Sets are removed whole, the longest unused first, until the others take no
more than the limit. Never one in use, and never one that the caller spares: a study that is not finished needs its test images.
All can be made again from the data. Refuses a limit that is no number.
"""

from __future__ import annotations

import fcntl
import os
import weakref
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from searchspaces.errors import BadInput
from trials.data.store import only_maker, sweep, unfinished_name

VARIABLE = "POLICYSEARCH_DATA_GB"
DEFAULT_GB = 50.0
_FOLDERS = ("data", "heldout")
_USE = "prepared/in-use"


class InUse:
    """A hold on a prepared set: it ends with this value, or with the process."""

    def __init__(self, descriptor: int) -> None:
        self.release = weakref.finalize(self, os.close, descriptor)
        """Let go; a second time does nothing."""


@dataclass(frozen=True)
class KeptSet:
    """A prepared set of a home: its key, what it takes, when it was last used (seconds since 1970), and whether it is now."""

    key: str
    size_bytes: int
    used_at: float
    is_used: bool


def limit_bytes() -> int:
    """The most that prepared images may take: `$POLICYSEARCH_DATA_GB`, else 50 GB. `BadInput` for what is no size."""
    raw = os.environ.get(VARIABLE, "")
    try:
        gigabytes = float(raw) if raw else DEFAULT_GB
    except ValueError:
        gigabytes = -1.0
    if not 0 <= gigabytes < 1e9:
        raise BadInput(f"${VARIABLE}: {raw!r}; allowed is a number of gigabytes from 0 up, or leave it away for {DEFAULT_GB:g}")
    return round(gigabytes * 1e9)


def in_use(home_directory: Path, key: str) -> InUse:
    """Hold a set of this key, there or not, for as long as the value lives. `OSError` where the home can't be written."""
    path = _use_file(home_directory, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    use = InUse(descriptor := os.open(path, os.O_RDWR | os.O_CREAT, 0o644))
    with suppress(OSError):  # a file system without locks: then nothing there counts as unused
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    os.utime(path)
    return use


def kept_sets(home_directory: Path) -> tuple[KeptSet, ...]:
    """The prepared sets of a home, the longest unused first."""
    keys = {path.name for folder in _FOLDERS for path in _sets(home_directory / folder)}
    found = [
        KeptSet(key, _bytes(home_directory, key), _used_at(home_directory, key), _is_used(home_directory, key)) for key in keys
    ]
    return tuple(sorted(found, key=lambda one: (one.used_at, one.key)))


def make_room(home_directory: Path, most_bytes: int, spared: Collection[str] = ()) -> tuple[KeptSet, ...]:
    """Remove sets, the longest unused first, until the others take at most `most_bytes` or can't go; those that were removed.

    `spared` are keys that stay whatever they take.
    """
    if sum(one.size_bytes for one in kept_sets(home_directory)) <= most_bytes:
        return ()
    with only_maker(home_directory / "data"), only_maker(home_directory / "heldout"):
        kept = kept_sets(home_directory)
        total, removed = sum(one.size_bytes for one in kept), list[KeptSet]()
        for one in kept:
            if total > most_bytes and one.key not in spared and _removed(home_directory, one.key):
                removed.append(one)
                total -= one.size_bytes
        return tuple(removed)


def _removed(home_directory: Path, key: str) -> bool:
    """Remove a set unless it is in use. Each of its folders goes by a rename, so that none is ever seen half."""
    with _alone(home_directory, key) as is_ours:
        if is_ours:
            for folder in (home_directory / name for name in _FOLDERS):
                if (folder / key).is_dir():
                    (folder / key).rename(folder / unfinished_name(key))
                sweep(folder)
    return is_ours


@contextmanager
def _alone(home_directory: Path, key: str) -> Iterator[bool]:
    """Whether nobody holds the set; while inside nobody can."""
    path = _use_file(home_directory, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True


def _is_used(home_directory: Path, key: str) -> bool:
    try:
        with _use_file(home_directory, key).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _used_at(home_directory: Path, key: str) -> float:
    for path in (_use_file(home_directory, key), *(home_directory / folder / key for folder in _FOLDERS)):
        with suppress(OSError):
            return path.stat().st_mtime
    return 0.0


def _use_file(home_directory: Path, key: str) -> Path:
    return home_directory / _USE / key


def _sets(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]


def _bytes(home_directory: Path, key: str) -> int:
    size_bytes = 0
    for folder in _FOLDERS:
        for path in (home_directory / folder / key).glob("*"):
            with suppress(FileNotFoundError):
                size_bytes += path.lstat().st_size
    return size_bytes
