"""The ledger's side of who works on what: attempts at trials under leases, and one hold on a study at a time.

All by the database's clock, so that workers whose clocks differ agree. Whoever takes over gets the next fence (a number that only
grows), and what the one before does later is refused by its fence, even where that one was only asleep. No lease is waited for
here: a caller may take a trial over at any time; that it does so only when the lease has lapsed is the driver's to see to.
"""

import os
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, exists, func, or_, select, text

from policysearch.ledger import tables
from policysearch.ledger.connect import Database
from searchspaces.errors import BadInput, PolicysearchError

LEASE_SECONDS = float(os.environ.get("POLICYSEARCH_LEASE_SECONDS") or 30)


class Superseded(PolicysearchError):
    """The result of an attempt that is not the trial's last one: it is kept as a late result, and another attempt will count."""


class StudyHeld(PolicysearchError):
    """Somebody else is searching the study: `owner`, who must give word again within `seconds_left`."""

    def __init__(self, name: str, owner: str, seconds_left: float) -> None:
        super().__init__(
            f"study {name!r}: {owner} is at work on it (its hold lasts {seconds_left:.0f} s more); wait for it, or stop it"
        )
        self.owner = owner
        self.seconds_left = seconds_left


class LeaseTables:
    """Leases on trials and holds on studies of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start_attempt(self, trial_uid: str, owner: str = "", lease_seconds: float = LEASE_SECONDS) -> int:
        """Take the trial over from whoever had it: count a start, forget the progress of the one before. Returns the fence."""
        values = {
            "attempts": tables.trial.c.attempts + 1,
            "owner": owner,
            "lease_until": tables.database_seconds() + lease_seconds,
            "call_key": (key := uuid4().hex),
            "started_at": func.current_timestamp(),
            "progress_epoch": None,
            "progress_wrong": None,
            "progress_total": None,
        }
        trial = tables.trial.c
        # Made again after a COMMIT of unknown outcome, the same call finds its key and counts no second start.
        fresh = or_(trial.call_key.is_(None), trial.call_key != key)

        def take(connection: Connection) -> int | None:
            connection.execute(tables.trial.update().where(trial.trial_uid == trial_uid, fresh).values(values))
            return connection.execute(select(trial.attempts).where(trial.trial_uid == trial_uid)).scalar_one_or_none()

        fence = self._database.write(take)
        if fence is None:
            raise self._unknown(trial_uid)
        return fence

    def renew_lease(self, trial_uid: str, fence: int, lease_seconds: float = LEASE_SECONDS) -> bool:
        """Hold the trial so much longer from now; False when another attempt has begun, or the trial is over."""
        trial = tables.trial.c
        over = exists().where(tables.result.c.trial_uid == trial_uid)
        mine = (trial.trial_uid == trial_uid, trial.attempts == fence, trial.attempts > 0, ~over)
        update = tables.trial.update().where(*mine)
        values = {"lease_until": tables.database_seconds() + lease_seconds}
        return self._database.write(lambda connection: connection.execute(update.values(values)).rowcount) == 1

    def lapsed(self, study_uid: str) -> tuple[str, ...]:
        """The uids of the study's trials, by number, that somebody started, nobody finished and nobody holds any more."""
        trial = tables.trial.c
        over = exists().where(tables.result.c.trial_uid == trial.trial_uid)
        free = func.coalesce(trial.lease_until, 0.0) < tables.database_seconds()
        query = (
            select(trial.trial_uid).where(trial.study_uid == study_uid, trial.attempts > 0, ~over, free).order_by(trial.number)
        )
        return tuple(self._database.read(lambda connection: connection.execute(query).scalars().all()))

    def hold_study(self, study_uid: str, owner: str, lease_seconds: float, instead_of: str | None = None) -> int:
        """Hold the study alone for so many seconds; returns the hold's fence. Raises StudyHeld while another one's hold lasts.

        `instead_of` is an owner whose hold may be taken although it lasts, because the caller knows it to be dead.
        """
        row = {"study_uid": study_uid, "owner": owner, "call_key": uuid4().hex}
        taken = self._database.write(lambda connection: _hold(connection, row, lease_seconds, instead_of))
        if taken is None:
            raise BadInput(f"study {study_uid}: not in ledger {self._database.name}; create it first")
        if isinstance(taken, tuple):
            raise StudyHeld(*taken)
        return taken

    def renew_hold(self, study_uid: str, fence: int, lease_seconds: float) -> bool:
        """Hold the study so much longer from now; False when another has it, or it was released."""
        return self._set_hold(study_uid, fence, tables.database_seconds() + lease_seconds)

    def holder(self, study_uid: str) -> tuple[str, float] | None:
        """Who holds the study, and for how many seconds more; None when nobody does."""
        hold = tables.study_hold.c
        left = (hold.hold_until - tables.database_seconds()).label("left")
        query = select(hold.owner, left).where(hold.study_uid == study_uid, left > 0)
        row = self._database.read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else (row.owner, row.left)

    def release_hold(self, study_uid: str, fence: int) -> None:
        """End the hold, if it is still this one."""
        self._set_hold(study_uid, fence, 0.0)

    def _set_hold(self, study_uid: str, fence: int, until: Any) -> bool:
        hold = tables.study_hold.c
        mine = (hold.study_uid == study_uid, hold.fence == fence, hold.hold_until > 0)
        update = tables.study_hold.update().where(*mine).values(hold_until=until)
        return self._database.write(lambda connection: connection.execute(update).rowcount) == 1

    def _unknown(self, trial_uid: str) -> BadInput:
        return BadInput(f"trial {trial_uid}: not in ledger {self._database.name}; add it first")


def _hold(
    connection: Connection, row: dict[str, Any], lease_seconds: float, instead_of: str | None
) -> int | tuple[str, str, float] | None:
    """The fence; or the study's name, who holds it and for how long; or None without such a study."""
    if connection.dialect.name == "postgresql":  # two first holds at once would both find no row
        connection.execute(text("SELECT 1 FROM study WHERE uid = :uid FOR UPDATE"), {"uid": row["study_uid"]})
    name = connection.execute(select(tables.study.c.name).where(tables.study.c.uid == row["study_uid"])).scalar_one_or_none()
    if name is None:
        return None
    hold, now = tables.study_hold.c, tables.database_seconds()
    of_study = hold.study_uid == row["study_uid"]
    found = connection.execute(select(tables.study_hold, (hold.hold_until - now).label("left")).where(of_study)).one_or_none()
    until = {"hold_until": now + lease_seconds}
    if found is None:
        connection.execute(tables.study_hold.insert().values(row | until | {"fence": 1}))
        return 1
    if found.call_key == row["call_key"]:  # this very call, made again after a COMMIT of unknown outcome
        return int(found.fence)
    if found.left > 0 and found.owner != instead_of:
        return name, found.owner, found.left
    connection.execute(tables.study_hold.update().where(of_study).values(row | until | {"fence": found.fence + 1}))
    return int(found.fence) + 1
