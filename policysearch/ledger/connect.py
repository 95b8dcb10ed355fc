"""How the ledger reaches its database: transactions with retries, and the schema's version.

Refuses a file that is not a database, another program's tables, and a schema newer than this program's; an older one is brought
up to date when it is opened. A ledger may be used from many processes and threads, and survives a restart of the database.
"""

import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, inspect, select
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from policysearch.ledger import tables
from policysearch.ledger.address import checked
from policysearch.ledger.engines import connected, engine_for, forget, is_of_its_file
from policysearch.ledger.migration import migrate
from searchspaces.errors import BadInput
from searchspaces.json_text import one_line

Answer = TypeVar("Answer")

PATIENCE_SECONDS = 120.0
LONGEST_PAUSE_SECONDS = 2.0

_JITTER = secrets.SystemRandom()
_SQLITE_PASSING = {5, 6, 15}  # busy, locked, a race for the journal
# Serialisation, deadlock, lock not available, too many clients, and a server that shuts down, has crashed or is not up yet.
_POSTGRES_PASSING = {"40001", "40P01", "53300", "55P03", "57P01", "57P02", "57P03"}
# A server that refuses a connection for now says so in words alone: libpq passes no code on.
_POSTGRES_PASSING_WORDS = ("too many clients", "remaining connection slots", "too many connections", "the database system is")


class Database:
    """One database, reached by short transactions.

    `read` and `write` call `work` with a connection inside one transaction and call it again, in a new one, when the database was
    busy or away for a moment. Then it may be that the first one was recorded after all; so `work` must do nothing but talk to the
    database, and must know its own writing when it meets it. After `PATIENCE_SECONDS` they give up with BadInput. IntegrityError
    passes through: what a broken constraint means is for the caller to say.
    """

    def __init__(self, url: str) -> None:
        self._url = checked(url)
        self.name = self._url.render_as_string(hide_password=True)
        self._engine: Engine | None = None
        self._reached = self._is_open = False

    def read(self, work: Callable[[Connection], Answer]) -> Answer:
        """A reading transaction."""
        return self._with_patience(work, writes=False)

    def write(self, work: Callable[[Connection], Answer]) -> Answer:
        """A writing transaction: all of it is recorded, or nothing."""
        return self._with_patience(work, writes=True)

    def close(self) -> None:
        """Close what is kept of this database in this process; the next call opens it again."""
        forget(self._url)

    def require_ledger(self) -> None:
        """Raise BadInput unless this is a ledger that this program understands, or can bring up to date."""
        if self._file_is_missing() or not self._is_current():
            raise BadInput(
                f"ledger {self.name}: there is none; start one with `policysearch search`, or name another --home or --storage"
            )
        self._is_open = True

    def create_ledger(self) -> None:
        """Make the tables unless they are there. Many processes may do so at once."""
        if not self._is_current():
            self.write(self._create)

    def _create(self, connection: Connection) -> None:
        _take_turns(connection)
        if self._version(connection) is not None:
            return
        strangers = set(inspect(connection).get_table_names()) & set(tables.metadata.tables)
        if strangers:
            raise BadInput(
                f"ledger {self.name}: has a table {min(strangers)!r} of another program; name an empty database or another --home"
            )
        tables.metadata.create_all(connection)
        connection.execute(tables.schema_version.insert().values(version=tables.SCHEMA_VERSION))

    def _is_current(self) -> bool:
        """Whether there is a ledger; if it is an older one, it is a current one afterwards."""
        version = self.read(self._version)
        if version is not None and version < tables.SCHEMA_VERSION:
            self.write(self._migrate)
        return version is not None

    def _migrate(self, connection: Connection) -> None:
        _take_turns(connection)
        version = self._version(connection)
        if version is not None and version < tables.SCHEMA_VERSION:
            migrate(connection, self.name, version)

    def _version(self, connection: Connection) -> int | None:
        if not inspect(connection).has_table("schema_version"):
            return None
        version = connection.execute(select(tables.schema_version.c.version)).scalar()
        if version not in range(1, tables.SCHEMA_VERSION + 1):
            raise BadInput(
                f"ledger {self.name}: schema version {version}; this policysearch knows {tables.SCHEMA_VERSION};"
                " install the policysearch that wrote it, or name another --home"
            )
        assert isinstance(version, int)
        return version

    def _with_patience(self, work: Callable[[Connection], Answer], writes: bool) -> Answer:
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        pause_seconds = 0.02
        while True:
            try:
                answer, is_kept = self._once(work, writes)
                if is_kept:
                    return answer
            except IntegrityError:
                raise
            except DBAPIError as error:
                if not self._is_passing(error) or time.monotonic() > give_up_at:
                    forget(self._url)  # whatever state a connection may be in
                    raise self._unusable(error) from error
            time.sleep(_JITTER.uniform(0, pause_seconds))
            pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)

    def _once(self, work: Callable[[Connection], Answer], writes: bool) -> tuple[Answer, bool]:
        """What `work` gives, and whether what it wrote is in the file that now has the ledger's name."""
        engine = self._current_engine()
        with connected(engine, writes) as connection:
            self._reached = True
            with connection.begin():
                answer = work(connection)
        return answer, not writes or is_of_its_file(engine)

    def _current_engine(self) -> Engine:
        """The engine; what an open ledger's file was replaced by is looked at first."""
        if self._is_open and self._file_is_missing():
            raise BadInput(f"ledger {self.name}: its file was taken away; put it back, or name another --home")
        engine = engine_for(self._url)
        if engine is not self._engine:
            self._engine = engine  # before what follows, which comes through here
            if self._is_open:
                self.require_ledger()
        return engine

    def _file_is_missing(self) -> bool:
        return self._url.get_backend_name() == "sqlite" and not Path(str(self._url.database)).is_file()

    def _is_passing(self, error: DBAPIError) -> bool:
        """Whether the same call may well succeed a moment later."""
        code = getattr(error.orig, "sqlite_errorcode", None)
        if code is not None:
            return (code & 0xFF) in _SQLITE_PASSING
        state = getattr(error.orig, "sqlstate", None)
        if state is None:  # no server answered: it may be restarting, unless it never was there
            is_full = any(words in str(error.orig) for words in _POSTGRES_PASSING_WORDS)
            return is_full or (self._reached and (isinstance(error, OperationalError) or error.connection_invalidated))
        return error.connection_invalidated or state in _POSTGRES_PASSING

    def _unusable(self, error: DBAPIError) -> BadInput:
        reason = one_line(str(error.orig).split("\n")[0])
        cure = "check that the server runs and that this account may use the database"
        if self._url.get_backend_name() == "sqlite":
            cure = "name another file, or a --home on a disk that has room and can be written to"
        return BadInput(f"ledger {self.name}: {reason}; {cure}")


def _take_turns(connection: Connection) -> None:
    """Let one process at a time make or change tables; SQLite's writers do so anyway."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7024386)")
