"""A real PostgreSQL server for tests, where its programs are installed: on a Unix socket in a directory of its own."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

CANARY = "c4n4ry-pass'word\\%40"
"""The password of guarded databases: whatever must not show it can be searched for it."""


class NoServer(Exception):
    """Why there can be no server here."""


@dataclass
class PostgresServer:
    """A server of our own, on a Unix socket in its own directory; nothing else can reach it."""

    directory: Path
    programs: Path
    account: dict[str, Any]
    process: subprocess.Popen[Any] | None = None

    def run(self, program: str, *arguments: str) -> None:
        subprocess.run([self.programs / program, *arguments], check=True, capture_output=True, cwd=self.directory, **self.account)

    def start(self) -> None:
        # No fsync: the tests kill processes, never the machine.
        options = ["-k", str(self.directory), "-c", "listen_addresses=", "-c", "fsync=off"]
        command = [str(self.programs / "postgres"), "-D", str(self.directory / "data"), *options]
        with (self.directory / "log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.directory, **self.account)
        self.process = process
        give_up_at = time.monotonic() + 60
        while not self.answers():
            assert process.poll() is None and time.monotonic() < give_up_at, (self.directory / "log").read_text()
            time.sleep(0.05)

    def answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(f"postgresql://ledger@/postgres?host={self.directory}").close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """As a crash would, but for the shared memory, which the server then cleans up by itself."""
        assert self.process is not None
        self.process.send_signal(3)  # SIGQUIT: immediate shutdown, recovery at the next start
        self.process.wait(timeout=60)

    def kill_at_once(self) -> None:
        """With -9, as when the machine goes down: first the server, so that it starts no others, then all that it had started."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in (self.process.pid, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(timeout=60)

    def new_database(self) -> str:
        name = f"ledger_{uuid4().hex}"
        self.run("createdb", "-h", str(self.directory), "-U", "ledger", name)
        return f"postgresql://ledger@/{name}?host={self.directory}"

    def new_guarded_database(self, password: str) -> str:
        """The address, without it, of a new database for an account that must give this password."""
        from sqlalchemy import NullPool, create_engine

        url = self.new_database()
        rules, rule = self.directory / "data" / "pg_hba.conf", "local all guarded scram-sha-256\n"
        if rule not in rules.read_text():
            rules.write_text(rule + rules.read_text())
        address = url.replace("postgresql:", "postgresql+psycopg:")
        with create_engine(address, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
            if connection.exec_driver_sql("SELECT 1 FROM pg_roles WHERE rolname = 'guarded'").first() is None:
                quoted = password.replace("'", "''").replace("%", "%%")
                connection.exec_driver_sql(f"CREATE ROLE guarded LOGIN SUPERUSER PASSWORD '{quoted}'")
            connection.exec_driver_sql("SELECT pg_reload_conf()")
        return url.replace("ledger@", "guarded@")


def _programs() -> Path | None:
    """The directory of the newest server's programs."""
    on_path = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name, reverse=True)
    complete = (
        path for path in [*on_path, *installed] if all((path / name).exists() for name in ("initdb", "postgres", "createdb"))
    )
    return next(complete, None)


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """A server that lives inside. Raises NoServer."""
    programs = _programs()
    if programs is None:
        raise NoServer("no PostgreSQL server is installed (looked for initdb, postgres and createdb)")
    directory = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # short: a socket's path has at most 107 characters
    server = PostgresServer(directory, programs, _unprivileged(directory))
    try:
        server.run("initdb", "-D", str(directory / "data"), "-U", "ledger", "-A", "trust", "-E", "UTF8", "--no-sync")
        server.start()
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.process.terminate()
            server.process.wait(timeout=60)
        shutil.rmtree(directory)


def _unprivileged(directory: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root; then it runs as another account, which must own its directory."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        os.chown(directory, account.pw_uid, account.pw_gid)
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    raise NoServer("PostgreSQL refuses to run as root, and there is no account postgres or nobody")
