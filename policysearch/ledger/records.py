"""What the ledger gives back: frozen records, and how they are read from rows.

Times are aware and in UTC.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypedDict

from sqlalchemy import Row

from trials.values import Score, TrialResult

Role = Literal["baseline", "enqueued", "trial"]

# The column knows two roles, and ledgers made before there was a third must be read and written on. So an enqueued policy is
# stored as a trial whose one parameter, which no space has, is this, with where the policy comes from.
ENQUEUED = "enqueued"


@dataclass(frozen=True)
class StudyRecord:
    """A study: its name, unique in a ledger, and all that its results depend on."""

    uid: str
    name: str
    identity: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True)
class TrialRecord:
    """A trial as it stands: a free baseline, a policy that the user enqueued, or one that the search suggested. `progress` is
    the last noted (epoch, wrong, total); `result` is None until one is committed.

    `attempts` counts starts and `started_at` is the last of them, so that a trial that keeps killing its worker shows.
    """

    trial_uid: str
    study_uid: str
    number: int
    role: Role
    label: str
    params: dict[str, Any]
    digest: str
    words: str
    spec: dict[str, Any]
    attempts: int
    started_at: datetime | None
    progress: tuple[int, int, int] | None
    result: TrialResult | None


class ClaimedModel(TypedDict):
    """A model as a claim freezes it: the very weights, by their SHA-256."""

    trial_uid: str
    label: str
    weights_sha256: str


@dataclass(frozen=True)
class Figure:
    """The one disclosed test figure of a study: images wrong of total, the bits per image, and what was looked at.

    `looks_before` counts the claims that other studies of this ledger had laid on the same test images before this one.
    """

    study_uid: str
    test_fingerprint: str
    models: tuple[ClaimedModel, ...]
    looks_before: int
    wrong: int
    total: int
    score: Score
    committed_at: datetime


@dataclass(frozen=True)
class Claim:
    """A study's one look at the test set, laid before the evaluation; `figure` is None until the evaluation is through."""

    study_uid: str
    test_fingerprint: str
    models: tuple[ClaimedModel, ...]
    looks_before: int
    claimed_at: datetime
    figure: Figure | None


def _utc(moment: datetime) -> datetime:
    """SQLite's times come naive and are UTC; PostgreSQL's come aware, in the session's zone."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def study_record(row: Row[Any]) -> StudyRecord:
    """From a row of `study`."""
    return StudyRecord(row.uid, row.name, json.loads(row.identity), _utc(row.created_at))


def trial_record(row: Row[Any]) -> TrialRecord:
    """From a row of `trial` with its result's `body`, or None, beside it."""
    params: dict[str, Any] = json.loads(row.params)
    return TrialRecord(
        trial_uid=row.trial_uid,
        study_uid=row.study_uid,
        number=row.number,
        role=_role(row.role, params),
        label=row.label,
        params=params,
        digest=row.digest,
        words=row.words,
        spec=json.loads(row.spec),
        attempts=row.attempts,
        started_at=None if row.started_at is None else _utc(row.started_at),
        progress=None if row.progress_epoch is None else (row.progress_epoch, row.progress_wrong, row.progress_total),
        result=None if row.body is None else trial_result(row.body),
    )


def _role(stored: Literal["baseline", "trial"], params: dict[str, Any]) -> Role:
    return "enqueued" if stored == "trial" and set(params) == {ENQUEUED} else stored


def trial_result(body: str) -> TrialResult:
    """From the JSON text of `TrialResult.to_dict`."""
    return TrialResult.from_dict(json.loads(body))


def claim_record(row: Row[Any]) -> Claim:
    """From a row of `claim` with its figure's columns, or Nones, beside it."""
    models = tuple(json.loads(row.models))
    figure = None
    if row.score is not None:
        score = Score.from_dict(json.loads(row.score))
        moment = _utc(row.committed_at)
        figure = Figure(row.study_uid, row.test_fingerprint, models, row.looks_before, row.wrong, row.total, score, moment)
    return Claim(row.study_uid, row.test_fingerprint, models, row.looks_before, _utc(row.claimed_at), figure)
