"""The ledger's side of the held-out gate: one claim and one figure per study.

The claim freezes the list of models, by their weights' hashes, and the test images before the evaluation; the figure, a score for
each model, is written once, after it. Nothing here opens images: that is `policysearch.heldout`.
"""

from collections.abc import Sequence
from contextlib import suppress
from itertools import zip_longest
from typing import Any

from sqlalchemy import Connection, Select, func, select
from sqlalchemy.exc import IntegrityError

from policysearch.ledger import tables
from policysearch.ledger.connect import Database
from policysearch.ledger.records import Claim, ClaimedModel, Figure
from policysearch.ledger.rows import claim_record, claimed_model
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
        """Lay the study's claim, or return the one that asks the same: these models in this order, on these images.

        Raises LookRefused when the study has claimed other models or other test images.
        """
        asked = tuple(map(claimed_model, models))
        if not asked:
            raise BadInput(f"study {study_uid}: a look at the test set needs at least one model")
        row = {"study_uid": study_uid, "test_fingerprint": test_fingerprint, "models": canonical_json(list(asked))}
        with suppress(IntegrityError):  # another process was quicker, or the study is unknown: what is stored tells
            self._database.write(lambda connection: _lay(connection, row))
        claim = self.claim(study_uid)
        if claim is None:
            raise BadInput(f"study {study_uid}: not in ledger {self._database.name}; create it first")
        if difference := _difference(claim, test_fingerprint, asked):
            name = self._database.read(lambda connection: connection.execute(_name_of(study_uid)).scalar_one())
            raise LookRefused(
                f"study {name!r}: its one look at the test set is {'spent on' if claim.figure else 'claimed for'} {difference};"
                " a study gets one look: keep its figure, or run a new study"
            )
        return claim

    def commit_figure(self, study_uid: str, scores: Sequence[Score]) -> Figure:
        """Record the figure of the claim, a score for each of its models in their order, and return the recorded one.

        Where several were evaluated, the first counts. Raises BadInput without a claim; ValueError for scores that can't be its.
        """
        claim = self.claim(study_uid)
        if claim is None:
            raise BadInput(f"study {study_uid}: a test figure needs a claim laid before the evaluation, and there is none")
        if len(scores) != len(claim.models) or len({score.total for score in scores}) != 1:
            raise ValueError(f"{len(scores)} scores are none of a claim on {len(claim.models)} models and one set of images")
        first, texts = scores[0], canonical_json([score.to_dict() for score in scores])
        row = {"study_uid": study_uid, "wrong": first.wrong, "total": first.total, "scores": texts}
        with suppress(IntegrityError):  # recorded before: what is stored counts
            self._database.write(lambda connection: connection.execute(tables.figure.insert().values(row)))
        stored = self.claim(study_uid)
        assert stored is not None and stored.figure is not None, "claims and figures are never deleted"
        return stored.figure


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
    return select(tables.claim, figure.scores, figure.committed_at).select_from(joined)


def _name_of(study_uid: str) -> Select[tuple[str]]:
    return select(tables.study.c.name).where(tables.study.c.uid == study_uid)


def _difference(claim: Claim, test_fingerprint: str, models: tuple[ClaimedModel, ...]) -> str | None:
    """What is asked now and isn't what was claimed, or None. Of two lists, from the first model on in which they differ."""
    if claim.test_fingerprint != test_fingerprint:
        return f"the test images {claim.test_fingerprint[:12]}, asked now for {test_fingerprint[:12]}"
    if claim.models == models:
        return None
    if len(claim.models) == len(models) == 1:
        return f"{_in_words(claim.models[0])}, asked now for {_in_words(models[0])}"
    pairs = enumerate(zip_longest(claim.models, models), start=1)
    number, (claimed, asked) = next((number, pair) for number, pair in pairs if pair[0] != pair[1])
    return f"{_as_model(number, claim.models, claimed)}, asked now for {_as_model(number, models, asked)}"


def _as_model(number: int, models: tuple[ClaimedModel, ...], model: ClaimedModel | None) -> str:
    count = "1 model" if len(models) == 1 else f"{len(models)} models"
    return count if model is None else f"{count} of which number {number} is {_in_words(model)}"


def _in_words(model: ClaimedModel) -> str:
    how = f"{model['arm']}, " * (model["arm"] != "winner") + f"seed {model['replicate']}, " * bool(model["replicate"])
    return f"{model['label']} ({how}trial {model['trial_uid'][:8]}, weights {model['weights_sha256'][:8]})"
