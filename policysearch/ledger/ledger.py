"""The ledger: the only truth about studies, trials, results and looks at the test set.

Every call is one short transaction that is recorded whole or not at all, and may be made again after a crash: what is recorded
stays, and the stored value is what comes back. Refuses to change a result. Safe from many processes at once; each opens its own
`Ledger(url)`.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Select, Table, func, select
from sqlalchemy.exc import IntegrityError

from policysearch.ledger import tables
from policysearch.ledger.committing import commit
from policysearch.ledger.connect import Database
from policysearch.ledger.forking import fork
from policysearch.ledger.gate import GateTables
from policysearch.ledger.leases import LeaseTables, Superseded
from policysearch.ledger.records import SEARCHED, LateResult, Role, Standing, StudyRecord, TrialRecord
from policysearch.ledger.rows import late_result, result_row, standing, study_record, trial_record, trial_result, trial_row
from searchspaces.errors import BadInput, StudyMismatch
from searchspaces.json_text import canonical_json
from trials.values import Epoch, TrialResult


class Ledger(GateTables, LeaseTables):
    """The ledger at `url`: sqlite:////PATH or postgresql://HOST/DATABASE.

    `Ledger(url)` wants one that exists; `Ledger.open(url)` makes it if need be. All calls raise BadInput, in one line, when the
    database can't be reached, read or written.
    """

    def __init__(self, url: str) -> None:
        super().__init__(Database(url))
        self.url = url
        self._database.require_ledger()

    @classmethod
    def open(cls, url: str) -> "Ledger":
        """The ledger at `url`, made if it isn't there. Its directory must exist."""
        Database(url).create_ledger()
        return cls(url)

    def close(self) -> None:
        """Let go of the database in this process; the next call reaches it again. Only those who move files about need it."""
        self._database.close()

    def create_study(
        self,
        name: str,
        identity: Mapping[str, Any],
        wishes: Mapping[str, Any] | None = None,
        parent_uid: str | None = None,
    ) -> StudyRecord:
        """A new study, or the one of that name if its identity is the same; with another identity StudyMismatch.

        `wishes` are kept beside, for whoever takes the study up again; those of a study that is there stay as they are.
        """
        row = _study_row(name, identity, wishes, parent_uid)
        self._insert_once(tables.study, row)
        return self._as_wished(row)

    def fork_study(
        self, parent_uid: str, name: str, identity: Mapping[str, Any], wishes: Mapping[str, Any] | None = None
    ) -> StudyRecord:
        """A child study with copies of the parent's finished trials and their results, all in one transaction.

        The same again returns the child as it is by now. Raises BadInput for an unknown parent, StudyMismatch when the name is
        another study's.
        """
        if not self._studies(tables.study.c.uid == parent_uid):
            raise BadInput(f"study {parent_uid}: not in ledger {self._database.name}, so it can't be forked")
        row = _study_row(name, identity, wishes, parent_uid)
        with suppress(IntegrityError):  # the name is taken: what is stored tells by whom
            self._database.write(lambda connection: fork(connection, row))
        child = self._as_wished(row)
        if child.parent_uid != parent_uid:
            raise StudyMismatch(f"study {name!r}: exists and is no child of study {parent_uid}; give this one another name")
        return child

    def _as_wished(self, row: Mapping[str, Any]) -> StudyRecord:
        """The stored study of the row's name, which must have its identity."""
        stored = self.study(row["name"])
        if stored is None or canonical_json(stored.identity) != row["identity"]:
            raise StudyMismatch(f"study {row['name']!r}: exists with other wishes; give this one another name")
        return stored

    def study(self, name: str) -> StudyRecord | None:
        """The study of that name."""
        return next(iter(self._studies(tables.study.c.name == name)), None)

    def studies(self) -> tuple[StudyRecord, ...]:
        """All studies, oldest first."""
        return self._studies()

    def add_trial(
        self,
        study_uid: str,
        number: int,
        role: Role,
        label: str,
        params: Mapping[str, Any],
        digest: str,
        words: str,
        spec: Mapping[str, Any],
    ) -> TrialRecord:
        """Record a trial before it runs; its uid is `spec["trial_uid"]`. Adding the same again returns what is stored.

        An enqueued policy's `params` are {"enqueued": where it comes from}.
        Raises BadInput when the study has a trial of that number, or of that policy, recipe, budget and replicate, under another
        uid.
        """
        row = trial_row(study_uid, number, role, label, params, digest, words, spec)
        trial_uid: str = row["trial_uid"]
        if not self._insert_once(tables.trial, row) and not self._trials(tables.trial.c.trial_uid == trial_uid):
            raise BadInput(
                f"study {study_uid}: trial {number} with policy {digest[:12]} can't be added; the study must exist, and have"
                " neither this number nor this policy, trained this way, yet"
            )
        return self.trial(trial_uid)

    def trials(self, study_uid: str, roles: tuple[Role, ...] = SEARCHED) -> tuple[TrialRecord, ...]:
        """The study's trials of these roles by number, with their results. By default those among which its search chooses."""
        return self._trials(tables.trial.c.study_uid == study_uid, tables.trial.c.role.in_(roles))

    def trial(self, trial_uid: str) -> TrialRecord:
        """The trial of that uid; BadInput if there is none."""
        found = self._trials(tables.trial.c.trial_uid == trial_uid)
        if not found:
            raise self._unknown(trial_uid)
        return found[0]

    def standings(self, study_uid: str, roles: tuple[Role, ...] = SEARCHED) -> tuple[Standing, ...]:
        """The trials that `trials` gives, as tables show them: no result, policy or spec is parsed."""
        query = select(*_STANDING).select_from(tables.trial.outerjoin(tables.result))
        query = query.where(tables.trial.c.study_uid == study_uid, tables.trial.c.role.in_(roles))
        query = query.order_by(tables.trial.c.number)
        return tuple(map(standing, self._database.read(lambda connection: connection.execute(query).all())))

    def next_number(self, study_uid: str) -> int:
        """The lowest number above those of all the study's trials, whatever their role."""
        query = select(func.max(tables.trial.c.number)).where(tables.trial.c.study_uid == study_uid)
        last = self._database.read(lambda connection: connection.execute(query).scalar_one())
        return 0 if last is None else int(last) + 1

    def note_fact(self, study_uid: str, name: str, value: Any) -> Any:
        """Note what the study goes by from now on (JSON values); what is returned is the stored one: the first that was noted."""
        self._insert_once(tables.fact, {"study_uid": study_uid, "name": name, "value": canonical_json(value)})
        stored = self.facts(study_uid)
        if name not in stored:
            raise BadInput(f"study {study_uid}: not in ledger {self._database.name}; create it first")
        return stored[name]

    def facts(self, study_uid: str) -> dict[str, Any]:
        """All that the study has noted, by name."""
        query = select(tables.fact.c.name, tables.fact.c.value).where(tables.fact.c.study_uid == study_uid)
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return {name: json.loads(value) for name, value in rows}

    def note_progress(self, trial_uid: str, epoch: Epoch, fence: int | None = None) -> None:
        """Note the trial's latest epoch, for people who watch; the result is what counts. Of an earlier fence it is dropped."""
        trial = tables.trial.c
        progress = {"progress_epoch": epoch.number, "progress_wrong": epoch.wrong, "progress_total": epoch.total}
        update = tables.trial.update().where(trial.trial_uid == trial_uid).values(progress)
        update = update if fence is None else update.where(trial.attempts == fence)
        if self._database.write(lambda connection: connection.execute(update).rowcount) != 1 and fence is None:
            raise self._unknown(trial_uid)

    def commit_result(self, result: TrialResult, fence: int | None = None) -> TrialResult:
        """Record the result and return the recorded one: a trial has one result, and the first that was committed stays.

        `fence` is the attempt that it comes from; without one it is the driver's own word. What an attempt brings that is not the
        trial's last, or after a result of another, is kept as a late result: then the counted one is returned, or Superseded
        is raised where there is none yet. Committing the same again changes nothing.
        """
        row = result_row(result) | {"fence": fence}
        body = self._database.write(lambda connection: commit(connection, row))
        if body is None:
            if not self._trials(tables.trial.c.trial_uid == result.trial_uid):
                raise self._unknown(result.trial_uid)
            raise Superseded(f"trial {result.trial_uid}: attempt {fence} is not its last one; its result is kept as a late one")
        return trial_result(body)

    def late_results(self, study_uid: str) -> tuple[LateResult, ...]:
        """What attempts brought that came too late to count, by trial and fence."""
        query = select(tables.late_result).join(tables.trial).where(tables.trial.c.study_uid == study_uid)
        query = query.order_by(tables.trial.c.number, tables.late_result.c.fence)
        return tuple(map(late_result, self._database.read(lambda connection: connection.execute(query).all())))

    def result(self, trial_uid: str) -> TrialResult | None:
        """The recorded result, if there is one."""
        query = select(tables.result.c.body).where(tables.result.c.trial_uid == trial_uid)
        body = self._database.read(lambda connection: connection.execute(query).scalar_one_or_none())
        return None if body is None else trial_result(body)

    def mirrored(self, study_uid: str, target: str) -> set[str]:
        """The uids of the study's trials that `target` has a copy of."""
        query = select(tables.mirrored.c.trial_uid).join(tables.trial)
        query = query.where(tables.trial.c.study_uid == study_uid, tables.mirrored.c.target == target)
        return set(self._database.read(lambda connection: connection.execute(query).scalars().all()))

    def mark_mirrored(self, trial_uid: str, target: str) -> None:
        """Note that `target` has a copy of the trial."""
        self._insert_once(tables.mirrored, {"trial_uid": trial_uid, "target": target})

    def _insert_once(self, table: Table, row: Mapping[str, Any]) -> bool:
        """Whether the row went in; False when a constraint stood against it, most often because it is there already."""
        try:
            self._database.write(lambda connection: connection.execute(table.insert().values(row)))
        except IntegrityError:
            return False
        return True

    def _studies(self, *conditions: ColumnElement[bool]) -> tuple[StudyRecord, ...]:
        query = select(tables.study).where(*conditions).order_by(tables.study.c.created_at, tables.study.c.name)
        return tuple(map(study_record, self._database.read(lambda connection: connection.execute(query).all())))

    def _trials(self, *conditions: ColumnElement[bool]) -> tuple[TrialRecord, ...]:
        joined = tables.trial.outerjoin(tables.result)
        query: Select[Any] = select(tables.trial, tables.result.c.body).select_from(joined)
        query = query.where(*conditions).order_by(tables.trial.c.number)
        return tuple(map(trial_record, self._database.read(lambda connection: connection.execute(query).all())))


def _study_row(
    name: str, identity: Mapping[str, Any], wishes: Mapping[str, Any] | None, parent_uid: str | None
) -> dict[str, Any]:
    texts = {"identity": canonical_json(dict(identity)), "wishes": canonical_json(dict(wishes or {}))}
    return {"uid": uuid4().hex, "name": name, "parent_uid": parent_uid, **texts}


_STANDING = (
    *(column for column in tables.trial.c if column.name not in ("study_uid", "spec", "owner", "call_key")),
    *(tables.result.c[name] for name in ("status", "wrong", "total", "log_loss_sum", "epochs", "seconds", "error")),
)
