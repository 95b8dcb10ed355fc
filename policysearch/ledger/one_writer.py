"""One writer at a time to a storage of Optuna's, file or database: the second waits, and finds what the first one wrote.

Optuna adds a trial without asking whether it is there, so that two who look at once would both add it. A database of PostgreSQL
has locks for this, which its server lets go when a writer dies. For files it is a lock on their folder, which leaves no file
behind; where a file system knows no such lock, as some that are shared by a network, there is none. Refuses nothing.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import NullPool, create_engine, text

KEY = 0x706F6C6963797365  # of PostgreSQL's advisory locks, which belong to one database; any number that nobody else takes


@contextmanager
def one_writer_to_database(url: str) -> Iterator[None]:
    """Inside, nobody else who asks is at the PostgreSQL database. May raise whatever the driver raises."""
    engine = create_engine(url, poolclass=NullPool)
    # Until the end of a transaction, not of a connection: a pooler in between may give the next one to somebody else.
    with engine.connect() as connection, connection.begin():
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": KEY})
        yield


@contextmanager
def one_writer_to_file(path: Path) -> Iterator[None]:
    """Inside, nobody else who asks is at a file of this folder."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
