"""Databases for the contract tests: SQLite in a file, and a real PostgreSQL server where its programs are installed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import NoServer, PostgresServer, running_server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    pytest.importorskip("psycopg")
    try:
        with running_server() as server:
            yield server
    except NoServer as reason:
        pytest.skip(str(reason))


@pytest.fixture(params=["sqlite", "postgresql"])
def new_ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a ledger that is not made yet."""
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        return server.new_database()
    from policysearch.ledger import sqlite_url

    return sqlite_url(tmp_path / "ledger.sqlite")
