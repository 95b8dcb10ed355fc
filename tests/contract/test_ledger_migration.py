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
from trials.values import Score, TrialResult

GOLDEN = Path(__file__).parents[1] / "golden"
TABLES = ("study", "trial", "result", "claim", "figure", "mirrored", "schema_version")
LATER_TABLES = ("study", "study_hold", "trial", "result", "late_result", "claim", "figure", "mirrored", "schema_version")

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
    fill_postgres(url, "ledger-v1", TABLES)
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def later_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A ledger of schema 2, with the same rows in either database."""
    if request.param == "sqlite":
        return sqlite_url(Path(shutil.copy(GOLDEN / "ledger-v2.sqlite", tmp_path / "ledger.sqlite")))
    url: str = request.getfixturevalue("postgres_server").new_database()
    fill_postgres(url, "ledger-v2", LATER_TABLES)
    return url


def fill_postgres(url: str, golden: str, names: tuple[str, ...]) -> None:
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql((GOLDEN / f"{golden}-postgresql.sql").read_text())
        for table in names:
            found = rows(GOLDEN / f"{golden}.sqlite", table)
            for row in sorted(found, key=lambda row: row.get("parent_uid") or ""):  # a parent before its children
                zoned = {name: f"{value}+00" if value and name.endswith("_at") else value for name, value in row.items()}
                columns = ", ".join(zoned)
                places = ", ".join(f":{name}" for name in zoned)
                connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({places})"), zoned)


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
    assert (claim.models[0]["arm"], claim.models[0]["replicate"], claim.baseline_label) == ("winner", 0, None)
    (figure,) = rows(GOLDEN / "ledger-v1.sqlite", "figure")
    assert claim.figure.scores == (Score.from_dict(json.loads(figure["score"])),)
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


def test_a_ledger_of_schema_2_says_all_that_it_said(later_url: str) -> None:
    golden = GOLDEN / "ledger-v2.sqlite"
    ledger = Ledger(later_url)
    known = {study.name: study for study in ledger.studies()}
    parent, child = known["sample-randaugment-0f3a9c21"], known["sample-randaugment-0f3a9c21-2"]
    assert child.parent_uid == parent.uid and child.wishes == {"epochs": 3}
    everything = {trial.trial_uid: trial for study in known.values() for trial in ledger.trials(study.uid)}
    stored = {row["trial_uid"]: row for row in rows(golden, "trial")}
    assert everything.keys() == stored.keys()
    for uid, trial in everything.items():
        row = stored[uid]
        assert (trial.number, trial.role, trial.point, trial.attempts) == (
            *(row["number"], row["role"], row["point"], row["attempts"]),
        )
        assert (trial.spec, trial.owner, trial.lease_until) == (json.loads(row["spec"]), row["owner"], row["lease_until"])
    bodies = {row["trial_uid"]: TrialResult.from_dict(json.loads(row["body"])) for row in rows(golden, "result")}
    assert {uid: trial.result for uid, trial in everything.items() if trial.result} == bodies
    (late,) = ledger.late_results(parent.uid)
    assert (late.fence, late.result.error) == (3, "late")
    assert ledger.hold_study(child.uid, "here:3", 60) == 2  # the one before had lapsed, and its fence counts on
    assert ledger.mirrored(parent.uid, "sqlite:///mlflow.db") != set()
    disclosed, interrupted = ledger.claim(parent.uid), ledger.claim(child.uid)
    assert disclosed is not None and disclosed.figure is not None and interrupted is not None and interrupted.figure is None
    assert (disclosed.figure.wrong, disclosed.looks_before, interrupted.looks_before) == (9, 0, 1)
    figure = ledger.commit_figure(child.uid, [disclosed.figure.score])  # what schema 2 began ends here
    assert figure.models == interrupted.models and figure.scores == disclosed.figure.scores
    assert ledger.note_fact(child.uid, "any_budget", True) is True
    assert ledger.add_trial(child.uid, 99, "finalist", "", {}, "digest", "", {"trial_uid": "new"}).role == "finalist"


def test_the_old_file_is_copied_first(old: Path) -> None:
    before = {table: rows(old, table) for table in TABLES}
    Ledger(sqlite_url(old)).close()
    assert {path.name for path in old.parent.iterdir()} == {"ledger.sqlite", "ledger.v1.sqlite"}
    assert {table: rows(old.with_name("ledger.v1.sqlite"), table) for table in TABLES} == before
    assert rows(old, "schema_version") == [{"version": 3}]
    made = old.with_name("ledger.v1.sqlite").stat()
    Ledger.open(sqlite_url(old)).close()
    assert old.with_name("ledger.v1.sqlite").stat() == made


def test_a_file_of_schema_2_is_copied_under_its_own_number(tmp_path: Path) -> None:
    later = Path(shutil.copy(GOLDEN / "ledger-v2.sqlite", tmp_path / "ledger.sqlite"))
    before = {table: rows(later, table) for table in LATER_TABLES}
    Ledger(sqlite_url(later)).close()
    assert {path.name for path in tmp_path.iterdir()} == {"ledger.sqlite", "ledger.v2.sqlite"}
    assert {table: rows(tmp_path / "ledger.v2.sqlite", table) for table in LATER_TABLES} == before
    assert rows(later, "schema_version") == [{"version": 3}]


@pytest.mark.parametrize("point", ["_copy_beside", "_fill_trials", "_copy_results"])
def test_killed_on_the_way_it_is_what_it_was_and_the_next_one_goes_through(old: Path, point: str) -> None:
    before = {table: rows(old, table) for table in TABLES}
    assert subprocess.run([sys.executable, "-c", DIES_ON_THE_WAY, sqlite_url(old), point]).returncode == -9
    assert {table: rows(old, table) for table in TABLES} == before
    ledger = Ledger(sqlite_url(old))
    assert len(ledger.trials(ledger.studies()[0].uid) + ledger.trials(ledger.studies()[1].uid)) == 8
    ledger.close()
    assert {table: rows(old.with_name("ledger.v1.sqlite"), table) for table in TABLES} == before


def test_one_of_schema_2_that_is_killed_on_the_way_is_what_it_was(tmp_path: Path) -> None:
    later = Path(shutil.copy(GOLDEN / "ledger-v2.sqlite", tmp_path / "ledger.sqlite"))
    before = {table: rows(later, table) for table in LATER_TABLES}
    code = DIES_ON_THE_WAY.replace("setattr(migration, sys.argv[2], die)", "migration.tables.metadata.create_all = die")
    assert subprocess.run([sys.executable, "-c", code, sqlite_url(later)]).returncode == -9
    assert {table: rows(later, table) for table in LATER_TABLES} == before
    assert len(Ledger(sqlite_url(later)).studies()) == 3


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
