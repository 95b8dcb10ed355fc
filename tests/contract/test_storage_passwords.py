"""A PostgreSQL that wants a password gets it from a file or from libpq's own places; it is in no address, and shows nowhere."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from postgres_server import CANARY

from policysearch.ledger import Ledger
from searchspaces.errors import BadInput


@pytest.fixture
def guarded(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a new database, for an account that must give its password."""
    for name in ("PGPASSWORD", "PGPASSFILE", "POLICYSEARCH_STORAGE_PASSWORD_FILE"):
        monkeypatch.delenv(name, raising=False)
    url: str = request.getfixturevalue("postgres_server").new_guarded_database(CANARY)
    return url


def test_the_password_comes_from_the_named_file(guarded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "password"
    file.write_text(CANARY + "\n")
    monkeypatch.setenv("POLICYSEARCH_STORAGE_PASSWORD_FILE", str(file))
    ledger = Ledger.open(guarded)
    assert ledger.create_study("a", {}).name == "a"
    assert CANARY not in ledger.url + repr(vars(ledger)) + str(pickle.dumps(ledger.url))


def test_libpqs_own_ways_work(guarded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", CANARY)
    assert Ledger.open(guarded).studies() == ()
    monkeypatch.delenv("PGPASSWORD")
    passfile = tmp_path / "pgpass"
    passfile.write_text("*:*:*:guarded:" + CANARY.replace("\\", "\\\\").replace(":", "\\:") + "\n")
    passfile.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passfile))
    assert Ledger.open(guarded).studies() == ()


def test_a_wrong_or_missing_password_is_said_without_it(guarded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="no password supplied"):
        Ledger.open(guarded)
    file = tmp_path / "password"
    file.write_text(CANARY + "wrong")
    monkeypatch.setenv("POLICYSEARCH_STORAGE_PASSWORD_FILE", str(file))
    with pytest.raises(BadInput, match="password authentication failed") as caught:
        Ledger.open(guarded)
    assert CANARY not in str(caught.value) and "\n" not in str(caught.value)
    file.unlink()
    with pytest.raises(BadInput, match=r"\$POLICYSEARCH_STORAGE_PASSWORD_FILE: .* can't be read \(No such file"):
        Ledger.open(guarded)


def test_it_is_in_no_command_line_and_no_traceback(guarded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "password"
    file.write_text(CANARY)
    monkeypatch.setenv("POLICYSEARCH_STORAGE_PASSWORD_FILE", str(file))
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from policysearch.ledger import Ledger\n"
        "ledger = Ledger.open(sys.argv[1])\n"
        "print(Path('/proc/self/cmdline').read_bytes(), Path('/proc/self/environ').read_bytes())\n"
        "ledger._database.read(lambda connection: connection.exec_driver_sql('SELECT nonsense'))\n"
    )
    said = subprocess.run([sys.executable, "-c", code, guarded], capture_output=True, text=True)
    assert "nonsense" in said.stderr and "cmdline" not in said.stderr
    assert CANARY not in said.stdout + said.stderr
