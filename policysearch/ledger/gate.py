"""The ledger's side of the held-out gate: one claim and one figure per study.

The claim freezes models and test images before the evaluation; the figure is written once, after it. Nothing here opens images:
that is `policysearch.heldout`.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Select, func, select
from sqlalchemy.exc import IntegrityError

from policysearch.ledger import tables
from policysearch.ledger.connect import Database
from policysearch.ledger.records import Claim, ClaimedModel, Figure, claim_record
from searchspaces.errors import BadInput, LookRefused
from searchspaces.json_text import canonical_json
from trials.values import Score


class GateTables:
    """Claims and figures of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, study_uid: str) -> Claim | None:
        """The study's claim, with its figure once there is one."""
        return self._database.read(lambda connection: _claim(connection, study_uid))

    def looks(self, test_fingerprint: str) -> int:
        """How many studies of this ledger have claimed a look at these test images."""
        return self._database.read(lambda connection: _looks(connection, test_fingerprint))

    def claim_test(self, study_uid: str, test_fingerprint: str, models: Sequence[ClaimedModel]) -> Claim:
        """Lay the study's claim, or return the one that asks the same.

        Raises LookRefused when the study has claimed other models or other test images.
        """
        if not models:
            raise BadInput(f"study {study_uid}: a look at the test set needs at least one model")
        row = {"study_uid": study_uid, "test_fingerprint": test_fingerprint, "models": canonical_json(list(models))}
        with suppress(IntegrityError):  # another process was quicker, or the study is unknown: what is stored tells
            self._database.write(lambda connection: _lay(connection, row))
        claim = self.claim(study_uid)
        if claim is None:
            raise BadInput(f"study {study_uid}: not in ledger {self._database.name}; create it first")
        if difference := _difference(claim, test_fingerprint, models):
            name = self._database.read(lambda connection: connection.execute(_name_of(study_uid)).scalar_one())
            raise LookRefused(
                f"study {name!r}: its one look at the test set is {'spent on' if claim.figure else 'claimed for'} {difference};"
                " a study gets one look: keep its figure, or run a new study"
            )
        return claim

    def commit_figure(self, study_uid: str, score: Score) -> Figure:
        """Record the figure of the claim and return the recorded one: where several were evaluated, the first counts.

        Raises BadInput without a claim.
        """
        row = {"study_uid": study_uid, "wrong": score.wrong, "total": score.total, "score": canonical_json(score.to_dict())}
        with suppress(IntegrityError):  # recorded before, or never claimed: what is stored tells
            self._database.write(lambda connection: connection.execute(tables.figure.insert().values(row)))
        claim = self.claim(study_uid)
        if claim is None or claim.figure is None:
            raise BadInput(f"study {study_uid}: a test figure needs a claim laid before the evaluation, and there is none")
        return claim.figure


def _lay(connection: Connection, row: dict[str, Any]) -> None:
    if connection.dialect.name == "postgresql":
        # Two claims at once must not both count the other out; SQLite's writers take turns anyway.
        connection.exec_driver_sql("LOCK TABLE claim IN SHARE ROW EXCLUSIVE MODE")
    if _claim(connection, row["study_uid"]) is None:
        before = _looks(connection, row["test_fingerprint"])
        connection.execute(tables.claim.insert().values(row | {"looks_before": before}))


def _looks(connection: Connection, test_fingerprint: str) -> int:
    of_these_images = tables.claim.c.test_fingerprint == test_fingerprint
    return connection.execute(select(func.count()).select_from(tables.claim).where(of_these_images)).scalar_one()


def _claim(connection: Connection, study_uid: str) -> Claim | None:
    row = connection.execute(_claims().where(tables.claim.c.study_uid == study_uid)).one_or_none()
    return None if row is None else claim_record(row)


def _claims() -> Select[Any]:
    figure = tables.figure.c
    joined = tables.claim.outerjoin(tables.figure)
    return select(tables.claim, figure.wrong, figure.total, figure.score, figure.committed_at).select_from(joined)


def _name_of(study_uid: str) -> Select[tuple[str]]:
    return select(tables.study.c.name).where(tables.study.c.uid == study_uid)


def _difference(claim: Claim, test_fingerprint: str, models: Sequence[ClaimedModel]) -> str | None:
    """What is asked now and isn't what was claimed, or None."""
    if claim.test_fingerprint != test_fingerprint:
        return f"the test images {claim.test_fingerprint[:12]}, asked now for {test_fingerprint[:12]}"
    if claim.models != tuple(models):
        return f"{_names(claim.models)}, asked now for {_names(models)}"
    return None


def _names(models: Sequence[ClaimedModel]) -> str:
    return ", ".join(
        f"{model['label']} (trial {model['trial_uid'][:8]}, weights {model['weights_sha256'][:8]})" for model in models
    )
