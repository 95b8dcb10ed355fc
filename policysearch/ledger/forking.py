"""A child study: a study of other wishes that begins with what another one has finished."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, select

from policysearch.ledger import tables
from searchspaces.json_text import canonical_json


def child_trial_uid(study_uid: str, number: int) -> str:
    """The uid of a study's trial of that number."""
    return sha256(f"{study_uid}/{number}".encode()).hexdigest()[:32]


def fork(connection: Connection, row: Mapping[str, Any]) -> None:
    """Insert the study of that row with copies of its parent's finished trials and their results; nothing if it is there."""
    study, trial = tables.study.c, tables.trial.c
    if connection.execute(select(study.uid).where(study.uid == row["uid"])).one_or_none() is not None:
        return  # this very call, made again after a COMMIT of unknown outcome
    connection.execute(tables.study.insert().values(row))
    finished = select(tables.trial).join(tables.result).where(trial.study_uid == row["parent_uid"]).order_by(trial.number)
    uids: dict[str, str] = {}
    for old in connection.execute(finished).mappings().all():
        uid = uids[old["trial_uid"]] = child_trial_uid(row["uid"], old["number"])
        copy = dict(old) | {"trial_uid": uid, "study_uid": row["uid"], "spec": _renamed(old["spec"], uid)}
        connection.execute(tables.trial.insert().values(copy | {"owner": None, "lease_until": None, "call_key": None}))
    outcomes = select(tables.result).join(tables.trial).where(trial.study_uid == row["parent_uid"])
    for old in connection.execute(outcomes).mappings().all():
        uid = uids[old["trial_uid"]]
        copy = dict(old) | {"trial_uid": uid, "body": _renamed(old["body"], uid)}
        connection.execute(tables.result.insert().values(copy))


def _renamed(text: str, trial_uid: str) -> str:
    return canonical_json(json.loads(text) | {"trial_uid": trial_uid})
