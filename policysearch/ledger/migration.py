"""A ledger of an older schema becomes a current one, in one transaction: killed anywhere, it is what it was.

Of a SQLite file a copy is laid beside it first, such as `ledger.v1.sqlite`, which the older program reads. Nothing is lost on the
way: results, claims and figures come over as they are. What schema 1 did not say is filled in from what it did (an enqueued
policy, which it knew by its parameter alone, gets its role); a figure of one model, as both had it, becomes a list of one score.
"""

import json
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from policysearch.ledger import tables
from policysearch.ledger.records import ENQUEUED
from policysearch.ledger.rows import point_of
from searchspaces.errors import BadInput

AT_ONCE = 200
_TRIAL = (
    "trial_uid, study_uid, number, role, label, params, digest, words, spec, attempts, started_at, progress_epoch,"
    " progress_wrong, progress_total"
)
_RESULT = "trial_uid, status, wrong, total, log_loss_sum, body, committed_at"
_LATER_RESULT = f"{_RESULT}, fence, epochs, seconds, error"
_LEASE = "budget_epochs, point, owner, lease_until, call_key"
_CLAIM = "study_uid, test_fingerprint, models, looks_before, claimed_at"

# Children before their parents.
OLD_TABLES = {
    1: ("mirrored", "figure", "claim", "result", "trial", "study", "schema_version"),
    2: ("mirrored", "figure", "claim", "late_result", "result", "trial", "study_hold", "study", "schema_version"),
}
_ALIKE = (
    f"INSERT INTO claim ({_CLAIM}) SELECT {_CLAIM} FROM old_claim",
    "INSERT INTO figure (study_uid, wrong, total, scores, committed_at)"
    " SELECT study_uid, wrong, total, '[' || score || ']', committed_at FROM old_figure",
    "INSERT INTO mirrored (trial_uid, target) SELECT trial_uid, target FROM old_mirrored",
)
_COPIES = {
    1: (
        "INSERT INTO study (uid, name, identity, created_at) SELECT uid, name, identity, created_at FROM old_study",
        # Every row has a point of its own until its own is known.
        f"INSERT INTO trial ({_TRIAL}, budget_epochs, point) SELECT {_TRIAL}, 0, trial_uid FROM old_trial",
        *_ALIKE,
    ),
    2: (
        "INSERT INTO study (uid, name, identity, wishes, parent_uid, created_at)"
        " SELECT uid, name, identity, wishes, parent_uid, created_at FROM old_study",
        "INSERT INTO study_hold (study_uid, fence, owner, hold_until, call_key)"
        " SELECT study_uid, fence, owner, hold_until, call_key FROM old_study_hold",
        f"INSERT INTO trial ({_TRIAL}, {_LEASE}) SELECT {_TRIAL}, {_LEASE} FROM old_trial",
        *(
            f"INSERT INTO {table} ({_LATER_RESULT}) SELECT {_LATER_RESULT} FROM old_{table}"
            for table in ("result", "late_result")
        ),
        *_ALIKE,
    ),
}


def migrate(connection: Connection, name: str, version: int) -> None:
    """Bring the ledger of this writing transaction from schema `version` to the current one.

    Raises BadInput when no copy of it can be made first.
    """
    if connection.dialect.name == "sqlite":
        _copy_beside(Path(str(connection.engine.url.database)), name, version)
    for table in OLD_TABLES[version]:
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE old_{table} AS SELECT * FROM {table}")
    for table in OLD_TABLES[version]:
        connection.exec_driver_sql(f"DROP TABLE {table}")
    tables.metadata.create_all(connection)
    for statement in _COPIES[version]:
        connection.exec_driver_sql(statement)
    if version == 1:
        _fill_in(connection)
    connection.execute(tables.schema_version.insert().values(version=tables.SCHEMA_VERSION))
    for table in OLD_TABLES[version]:
        connection.exec_driver_sql(f"DROP TABLE old_{table}")


def _fill_in(connection: Connection) -> None:
    """What rows of schema 1 say in their JSON alone."""
    uids = list(connection.exec_driver_sql("SELECT trial_uid FROM old_trial ORDER BY trial_uid").scalars())
    for start in range(0, len(uids), AT_ONCE):
        low, high = uids[start], uids[min(start + AT_ONCE, len(uids)) - 1]
        _fill_trials(connection, low, high)
        _copy_results(connection, low, high)


def _fill_trials(connection: Connection, low: str, high: str) -> None:
    query = text("SELECT trial_uid, role, params, digest, spec FROM old_trial WHERE trial_uid BETWEEN :low AND :high")
    rows = connection.execute(query, {"low": low, "high": high}).mappings().all()
    update = text("UPDATE trial SET role = :role, budget_epochs = :budget, point = :point WHERE trial_uid = :uid")
    connection.execute(update, [_trial(row) for row in rows])


def _trial(row: Mapping[Any, Any]) -> dict[str, Any]:
    spec, is_enqueued = json.loads(row["spec"]), row["role"] == "trial" and set(json.loads(row["params"])) == {ENQUEUED}
    return {
        "uid": row["trial_uid"],
        "role": "enqueued" if is_enqueued else row["role"],
        "budget": spec.get("budget_epochs") or 0,
        "point": point_of(row["digest"], spec),
    }


def _copy_results(connection: Connection, low: str, high: str) -> None:
    query = text("SELECT trial_uid, body FROM old_result WHERE trial_uid BETWEEN :low AND :high")
    rows = connection.execute(query, {"low": low, "high": high}).all()
    insert = text(
        f"INSERT INTO result ({_RESULT}, epochs, seconds, error)"
        f" SELECT {_RESULT}, CAST(:epochs AS INTEGER), CAST(:seconds AS DOUBLE PRECISION), CAST(:error AS TEXT)"
        " FROM old_result WHERE trial_uid = :uid"
    )
    if rows:
        connection.execute(insert, [_result(row.trial_uid, json.loads(row.body)) for row in rows])


def _result(trial_uid: str, body: Mapping[str, Any]) -> dict[str, Any]:
    seconds = body["span_seconds"].get("total")
    return {"uid": trial_uid, "epochs": len(body["epochs"]), "seconds": seconds, "error": body["error"]}


def _copy_beside(path: Path, name: str, version: int) -> None:
    """Copy the ledger as the transaction found it: whole or not at all."""
    copy = path.with_name(f"{path.stem}.v{version}{path.suffix}")
    half = copy.with_name(f"{copy.name}.{os.getpid()}.part")
    try:
        source, target = sqlite3.connect(path), sqlite3.connect(half)
        try:
            source.backup(target)
        finally:
            target.close()
            source.close()
        with half.open("rb") as written:
            os.fsync(written.fileno())
        half.replace(copy)
    except (sqlite3.Error, OSError) as error:
        half.unlink(missing_ok=True)
        raise BadInput(
            f"ledger {name}: an older policysearch's; can't be copied to {copy} before it is brought up to date ({error});"
            " make room there and let it be written to"
        ) from error
