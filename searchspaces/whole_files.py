"""Files that are there whole or not at all, whatever is killed or full. Refuses nothing; what the disk says is raised."""

import fcntl
import glob
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

FOR_ALL, FOR_THE_OWNER = 0o644, 0o600


def write_whole(path: Path, data: bytes, mode: int = FOR_ALL, halfway: Callable[[], object] = lambda: None) -> None:
    """Write to a temporary file in the same folder, sync, rename, sync the folder. After an OSError the old file stands.

    What killed writers of the same file left is removed. `halfway` is called when half of the data is written.
    """
    _remove_left(path)
    descriptor, temporary = _temporary(path)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data[: len(data) // 2])
            file.flush()
            halfway()
            file.write(data[len(data) // 2 :])
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync(path.parent)


def _temporary(path: Path) -> tuple[int, str]:
    """A new file beside `path`, locked for as long as it is open, so that it can be told from one whose writer is dead."""
    while True:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with suppress(OSError):  # a file system without locks: then nobody else will get one either, and it stays
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, temporary
        os.close(descriptor)  # taken for a dead writer's in the moment before it was locked


def _remove_left(path: Path) -> None:
    for left in path.parent.glob(f".{glob.escape(path.name)}.*"):
        with suppress(OSError), left.open("rb+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()


def sync(path: Path) -> None:
    """Have the disk hold what was written to a file, or which names are in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
