"""How the ledger reaches its database: addresses, connections, transactions with retries, and the schema's version.

Refuses every database but SQLite files and PostgreSQL, a file that is not a database, and a schema newer than this program's. No
connection is held between calls, so a ledger may be used from many processes and survives a restart of the database. Passwords
appear in no message.
"""

import logging
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, inspect, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError, OperationalError

from policysearch.ledger import tables
from searchspaces.errors import BadInput
from searchspaces.json_text import one_line

Answer = TypeVar("Answer")

SQLITE_BUSY_SECONDS = 60
PATIENCE_SECONDS = 120.0
LONGEST_PAUSE_SECONDS = 2.0

# Ctrl-C while a connection is being closed is told by SQLAlchemy with a traceback; there is nothing in it to lose.
logging.getLogger("sqlalchemy.pool").addHandler(logging.NullHandler())

_JITTER = secrets.SystemRandom()
_SQLITE_BUSY_OR_LOCKED = {5, 6}
# Serialisation, deadlock, lock not available, and a server that shuts down, has crashed or is not up yet.
_POSTGRES_PASSING = {"40001", "40P01", "55P03", "57P01", "57P02", "57P03"}


def sqlite_url(path: Path) -> str:
    """The address of a ledger in a file."""
    return URL.create("sqlite", database=str(path.absolute())).render_as_string()


class Database:
    """One database, reached by short transactions.

    `read` and `write` call `work` with a connection inside one transaction and call it again, in a new one, when the database was
    busy or away for a moment; so `work` must do nothing but talk to the database. After `PATIENCE_SECONDS` they give up with
    BadInput. IntegrityError passes through: what a broken constraint means is for the caller to say.
    """

    def __init__(self, url: str) -> None:
        self._url = _checked(url)
        self.name = self._url.render_as_string(hide_password=True)
        self._engine = _engine(self._url)
        self._reached = False

    def read(self, work: Callable[[Connection], Answer]) -> Answer:
        """A reading transaction."""
        return self._with_patience(work, writes=False)

    def write(self, work: Callable[[Connection], Answer]) -> Answer:
        """A writing transaction: all of it is recorded, or nothing."""
        return self._with_patience(work, writes=True)

    def require_ledger(self) -> None:
        """Raise BadInput unless this is a ledger that this program understands."""
        missing = self._url.get_backend_name() == "sqlite" and not Path(str(self._url.database)).is_file()
        if missing or not self.read(self._is_current):
            raise BadInput(f"ledger {self.name}: there is none; start one with `policysearch search`, or name another --home")

    def create_ledger(self) -> None:
        """Make the tables unless they are there. Many processes may do so at once."""
        if not self.read(self._is_current):
            self.write(self._create)

    def _create(self, connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7024386)")
        if self._is_current(connection):
            return
        strangers = set(inspect(connection).get_table_names()) & set(tables.metadata.tables)
        if strangers:
            raise BadInput(
                f"ledger {self.name}: has a table {min(strangers)!r} of another program; name an empty database or another --home"
            )
        tables.metadata.create_all(connection)
        connection.execute(tables.schema_version.insert().values(version=tables.SCHEMA_VERSION))

    def _is_current(self, connection: Connection) -> bool:
        if not inspect(connection).has_table("schema_version"):
            return False
        version = connection.execute(select(tables.schema_version.c.version)).scalar()
        if version != tables.SCHEMA_VERSION:
            raise BadInput(
                f"ledger {self.name}: schema version {version}; this policysearch knows {tables.SCHEMA_VERSION};"
                " install the policysearch that wrote it, or name another --home"
            )
        return True

    def _with_patience(self, work: Callable[[Connection], Answer], writes: bool) -> Answer:
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        pause_seconds = 0.02
        while True:
            try:
                with self._engine.connect() as connection:
                    self._reached = True
                    connection = connection.execution_options(writes=writes)
                    with connection.begin():
                        return work(connection)
            except IntegrityError:
                raise
            except DBAPIError as error:
                if not self._is_passing(error) or time.monotonic() > give_up_at:
                    raise self._unusable(error) from error
            time.sleep(_JITTER.uniform(0, pause_seconds))
            pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)

    def _is_passing(self, error: DBAPIError) -> bool:
        """Whether the same call may well succeed a moment later."""
        code = getattr(error.orig, "sqlite_errorcode", None)
        if code is not None:
            return (code & 0xFF) in _SQLITE_BUSY_OR_LOCKED
        state = getattr(error.orig, "sqlstate", None)
        if state is None:  # no server answered: it may be restarting, unless it never was there
            return self._reached and isinstance(error, OperationalError)
        return error.connection_invalidated or state in _POSTGRES_PASSING

    def _unusable(self, error: DBAPIError) -> BadInput:
        reason = one_line(str(error.orig).split("\n")[0])
        cure = "check that the server runs and that this account may use the database"
        if self._url.get_backend_name() == "sqlite":
            cure = "name another file, or a --home on a disk that has room and can be written to"
        return BadInput(f"ledger {self.name}: {reason}; {cure}")


def _checked(address: str) -> URL:
    try:
        url = make_url(address)
    except ArgumentError:
        raise BadInput("ledger address: not a database address; give sqlite:////PATH or postgresql://HOST/DATABASE") from None
    backend = url.get_backend_name()
    if backend == "sqlite" and url.database and url.database != ":memory:":
        return url
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    raise BadInput(
        f"ledger {url.render_as_string(hide_password=True)}: can't be kept there; allowed are a SQLite file (sqlite:////PATH)"
        " and PostgreSQL (postgresql://HOST/DATABASE)"
    )


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        try:
            return create_engine(url, poolclass=NullPool)
        except (ImportError, NoSuchModuleError):
            raise BadInput('ledger on PostgreSQL: its driver is missing; pip install "policysearch[postgres]"') from None
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": SQLITE_BUSY_SECONDS})
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin by itself: `_begin_sqlite` does
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later can't wait for its turn, it fails; so writers ask for the lock at once.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options()["writes"] else "BEGIN")
