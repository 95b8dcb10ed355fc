"""On what kind of file system a path lies: SQLite's locks and shared memory do not work across machines.

A ledger in SQLite is refused on a network file system, before it is damaged there.
"""

import re
from pathlib import Path

from searchspaces.errors import BadInput

MOUNTS = Path("/proc/mounts")
NETWORK = {"9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2"}
NETWORK |= {"orangefs", "panfs", "pvfs2", "smb2", "smb3", "smbfs"}
NETWORK |= {f"fuse.{name}" for name in ("beegfs", "ceph", "ceph-fuse", "davfs", "gcsfuse", "glusterfs", "juicefs")}
NETWORK |= {f"fuse.{name}" for name in ("rclone", "s3fs", "sshfs", "vmhgfs-fuse")}


def network_filesystem(path: Path, mounts: str) -> str | None:
    """The kind of network file system that `path` lies on, by a text as /proc/mounts has it; None on a disk of this machine."""
    kind, deepest = None, -1
    for line in mounts.splitlines():
        _, place, found, *_ = (*line.split(" "), "", "", "")
        point = Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), place))
        # A later mount hides an earlier one of the same place.
        if place and path.is_relative_to(point) and len(point.parts) >= deepest:
            # Containers whose whole root comes from their host by 9p are alone on it.
            kind, deepest = None if (found, place) == ("9p", "/") else found, len(point.parts)
    return kind if kind in NETWORK else None


def require_local(path: Path) -> None:
    """Raise BadInput for a SQLite file on a network file system. Where the system doesn't say, all is taken to be local."""
    try:
        mounts = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
        kind = network_filesystem(path.resolve(), mounts)
    except (OSError, RuntimeError):  # no Linux; a loop of links, which opening the file will name
        return
    if kind is not None:
        raise BadInput(
            f"ledger {path}: lies on a network file system ({kind}), where SQLite loses data; give a --home on a disk of this"
            " machine, or keep the ledger in PostgreSQL with --storage postgresql://HOST/DATABASE"
        )
