"""Where a ledger may be, as an address without a secret: SQLite files and PostgreSQL.

Refuses all else, and every address that holds a password: addresses are printed, pickled and handed to workers. libpq finds the
password in PGPASSWORD, ~/.pgpass or PGPASSFILE; `$POLICYSEARCH_STORAGE_PASSWORD_FILE` names a file that holds it alone.
"""

import os
from pathlib import Path

from sqlalchemy import URL, NullPool, create_engine, inspect, make_url
from sqlalchemy.exc import ArgumentError

from searchspaces.errors import BadInput

PASSWORD_FILE_VARIABLE = "POLICYSEARCH_STORAGE_PASSWORD_FILE"


def sqlite_url(path: Path) -> str:
    """The address of a ledger in a file."""
    return URL.create("sqlite", database=str(path.absolute())).render_as_string()


def checked(address: str) -> URL:
    """The address, parsed; PostgreSQL's with the driver that is used. BadInput for one that a ledger can't have."""
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):  # a port that is no number is a ValueError
        raise BadInput("ledger address: not a database address; give sqlite:////PATH or postgresql://HOST/DATABASE") from None
    backend = url.get_backend_name()
    if backend == "sqlite" and url.database and url.database != ":memory:":
        return url
    if backend in ("postgresql", "postgres"):
        _refuse_password(url)
        return url.set(drivername="postgresql+psycopg")
    raise BadInput(
        f"ledger {_bare(url)}: can't be kept there; allowed are a SQLite file (sqlite:////PATH)"
        " and PostgreSQL (postgresql://HOST/DATABASE)"
    )


def checked_storage(address: str) -> str:
    """An address as `--storage` gives it, good from any folder. BadInput for one that a ledger can't have."""
    url = checked(address)
    return sqlite_url(Path(str(url.database))) if url.get_backend_name() == "sqlite" else address


def password_from_file() -> str | None:
    """What the file that `$POLICYSEARCH_STORAGE_PASSWORD_FILE` names says, read anew each time; None without the variable."""
    name = os.environ.get(PASSWORD_FILE_VARIABLE)
    if not name:
        return None
    try:
        return Path(name).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise BadInput(f"${PASSWORD_FILE_VARIABLE}: {name!r} can't be read ({reason}); name a file with the password") from None


def tables_at(address: str) -> frozenset[str]:
    """The tables of any database, not only of a ledger's; of a file that is not there none, and it is not made."""
    url = make_url(address)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return frozenset()
    engine = create_engine(url, poolclass=NullPool)
    return frozenset(inspect(engine).get_table_names())


def _refuse_password(url: URL) -> None:
    if url.password is None and not any("password" in key.lower() for key in url.query):
        return
    raise BadInput(
        f"ledger {_bare(url)}: its address holds a password, which others could read; leave it out of the address, and give it by"
        f" PGPASSWORD, ~/.pgpass, PGPASSFILE or a file that ${PASSWORD_FILE_VARIABLE} names"
    )


def _bare(url: URL) -> str:
    """The address for a message: without whatever may be secret."""
    return URL.create(url.drivername, url.username, None, url.host, url.port, url.database).render_as_string()
