"""Brings the compiled kernels into this process: loaded where they are kept, else compiled, once a machine.

Many processes may start at once: one compiles, the others wait for it and load. Where nothing can be kept, the kernels are
compiled for this process alone, in a directory of its own that goes with it. The log says when it compiles: it takes a while.
"""

import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.abc import SourceLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from threading import Lock
from typing import Any

from searchspaces.engines.fused import keeping
from searchspaces.engines.fused.generating import ENTRY, Generated, generated

WHAT = "the augmentation kernels, about half a minute"
_log = logging.getLogger(__name__)
_lock = Lock()
_loaded: dict[str, "Kernels"] = {}
_private: list[tempfile.TemporaryDirectory[str]] = []


@dataclass(frozen=True)
class Kernels:
    """The kernels in this process: `run` is `program.run` compiled, `numbers` those of the ops in it (0 is no op).

    `compiled`: whether this process compiled them; `seconds`: how long that or the loading took; `directory`: where they are.
    """

    run: Callable[..., None]
    numbers: dict[str, int]
    directory: Path
    compiled: bool
    seconds: float


def kernels() -> Kernels:
    """The kernels of this process's op table, at once after the first call. Raises BadInput for an op that can't be compiled."""
    return _loaded.get("") or _load_once()


def _load_once() -> Kernels:
    with _lock:
        if "" not in _loaded:
            _loaded[""] = load(generated(), keeping.kernel_home())
        return _loaded[""]


def load(made: Generated, home: Path) -> Kernels:
    """The kernels of a generated module, kept under `home` or in a directory of this process where `home` can't be written to."""
    begun = time.perf_counter()
    found = load_module(made.text, home, WHAT)
    return Kernels(getattr(found.module, ENTRY), made.numbers, found.directory, found.compiled, time.perf_counter() - begun)


@dataclass(frozen=True)
class Loaded:
    """A compiled module; `compiled`: whether by this process; `directory`: where it is kept."""

    module: Any
    directory: Path
    compiled: bool


def load_module(text: str, home: Path, what: str) -> Loaded:
    """The module of a generated text, kept as `load` says; `what` tells the log what is compiled, and how long that takes."""
    key = keeping.key_of(text)
    directory = home / key
    compiled = False
    if not keeping.is_sound(directory, text):
        directory, compiled = _build(directory, text, what)
    elif not os.access(directory / "__pycache__", os.W_OK):
        directory = _borrowed(directory)
    return Loaded(_import(f"policysearch_kernels_{key}", directory, text), directory, compiled)


def _build(directory: Path, text: str, what: str) -> tuple[Path, bool]:
    """A sound directory with the module compiled, and whether this process compiled it."""
    try:
        keeping.make_directory(directory)
        with keeping.locked(directory):
            if keeping.is_sound(directory, text):
                return directory, False  # somebody else has, while this process waited for the lock
            _compile(directory, text, what)
    except OSError as error:
        _log.warning("kernels can't be kept in %s (%s); set $%s to a directory of yours", directory, error, keeping.VARIABLE)
        directory = _private_directory()
        _compile(directory, text, what)
    return directory, True


def _compile(directory: Path, text: str, what: str) -> None:
    _log.warning("compiling %s, once for this machine; kept in %s", what, directory)
    begun = time.perf_counter()
    keeping.write_module(directory, text)
    _import(f"policysearch_kernels_{directory.name}", directory, text)
    keeping.seal(directory, time.perf_counter() - begun)


def _borrowed(directory: Path) -> Path:
    """A copy to load from: numba looks for its files only where it could write them."""
    copy = _private_directory()
    shutil.copytree(directory, copy, dirs_exist_ok=True)  # keeps the times of files, which numba compares
    return copy


def _private_directory() -> Path:
    _private.append(tempfile.TemporaryDirectory(prefix="policysearch-kernels-"))
    return Path(_private[-1].name)


class _FromText(SourceLoader):
    """Imports text that this process has made as if it lay in a file: what is in the file is never run."""

    def __init__(self, path: Path, text: str) -> None:
        self._path, self._text = path, text

    def get_filename(self, fullname: str) -> str:
        """The file that stands for the module."""
        return str(self._path)

    def get_data(self, path: str | bytes) -> bytes:
        """The module's text, whatever the file holds."""
        return self._text.encode()


@contextmanager
def _cached_beside_the_module() -> Iterator[None]:
    """Numba's cache where `keeping` vouches for it, also where $NUMBA_CACHE_DIR would put it elsewhere."""
    from numba.core import config

    said = {name: getattr(config, name) for name in ("CACHE_DIR", "CACHE_LOCATOR_CLASSES") if hasattr(config, name)}
    try:
        for name in said:
            setattr(config, name, "")
        yield
    finally:
        for name, value in said.items():
            setattr(config, name, value)


def _import(name: str, directory: Path, text: str) -> Any:
    """The module, compiled or loaded by numba as it is imported."""
    if name not in sys.modules:
        spec = spec_from_loader(name, _FromText(directory / keeping.MODULE_FILE, text))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module = module_from_spec(spec)  # numba looks for it there
        try:
            with _cached_beside_the_module():
                spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]
