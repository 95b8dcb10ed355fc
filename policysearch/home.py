"""Where everything lives that studies write: one directory, its ledger and its folders. Refuses names that aren't plain.

The ledger may be elsewhere: in a storage that `--storage` or `$POLICYSEARCH_STORAGE` names, for several machines to write to. A
study that is being searched is locked by its searching process; the lock goes with the process, however it ends.
"""

import fcntl
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from searchspaces.errors import BadInput

VARIABLE = "POLICYSEARCH_HOME"
STORAGE_VARIABLE = "POLICYSEARCH_STORAGE"
KERNELS_VARIABLE = "POLICYSEARCH_KERNELS"
LOCK_PATIENCE_SECONDS = 1.0  # somebody who only looks (`is_locked`) holds the lock for a moment
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,99}")


@dataclass(frozen=True)
class Home:
    """A directory: `ledger.sqlite`, `data/`, `heldout/` (prepared images), `studies/NAME/` (weights, policy.json), `kernels/`.

    With a `storage`, a database's address, the ledger is kept there instead.
    """

    root: Path
    storage: str | None = None

    @staticmethod
    def locate(flag: str | Path | None = None, storage: str | None = None) -> "Home":
        """The directory that `flag` names, else `$POLICYSEARCH_HOME`, else the user's data folder. Creates nothing.

        The ledger is in `storage`, else in `$POLICYSEARCH_STORAGE`, else in that directory. Raises BadInput for a ~ of a user
        that there is not, and for a storage that a ledger can't be kept in, or whose address holds a password.
        """
        storage = storage or os.environ.get(STORAGE_VARIABLE) or None
        if storage is not None:
            from policysearch.ledger import checked_storage

            storage = checked_storage(storage)
        chosen = flag or os.environ.get(VARIABLE)
        if not chosen:
            from platformdirs import user_data_path

            chosen = user_data_path("policysearch", appauthor=False)
        try:
            return Home(Path(chosen).expanduser().absolute(), storage)
        except RuntimeError as error:  # "~name/" of a user that there is not
            raise BadInput(f"home {str(chosen)!r}: {error} Give another directory with --home or ${VARIABLE}") from error

    @property
    def ledger_url(self) -> str:
        """The SQLAlchemy URL of this home's ledger."""
        if self.storage is not None:
            return self.storage
        from policysearch.ledger import sqlite_url

        return sqlite_url(self._ledger_path)

    @property
    def has_ledger(self) -> bool:
        """Whether anything has been searched here yet; a storage says so itself when it is opened."""
        return self.storage is not None or self._ledger_path.exists()

    @property
    def ledger_place(self) -> str:
        """Where the ledger is, for people."""
        return self.storage or str(self.root)

    def environment(self) -> dict[str, str]:
        """The environment for a process that works on this home: the storage is told by it, never by a command line."""
        environment = {name: value for name, value in os.environ.items() if name != STORAGE_VARIABLE}
        return environment if self.storage is None else environment | {STORAGE_VARIABLE: self.storage}

    @property
    def _ledger_path(self) -> Path:
        return self.root / "ledger.sqlite"

    def study_directory(self, name: str) -> Path:
        """Where the study of this name keeps its files. Raises BadInput for a name that is no plain file name."""
        if not _NAME.fullmatch(name):
            allowed = "1 to 100 letters, digits and . _ + -, beginning with a letter, a digit or _"
            raise BadInput(f"study name {name!r}: allowed are {allowed}; choose another")
        return self.root / "studies" / name

    def data_directory(self, recorded: str) -> Path:
        """Where the training images of a trial are, if they are still there: its home may have moved since it was `recorded`."""
        return self.root / "data" / Path(recorded).name

    def heldout_directory(self, data_directory: str) -> Path:
        """Where the test images are that were prepared together with `data_directory`; whether or not there are any."""
        return self.root / "heldout" / Path(data_directory).name

    @contextmanager
    def keeping_kernels(self) -> Iterator[None]:
        """Inside, this process and those it starts keep compiled kernels here, unless `$POLICYSEARCH_KERNELS` names a place."""
        given = os.environ.get(KERNELS_VARIABLE)
        os.environ[KERNELS_VARIABLE] = given or str(self.root / "kernels")
        try:
            yield
        finally:
            if given is None:
                del os.environ[KERNELS_VARIABLE]
            else:
                os.environ[KERNELS_VARIABLE] = given

    def make(self) -> "Home":
        """Create the directory if need be. Raises BadInput when it can't be written to."""
        cure = f"give a directory that can be written with --home or ${VARIABLE}"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"home {self.root}: can't be created ({error.strerror}); {cure}") from error
        try:
            with tempfile.TemporaryFile(dir=self.root):
                return self
        except OSError as error:
            raise BadInput(f"home {self.root}: can't be written to ({error.strerror}); {cure}") from error

    @contextmanager
    def lock(self, name: str) -> Iterator[Path]:
        """Hold the study for this process alone; gives its directory, made if need be. BadInput when another process holds it."""
        directory = self.study_directory(name)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise BadInput(f"study directory {directory}: can't be written to ({error.strerror}); give another --home") from error
        try:
            give_up_at = time.monotonic() + LOCK_PATIENCE_SECONDS
            while not _locked(descriptor, fcntl.LOCK_EX):
                if time.monotonic() > give_up_at:
                    holder = os.read(descriptor, 100).decode("ascii", errors="replace").strip() or "unknown"
                    raise BadInput(f"study {name!r}: process {holder} is at work on it; wait for it, or stop it and try again")
                time.sleep(0.05)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
            yield directory
        finally:
            os.close(descriptor)

    def is_locked(self, name: str) -> bool:
        """Whether a process is searching the study now."""
        try:
            descriptor = os.open(self.study_directory(name) / "lock", os.O_RDONLY)
        except OSError:
            return False
        try:
            return not _locked(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
