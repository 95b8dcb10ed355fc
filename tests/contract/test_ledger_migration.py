"""Ledgers that an older policysearch wrote: read in full by this one, brought up to date whole or not at all."""

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, text

from policysearch.ledger import Ledger, Role, sqlite_url
from policysearch.selection import winner
from searchspaces.errors import BadInput
from trials.values import TrialResult

GOLDEN = Path(__file__).parents[1] / "golden"
TABLES = ("study", "trial", "result", "claim", "figure", "mirrored", "schema_version")

DIES_ON_THE_WAY = """
import os, signal, sys
from policysearch.ledger import Ledger, migration
def die(*anything): os.kill(os.getpid(), signal.SIGKILL)
setattr(migration, sys.argv[2], die)
Ledger(sys.argv[1])
"""


def rows(path: Path, table: str) -> list[dict[str, Any]]:
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1")]
    finally:
        connection.close()


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return Path(shutil.copy(GOLDEN / "ledger-v1.sqlite", tmp_path / "ledger.sqlite"))


@pytest.fixture(params=["sqlite", "postgresql"])
def old_url(request: pytest.FixtureRequest) -> str:
    """A ledger of schema 1, with the same rows in either database."""
    if request.param == "sqlite":
        return sqlite_url(request.getfixturevalue("old"))
    url: str = request.getfixturevalue("postgres_server").new_database()
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql((GOLDEN / "ledger-v1-postgresql.sql").read_text())
        for table in TABLES:
            for row in rows(GOLDEN / "ledger-v1.sqlite", table):
                zoned = {name: f"{value}+00" if value and name.endswith("_at") else value for name, value in row.items()}
                names = ", ".join(zoned)
                connection.execute(
                    text(f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{name}' for name in zoned)})"), zoned
                )
    return url


def test_an_old_ledger_says_all_that_it_said(old_url: str) -> None:
    ledger = Ledger(old_url)
    study = ledger.study("sample-randaugment-0f3a9c21")
    assert study is not None and (study.identity["seed"], study.wishes, study.parent_uid) == (7, {}, None)
    assert {known.name for known in ledger.studies()} == {"another", study.name}
    trials = ledger.trials(study.uid)
    roles: list[Role] = ["baseline", "baseline", "baseline", "enqueued", "trial", "trial", "trial", "trial"]
    assert [trial.role for trial in trials] == roles
    stored = {
        row["trial_uid"]: TrialResult.from_dict(json.loads(row["body"])) for row in rows(GOLDEN / "ledger-v1.sqlite", "result")
    }
    assert {trial.trial_uid: trial.result for trial in trials if trial.result} == stored
    specs = {row["trial_uid"]: json.loads(row["spec"]) for row in rows(GOLDEN / "ledger-v1.sqlite", "trial")}
    assert {trial.trial_uid: trial.spec for trial in trials} == specs
    assert [(trial.attempts, trial.progress) for trial in trials[5:]] == [(1, None), (2, (2, 19, 40)), (0, None)]
    assert winner(trials).number == 4
    claim = ledger.claim(study.uid)
    assert claim is not None and claim.figure is not None
    assert (claim.figure.wrong, claim.models[0]["label"], claim.looks_before) == (9, "randaugment ops=1 level=0", 0)
    assert ledger.mirrored(study.uid, "sqlite:///mlflow.db") == {trials[0].trial_uid}


def test_what_is_new_is_filled_in_and_the_ledger_goes_on(old_url: str) -> None:
    ledger = Ledger.open(old_url)
    study = next(known for known in ledger.studies() if known.name.startswith("sample"))
    standings = ledger.standings(study.uid)
    assert {row.budget_epochs for row in standings} == {3} and len({row.point for row in standings}) == len(standings)
    assert [row.epochs for row in standings] == [3, 3, 3, 3, 3, 1, 0, 0]
    assert [row.seconds for row in standings[4:6]] == [12.125, 3.5]
    assert standings[5].reason == "epoch 2 of 3: the loss is nan"
    assert ledger.lapsed(study.uid) == (standings[6].trial_uid,)  # begun under no lease, so that nobody holds it
    first = ledger.trials(study.uid)[0]
    with pytest.raises(BadInput, match="can't be added"):  # the same point again
        ledger.add_trial(study.uid, 8, "trial", "", {}, first.digest, "", first.spec | {"trial_uid": "again"})
    fence = ledger.start_attempt(standings[7].trial_uid)
    failed = TrialResult(standings[7].trial_uid, "failed", error="out of memory")
    assert ledger.commit_result(failed, fence) == failed
    with pytest.raises(Exception, match="are written once"):
        engine = create_engine(old_url.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)
        with engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM result")


def test_the_old_file_is_copied_first(old: Path) -> None:
    before = {table: rows(old, table) for table in TABLES}
    Ledger(sqlite_url(old)).close()
    assert {path.name for path in old.parent.iterdir()} == {"ledger.sqlite", "ledger.v1.sqlite"}
    assert {table: rows(old.with_name("ledger.v1.sqlite"), table) for table in TABLES} == before
    assert rows(old, "schema_version") == [{"version": 2}]
    made = old.with_name("ledger.v1.sqlite").stat()
    Ledger.open(sqlite_url(old)).close()
    assert old.with_name("ledger.v1.sqlite").stat() == made


@pytest.mark.parametrize("point", ["_copy_beside", "_fill_trials", "_copy_results"])
def test_killed_on_the_way_it_is_what_it_was_and_the_next_one_goes_through(old: Path, point: str) -> None:
    before = {table: rows(old, table) for table in TABLES}
    assert subprocess.run([sys.executable, "-c", DIES_ON_THE_WAY, sqlite_url(old), point]).returncode == -9
    assert {table: rows(old, table) for table in TABLES} == before
    ledger = Ledger(sqlite_url(old))
    assert len(ledger.trials(ledger.studies()[0].uid) + ledger.trials(ledger.studies()[1].uid)) == 8
    ledger.close()
    assert {table: rows(old.with_name("ledger.v1.sqlite"), table) for table in TABLES} == before


def test_many_may_open_it_at_once(old_url: str) -> None:
    code = "import sys; from policysearch.ledger import Ledger; print(len(Ledger(sys.argv[1]).studies()))"
    opening = [subprocess.Popen([sys.executable, "-c", code, old_url], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate(timeout=120)[0] for process in opening] == ["2\n"] * 4


def test_without_room_for_the_copy_nothing_is_changed(old: Path) -> None:
    before = {table: rows(old, table) for table in TABLES}
    old.with_name("ledger.v1.sqlite").mkdir()
    (old.with_name("ledger.v1.sqlite") / "full").touch()
    with pytest.raises(BadInput, match=r"an older policysearch's; can't be copied to .*make room there") as caught:
        Ledger(sqlite_url(old)).studies()
    assert "\n" not in str(caught.value)
    assert {table: rows(old, table) for table in TABLES} == before
