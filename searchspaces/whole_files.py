"""Files that are there whole or not at all, whatever is killed or full. Refuses nothing; what the disk says is raised."""

import os
import tempfile
from pathlib import Path

FOR_ALL, FOR_THE_OWNER = 0o644, 0o600


def write_whole(path: Path, data: bytes, mode: int = FOR_ALL) -> None:
    """Write to a temporary file in the same folder, sync, rename, sync the folder. After an OSError the old file stands."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Have the disk hold what was written to a file, or which names are in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
