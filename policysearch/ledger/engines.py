"""How a process talks to a database: SQLite by a connection that is kept, PostgreSQL by one for each call.

Opening a SQLite file and leaving it as the last one costs as much as several commits, so that its connections are kept from call
to call, a few files' at a time. They are not used after the file was replaced by another, and closed before a fork: what SQLite
knows of its own locks would be wrong in the child. PostgreSQL's connections are a server's resource: none is held between calls.
"""

import atexit
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, QueuePool, create_engine, event
from sqlalchemy.exc import NoSuchModuleError

from policysearch.ledger.address import password_from_file
from policysearch.ledger.filesystems import require_local
from searchspaces.errors import BadInput

SQLITE_BUSY_SECONDS = 60
MOST_FILES = 8  # SQLite files that are kept open; each has a few descriptors
FORK_PATIENCE_SECONDS = 10.0  # how long a fork waits for transactions of other threads
# What tells a server that is away from one that is slow: without them a cut cable is noticed after a quarter of an hour.
POSTGRES_LIMITS = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}

# Ctrl-C while a connection is being closed is told by SQLAlchemy with a traceback; there is nothing in it to lose.
logging.getLogger("sqlalchemy.pool").addHandler(logging.NullHandler())

FileIdentity = tuple[int, int] | None

_engines: "OrderedDict[URL, Engine]" = OrderedDict()
_opened: dict[Engine, FileIdentity] = {}  # which file a SQLite engine's connections are of, once there are any
_turn = threading.Condition()
_at_work = 0  # threads in a transaction
_forking = False


def engine_for(url: URL) -> Engine:
    """The process's engine for a checked address; another one than before when its file was replaced in between."""
    with _turn:
        engine = _engines.get(url)
        if engine is not None and not is_of_its_file(engine):
            _drop(url)
            engine = None
        if engine is None:
            engine = _engines[url] = _sqlite(url) if url.get_backend_name() == "sqlite" else _postgres(url)
            while len(_engines) > MOST_FILES:
                _drop(next(iter(_engines)))
        _engines.move_to_end(url)
        return engine


def is_of_its_file(engine: Engine) -> bool:
    """Whether what a SQLite engine writes is in the file of that name, as far as it has opened any; True of other engines."""
    return engine not in _opened or _opened[engine] == _identity(engine.url)


def forget(url: URL) -> None:
    """Close what is kept for an address. The last one to leave a SQLite file takes its journal away."""
    with _turn:
        _drop(url)


@contextmanager
def connected(engine: Engine, writes: bool) -> Iterator[Connection]:
    """A connection for one transaction. No fork begins inside."""
    global _at_work
    with _turn:
        _turn.wait_for(lambda: not _forking)
        _at_work += 1
    try:
        with engine.connect() as connection:
            yield connection.execution_options(writes=writes)
    finally:
        with _turn:
            _at_work -= 1
            _turn.notify_all()


def _drop(url: URL) -> None:
    engine = _engines.pop(url, None)
    if engine is not None:
        _opened.pop(engine, None)
        engine.dispose()


def _identity(url: URL) -> FileIdentity:
    try:
        found = os.stat(str(url.database))
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _sqlite(url: URL) -> Engine:
    require_local(Path(str(url.database)))
    settings = {"timeout": SQLITE_BUSY_SECONDS, "check_same_thread": False}  # one thread at a time has a pooled connection
    pool: dict[str, Any] = {"poolclass": QueuePool, "pool_size": 2, "max_overflow": -1, "pool_use_lifo": True}
    engine = create_engine(url, connect_args=settings, **pool)

    def set_up(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver must not begin by itself: `_begin_sqlite` does
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()
        _opened.setdefault(engine, _identity(url))

    event.listen(engine, "connect", set_up)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later can't wait for its turn, it fails; so writers ask for the lock at once.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options()["writes"] else "BEGIN")


def _postgres(url: URL) -> Engine:
    limits = {name: value for name, value in POSTGRES_LIMITS.items() if name not in url.query}
    try:
        engine = create_engine(url, poolclass=NullPool, connect_args=limits)
    except (ImportError, NoSuchModuleError):
        raise BadInput('ledger on PostgreSQL: its driver is missing; pip install "policysearch[postgres]"') from None
    event.listen(engine, "do_connect", _give_password)
    return engine


def _give_password(_dialect: object, _record: object, _values: object, parameters: dict[str, Any]) -> None:
    password = password_from_file()
    if password is not None:
        parameters["password"] = password


def _close_all() -> None:
    for url in list(_engines):
        _drop(url)


def _before_fork() -> None:
    global _forking
    _turn.acquire()
    _forking = True
    _turn.wait_for(lambda: _at_work == 0, FORK_PATIENCE_SECONDS)
    _close_all()


def _after_fork() -> None:
    global _forking
    _forking = False
    _turn.notify_all()
    _turn.release()


def _begin_as_a_child() -> None:
    global _turn, _at_work, _forking
    _turn, _at_work, _forking = threading.Condition(), 0, False


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_begin_as_a_child)
atexit.register(_close_all)
