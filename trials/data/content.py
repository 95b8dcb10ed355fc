"""What a source's files hold, whatever they are called and wherever they lie: the part of a prepared copy's key that is content.

A reader's identity names files by path, bytes and time. Here each becomes its path below the folder that they share, and the
SHA-256 of what is in it, so that a folder that was copied, moved or touched has the copy that it had. What was hashed is
remembered under the home by path, bytes and time: who searches again reads no file for it. Refuses files that can't be read.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from searchspaces.errors import BadInput
from searchspaces.whole_files import write_whole

_SEEN = "prepared/contents"
_PART_BYTES = 1 << 20
_THREADS = 8  # hashing lets the others run


def content_of(identity: Mapping[str, Any], home_directory: Path) -> str:
    """SHA-256, in hex, of an identity (JSON values) with content in the place of dates. Files are [path, bytes, time in ns]."""
    files = list(dict.fromkeys(_files(identity)))
    known = _sha256(json.dumps(identity, sort_keys=True).encode())
    if not files:
        return known
    seen = home_directory / _SEEN / known
    if (found := _remembered(seen)) is not None:
        return found
    with ThreadPoolExecutor(_THREADS) as threads:
        digests = dict(zip(files, threads.map(_hashed, files), strict=True))
    common = os.path.commonpath([os.path.dirname(path) for path in files])
    found = _sha256(json.dumps(_by_content(identity, digests, common), sort_keys=True).encode())
    seen.parent.mkdir(parents=True, exist_ok=True)
    write_whole(seen, found.encode())
    return found


def _is_file(value: Any) -> bool:
    """Whether it is what `pools.file_identity` says of a file."""
    kinds = [type(part) for part in value] if isinstance(value, list | tuple) else []
    return kinds == [str, int, int] and os.path.isabs(value[0])


def _files(value: Any) -> Iterator[str]:
    if _is_file(value):
        yield value[0]
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _files(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _files(part)


def _by_content(value: Any, digests: Mapping[str, str], common: str) -> Any:
    if _is_file(value):
        return [os.path.relpath(value[0], common), digests[value[0]]]
    if isinstance(value, Mapping):
        return {_by_content(key, digests, common): _by_content(part, digests, common) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_by_content(part, digests, common) for part in value]
    return os.path.relpath(value, common) if isinstance(value, str) and os.path.isabs(value) else value


def _hashed(path: str) -> str:
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while part := file.read(_PART_BYTES):
                digest.update(part)
    except OSError as error:
        raise BadInput(f"{path!r} can't be read ({error.strerror}); check that it is still there, and its permissions") from error
    return digest.hexdigest()


def _remembered(seen: Path) -> str | None:
    try:
        found = seen.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return None
    return found if len(found) == 64 else None


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
