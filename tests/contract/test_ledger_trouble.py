"""Ledgers that can't be used, are busy, or go away for a moment: one line with the cure, or patience; passwords never show."""

import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, text

from policysearch.ledger import Claim, ClaimedModel, Ledger, connect, engines, sqlite_url
from searchspaces.errors import BadInput

NOBODY = 65534
MODEL: ClaimedModel = {"trial_uid": "uid", "label": "", "weights_sha256": "", "arm": "winner", "replicate": 0}


def complaint(url: str) -> str:
    with pytest.raises(BadInput) as caught:
        Ledger.open(url)
    message = str(caught.value)
    assert "\n" not in message and "; " in message  # what is wrong; the cure
    return message


@contextmanager
def without_root() -> Iterator[None]:
    """Root may write anywhere, so that what a user meets shows only as another account."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def anyones_directory() -> Iterator[Path]:
    """Like tmp_path, but every account may enter it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes, for many years\n" * 100)
    assert "file is not a database; name another file" in complaint(sqlite_url(path))
    assert path.read_text() == "my notes, for many years\n" * 100


def test_a_cut_ledger_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    Ledger.open(sqlite_url(path)).close()
    path.write_bytes(path.read_bytes()[:10_000])
    assert "malformed" in complaint(sqlite_url(path))


def test_a_missing_directory_is_named_and_not_made(tmp_path: Path) -> None:
    assert str(tmp_path / "none") in complaint(sqlite_url(tmp_path / "none" / "ledger.sqlite"))
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_written_is_named(anyones_directory: Path) -> None:
    locked, written = anyones_directory / "locked", anyones_directory / "written"
    locked.mkdir()
    written.mkdir()
    Ledger.open(sqlite_url(written / "ledger.sqlite")).close()
    for directory in (locked, written):
        directory.chmod(0o555)
        with without_root():
            message = complaint(sqlite_url(directory / "ledger.sqlite"))
        assert str(directory) in message and "can be written to" in message


@pytest.mark.parametrize(
    "name", ["with space.sqlite", "what?.sqlite", "50%.sqlite", "é#&\N{PILE OF POO}.sqlite", "new\nline.sqlite"]
)
def test_any_path_can_hold_a_ledger(tmp_path: Path, name: str) -> None:
    study = Ledger.open(sqlite_url(tmp_path / name)).create_study("a", {})
    ledger = Ledger(sqlite_url(tmp_path / name))
    assert ledger.studies() == (study,)
    ledger.close()
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("url", ["", "nonsense", "sqlite://", "sqlite:///:memory:", "mysql://me:canary@host/db", "mlflow://x"])
def test_other_addresses_are_refused(url: str) -> None:
    message = complaint(url)
    assert "sqlite:////PATH" in message and "postgresql://HOST/DATABASE" in message
    assert "canary" not in message


def test_a_server_that_is_not_there_is_named_at_once() -> None:
    started = time.monotonic()
    message = complaint("postgresql://me@127.0.0.1:1/ledger")
    assert time.monotonic() - started < connect.PATIENCE_SECONDS / 4
    assert "127.0.0.1:1/ledger" in message and "check that the server runs" in message


def test_a_busy_ledger_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "SQLITE_BUSY_SECONDS", 0.01)  # so that our own patience is what waits
    url = sqlite_url(tmp_path / "ledger.sqlite")
    ledger = Ledger.open(url)
    other = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    freeing = threading.Timer(0.5, lambda: other.execute("COMMIT"))
    freeing.start()
    study = ledger.create_study("a", {})
    freeing.join()
    other.close()
    assert ledger.studies() == (study,)


def test_patience_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "SQLITE_BUSY_SECONDS", 0.01)
    monkeypatch.setattr(connect, "PATIENCE_SECONDS", 0.2)
    ledger = Ledger.open(sqlite_url(tmp_path / "ledger.sqlite"))
    other = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(BadInput, match="database is locked; "):
        ledger.create_study("a", {})
    other.execute("COMMIT")
    other.close()
    assert ledger.studies() == ()


def test_a_reader_that_turns_writer_waits_its_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The claim reads before it writes; with SQLite's ordinary BEGIN that fails at once when another has written in between."""
    monkeypatch.setattr(connect, "PATIENCE_SECONDS", 0)  # so that it must go right the first time
    ledger = Ledger.open(sqlite_url(tmp_path / "ledger.sqlite"))
    studies = [ledger.create_study(f"study {number}", {}) for number in range(8)]
    errors: list[BaseException] = []

    def claim(uid: str) -> None:
        try:
            ledger.claim_test(uid, "images", [MODEL])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=claim, args=(study.uid,)) for study in studies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    claims = [ledger.claim(study.uid) for study in studies]
    assert sorted(claim.looks_before for claim in claims if claim) == list(range(8))


def test_a_server_that_crashes_is_waited_for(request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue("postgres_server")
    ledger = Ledger.open(server.new_database())
    first = ledger.create_study("before", {})
    server.kill()
    back = threading.Timer(0.5, server.start)
    back.start()
    second = ledger.create_study("after", {})
    back.join()
    assert ledger.studies() == (first, second)


def test_a_claim_waits_for_the_one_being_laid_and_counts_it(new_ledger_url: str) -> None:
    ledger = Ledger.open(new_ledger_url)
    first, second = ledger.create_study("first", {}), ledger.create_study("second", {})
    engine = create_engine(new_ledger_url.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)
    insert = "INSERT INTO claim (study_uid, test_fingerprint, models, looks_before) VALUES (:study, 'images', '[]', 0)"
    laid: list[Claim] = []
    claiming = threading.Thread(target=lambda: laid.append(ledger.claim_test(second.uid, "images", [MODEL])))
    with engine.begin() as connection:
        connection.execute(text(insert), {"study": first.uid})
        claiming.start()
        claiming.join(timeout=0.5)
        assert laid == []
    claiming.join()
    assert laid[0].looks_before == 1
