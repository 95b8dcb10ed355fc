"""Where compiled kernels are kept on this machine, and whether what is kept there is sound. Compiles and imports nothing.

One directory for each hash of the generated module, the versions that compile it, the CPU and the user. Any of them may be
deleted at any time: it is made again. Refuses directories that others may write to.
"""

import fcntl
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

HOME_VARIABLE = "POLICYSEARCH_HOME"
VARIABLE = "POLICYSEARCH_KERNELS"
MODULE_FILE, MANIFEST = "kernels.py", "manifest.json"


def kernel_home() -> Path:
    """`$POLICYSEARCH_KERNELS`, else `kernels` in `$POLICYSEARCH_HOME`, else in the user's folder for caches. Creates nothing."""
    for variable, below in ((VARIABLE, ""), (HOME_VARIABLE, "kernels")):
        if os.environ.get(variable):
            return Path(os.path.expanduser(os.environ[variable])).absolute() / below
    caches = "~/Library/Caches" if sys.platform == "darwin" else os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.path.expanduser(caches)) / "policysearch" / "kernels"


def anything_kept() -> bool:
    """Whether any kernels were compiled to the end here before; those of another table or CPU count as well."""
    return any(kernel_home().glob(f"*/{MANIFEST}"))


def key_of(text: str) -> str:
    """The hash of all that the machine code depends on, 16 hex digits."""
    import numba
    import numpy as np
    from numba.core.registry import cpu_target

    # What numba's own variables say (bounds checks, optimisation, another CPU) makes other code, too; where it caches does not.
    said = [(name, value) for name, value in os.environ.items() if name.startswith("NUMBA_")]
    wishes = sorted(f"{name}={value}" for name, value in said if not name.startswith("NUMBA_CACHE_"))
    cpu = cpu_target.target_context.codegen().magic_tuple()  # what numba compiles for: system, processor, its features
    versions = (sys.version, numba.__version__, version("llvmlite"), np.__version__)
    facts = json.dumps([text, versions, cpu, wishes, os.getuid()])
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


def make_directory(directory: Path) -> None:
    """A directory for this user alone, with those above it. Raises OSError where that can't be."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    directory.mkdir(mode=0o700, exist_ok=True)
    facts = directory.stat()
    if facts.st_uid != os.getuid() or facts.st_mode & 0o022:
        raise PermissionError(f"{directory} belongs to others or can be written to by others")


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the directory's lock, which lies beside it and goes with the process, however it ends."""
    descriptor = os.open(f"{directory}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def is_sound(directory: Path, text: str) -> bool:
    """Whether the directory holds this module, compiled to the end, and not a byte of it has changed since."""
    try:
        facts = directory.stat()
        recorded = json.loads((directory / MANIFEST).read_text())["files"]
        mine = facts.st_uid == os.getuid() and not facts.st_mode & 0o022
        return bool(
            mine and (directory / MODULE_FILE).read_text() == text and recorded == _digests(directory) and len(recorded) > 1
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def write_module(directory: Path, text: str) -> Path:
    """Put the module's text into the directory, which is emptied of all else before."""
    for entry in sorted(directory.rglob("*"), reverse=True):
        entry.rmdir() if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    path = directory / MODULE_FILE
    path.write_text(text)
    return path


def seal(directory: Path, compile_seconds: float) -> None:
    """Record that all of the directory is there, in one step; `is_sound` is true from here on."""
    written = directory / f"{MANIFEST}.{os.getpid()}"
    written.write_text(json.dumps({"compile_seconds": compile_seconds, "files": _digests(directory)}, indent=1))
    os.replace(written, directory / MANIFEST)


def compile_seconds(directory: Path) -> float:
    """How long the kernels of a sound directory took to compile."""
    return float(json.loads((directory / MANIFEST).read_text())["compile_seconds"])


def _digests(directory: Path) -> dict[str, str]:
    """The SHA-256 of the module and of each file of machine code beside it."""
    files = [directory / MODULE_FILE, *sorted(directory.rglob("*.nb[ic]"))]
    return {file.relative_to(directory).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
