"""The ledger: the only truth about studies, trials, results and looks at the test set.

Every call is one short transaction that is recorded whole or not at all, and may be made again after a crash: what is recorded
stays, and the stored value is what comes back. Refuses to change a result. Safe from many processes at once; each opens its own
`Ledger(url)`.
"""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Select, Table, func, select
from sqlalchemy.exc import IntegrityError

from policysearch.ledger import tables
from policysearch.ledger.connect import Database
from policysearch.ledger.gate import GateTables
from policysearch.ledger.records import Role, StudyRecord, TrialRecord, study_record, trial_record, trial_result
from searchspaces.errors import BadInput, StudyMismatch
from searchspaces.json_text import canonical_json
from trials.values import Epoch, TrialResult


class Ledger(GateTables):
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

    def create_study(self, name: str, identity: Mapping[str, Any]) -> StudyRecord:
        """A new study, or the one of that name if its identity is the same; with another identity StudyMismatch."""
        row = {"uid": uuid4().hex, "name": name, "identity": canonical_json(dict(identity))}
        self._insert_once(tables.study, row)
        stored = self.study(name)
        if stored is None or canonical_json(stored.identity) != row["identity"]:
            raise StudyMismatch(f"study {name!r}: exists with other wishes; give this one another name")
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
        Raises BadInput when the study has a trial of that number, or of that policy digest, under another uid.
        """
        trial_uid: str = spec["trial_uid"]
        stored_role = "baseline" if role == "baseline" else "trial"
        row = {"trial_uid": trial_uid, "study_uid": study_uid, "number": number, "role": stored_role, "label": label}
        row |= {"digest": digest, "words": words, "params": canonical_json(dict(params)), "spec": canonical_json(dict(spec))}
        if not self._insert_once(tables.trial, row) and not self._trials(tables.trial.c.trial_uid == trial_uid):
            raise BadInput(
                f"study {study_uid}: trial {number} with policy {digest[:12]} can't be added; the study must exist, and have"
                " neither this number nor this policy yet"
            )
        return self.trial(trial_uid)

    def trials(self, study_uid: str) -> tuple[TrialRecord, ...]:
        """The study's trials by number, with their results."""
        return self._trials(tables.trial.c.study_uid == study_uid)

    def trial(self, trial_uid: str) -> TrialRecord:
        """The trial of that uid; BadInput if there is none."""
        found = self._trials(tables.trial.c.trial_uid == trial_uid)
        if not found:
            raise self._unknown(trial_uid)
        return found[0]

    def start_attempt(self, trial_uid: str) -> None:
        """Count a start of the trial and forget the progress of the one before."""
        self._update_trial(
            trial_uid,
            attempts=tables.trial.c.attempts + 1,
            started_at=func.current_timestamp(),
            progress_epoch=None,
            progress_wrong=None,
            progress_total=None,
        )

    def note_progress(self, trial_uid: str, epoch: Epoch) -> None:
        """Note the trial's latest epoch, for people who watch; the result is what counts."""
        progress = {"progress_epoch": epoch.number, "progress_wrong": epoch.wrong, "progress_total": epoch.total}
        self._update_trial(trial_uid, **progress)

    def commit_result(self, result: TrialResult) -> TrialResult:
        """Record the result and return the recorded one: a trial has one result, and the first that was committed stays."""
        score = result.score
        row: dict[str, Any] = {"trial_uid": result.trial_uid, "status": result.status, "body": canonical_json(result.to_dict())}
        if score is not None:
            row |= {"wrong": score.wrong, "total": score.total, "log_loss_sum": score.log_loss_sum}
        self._insert_once(tables.result, row)
        stored = self.result(result.trial_uid)
        if stored is None:
            raise self._unknown(result.trial_uid)
        return stored

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

    def _update_trial(self, trial_uid: str, **values: Any) -> None:
        query = tables.trial.update().where(tables.trial.c.trial_uid == trial_uid).values(**values)
        if self._database.write(lambda connection: connection.execute(query).rowcount) != 1:
            raise self._unknown(trial_uid)

    def _studies(self, *conditions: ColumnElement[bool]) -> tuple[StudyRecord, ...]:
        query = select(tables.study).where(*conditions).order_by(tables.study.c.created_at, tables.study.c.name)
        return tuple(map(study_record, self._database.read(lambda connection: connection.execute(query).all())))

    def _trials(self, *conditions: ColumnElement[bool]) -> tuple[TrialRecord, ...]:
        joined = tables.trial.outerjoin(tables.result)
        query: Select[Any] = select(tables.trial, tables.result.c.body).select_from(joined)
        query = query.where(*conditions).order_by(tables.trial.c.number)
        return tuple(map(trial_record, self._database.read(lambda connection: connection.execute(query).all())))

    def _unknown(self, trial_uid: str) -> BadInput:
        return BadInput(f"trial {trial_uid}: not in ledger {self._database.name}; add it first")
