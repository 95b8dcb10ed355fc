"""How a result comes to count: the first of a trial stays, and only its last attempt may bring it. Late ones are kept beside."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from policysearch.ledger import tables


def commit(connection: Connection, row: Mapping[str, Any]) -> str | None:
    """Record a row of `result` and return the body of the counted one; None when there is no such trial, or none counts yet."""
    trial, uid, fence = tables.trial.c, row["trial_uid"], row["fence"]
    # The lock makes a commit and a new attempt take turns; SQLite's writers do so anyway, and know no FOR UPDATE.
    last = connection.execute(select(trial.attempts).where(trial.trial_uid == uid).with_for_update()).scalar_one_or_none()
    if last is None:
        return None
    counted = connection.execute(select(tables.result.c.fence, tables.result.c.body).where(tables.result.c.trial_uid == uid))
    stored = counted.one_or_none()
    if stored is None and fence in (None, last):
        connection.execute(tables.result.insert().values(row))
        return str(row["body"])
    # Of the counted attempt it can only be the same result again: its COMMIT was in doubt.
    if fence is not None and (stored is None or stored.fence != fence):
        _keep_late(connection, row)
    return None if stored is None else str(stored.body)


def _keep_late(connection: Connection, row: Mapping[str, Any]) -> None:
    late = tables.late_result.c
    same = (late.trial_uid == row["trial_uid"], late.fence == row["fence"])
    if connection.execute(select(late.fence).where(*same)).one_or_none() is None:
        connection.execute(tables.late_result.insert().values(row))
