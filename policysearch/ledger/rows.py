"""How records are read from the tables' rows, and rows made of what is recorded.

What older ledgers did not have yet is read as what it was then. Refuses nothing: what may be written is `Ledger`'s to say.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row

from policysearch.ledger.records import Claim, ClaimedModel, Figure, LateResult, Role, Standing, StudyRecord, TrialRecord
from searchspaces.json_text import canonical_json
from trials.values import Score, TrialResult


def _utc(moment: datetime) -> datetime:
    """SQLite's times come naive and are UTC; PostgreSQL's come aware, in the session's zone."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _started_at(row: Row[Any]) -> datetime | None:
    return None if row.started_at is None else _utc(row.started_at)


def _progress(row: Row[Any]) -> tuple[int, int, int] | None:
    """The last epoch that a worker noted, images wrong and in all."""
    return None if row.progress_epoch is None else (row.progress_epoch, row.progress_wrong, row.progress_total)


def study_record(row: Row[Any]) -> StudyRecord:
    """From a row of `study`."""
    identity, wishes = json.loads(row.identity), json.loads(row.wishes)
    return StudyRecord(row.uid, row.name, identity, _utc(row.created_at), wishes, row.parent_uid)


def trial_record(row: Row[Any]) -> TrialRecord:
    """From a row of `trial` with its result's `body`, or None, beside it."""
    return TrialRecord(
        trial_uid=row.trial_uid,
        study_uid=row.study_uid,
        number=row.number,
        role=row.role,
        label=row.label,
        params=json.loads(row.params),
        digest=row.digest,
        words=row.words,
        spec=json.loads(row.spec),
        attempts=row.attempts,
        started_at=_started_at(row),
        progress=_progress(row),
        result=None if row.body is None else trial_result(row.body),
        budget_epochs=row.budget_epochs,
        point=row.point,
        owner=row.owner,
        lease_until=row.lease_until,
    )


def standing(row: Row[Any]) -> Standing:
    """From a row with the columns of a `Standing`."""
    return Standing(
        trial_uid=row.trial_uid,
        number=row.number,
        role=row.role,
        label=row.label,
        digest=row.digest,
        words=row.words,
        point=row.point,
        budget_epochs=row.budget_epochs,
        params=json.loads(row.params),
        attempts=row.attempts,
        started_at=_started_at(row),
        lease_until=row.lease_until,
        progress=_progress(row),
        status=row.status,
        wrong=row.wrong,
        total=row.total,
        log_loss_sum=row.log_loss_sum,
        epochs=row.epochs or 0,
        seconds=row.seconds,
        reason=row.error,
    )


def late_result(row: Row[Any]) -> LateResult:
    """From a row of `late_result`."""
    return LateResult(row.trial_uid, row.fence, trial_result(row.body), _utc(row.committed_at))


def point_of(digest: str, spec: Mapping[str, Any]) -> str:
    """What must be new in a study: the policy with the recipe, the budget, replicate and split of its training, hashed."""
    parts = [digest, spec.get("recipe"), spec.get("budget_epochs"), spec.get("replicate", 0)]
    how = [spec.get("split", "search"), spec.get("budget_steps")]
    if how != ["search", None]:  # as it was hashed before there was anything else
        parts += how
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()


def trial_row(
    study_uid: str,
    number: int,
    role: Role,
    label: str,
    params: Mapping[str, Any],
    digest: str,
    words: str,
    spec: Mapping[str, Any],
) -> dict[str, Any]:
    """A row of `trial` for a trial that has not begun."""
    return {
        "trial_uid": spec["trial_uid"],
        "study_uid": study_uid,
        "number": number,
        "role": role,
        "label": label,
        "params": canonical_json(dict(params)),
        "digest": digest,
        "words": words,
        "spec": canonical_json(dict(spec)),
        "budget_epochs": spec.get("budget_epochs") or 0,
        "point": point_of(digest, spec),
    }


def result_row(result: TrialResult) -> dict[str, Any]:
    """A row of `result` or `late_result`, but for its fence."""
    score = result.score
    row: dict[str, Any] = {
        "trial_uid": result.trial_uid,
        "status": result.status,
        "epochs": len(result.epochs),
        "seconds": result.span_seconds.get("total"),
        "error": result.error,
        "body": canonical_json(result.to_dict()),
    }
    if score is not None:
        row |= {"wrong": score.wrong, "total": score.total, "log_loss_sum": score.log_loss_sum}
    return row


def trial_result(body: str) -> TrialResult:
    """From the JSON text of `TrialResult.to_dict`."""
    return TrialResult.from_dict(json.loads(body))


def claimed_model(raw: Mapping[str, Any]) -> ClaimedModel:
    """From a claim's JSON. Claims of earlier ledgers name one model, and not its arm: it is the search's winner."""
    return {
        "trial_uid": raw["trial_uid"],
        "label": raw["label"],
        "weights_sha256": raw["weights_sha256"],
        "arm": raw.get("arm", "winner"),
        "replicate": raw.get("replicate", 0),
    }


def claim_record(row: Row[Any]) -> Claim:
    """From a row of `claim` with its figure's columns, or Nones, beside it."""
    models = tuple(map(claimed_model, json.loads(row.models)))
    figure = None
    if row.scores is not None:
        scores = tuple(map(Score.from_dict, json.loads(row.scores)))
        figure = Figure(row.study_uid, row.test_fingerprint, models, row.looks_before, scores, _utc(row.committed_at))
    return Claim(row.study_uid, row.test_fingerprint, models, row.looks_before, _utc(row.claimed_at), figure)
