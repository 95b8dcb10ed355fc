"""A child study: a study of other wishes that begins with what another one has finished, and knows what that one found out.

Models that were trained for the parent's look at the test set stay its own: a child has its own look, and trains its own for it.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, select

from policysearch.ledger import tables
from searchspaces.json_text import canonical_json

AT_ONCE = 500
PARENTS_OWN = "confirmation"  # a role
OF_THE_PARENT = ("plan",)  # facts


def child_trial_uid(study_uid: str, number: int) -> str:
    """The uid of a study's trial of that number."""
    return sha256(f"{study_uid}/{number}".encode()).hexdigest()[:32]


def fork(connection: Connection, row: Mapping[str, Any]) -> None:
    """Insert the study of that row with copies of its parent's finished trials, results and facts; nothing if it is there."""
    study, trial = tables.study.c, tables.trial.c
    if connection.execute(select(study.uid).where(study.uid == row["uid"])).one_or_none() is not None:
        return  # this very call, made again after a COMMIT of unknown outcome
    connection.execute(tables.study.insert().values(row))
    taken_over = (trial.study_uid == row["parent_uid"], trial.role != PARENTS_OWN)
    finished = select(tables.trial).join(tables.result).where(*taken_over).order_by(trial.number)
    uids: dict[str, str] = {}
    copies = []
    for old in connection.execute(finished).mappings().all():
        uid = uids[old["trial_uid"]] = child_trial_uid(row["uid"], old["number"])
        free = {"owner": None, "lease_until": None, "call_key": None}
        copies.append(dict(old) | free | {"trial_uid": uid, "study_uid": row["uid"], "spec": _renamed(old["spec"], uid)})
    outcomes = select(tables.result).join(tables.trial).where(*taken_over)
    results = []
    for old in connection.execute(outcomes).mappings().all():
        uid = uids[old["trial_uid"]]
        results.append(dict(old) | {"trial_uid": uid, "body": _renamed(old["body"], uid)})
    known = select(tables.fact).where(tables.fact.c.study_uid == row["parent_uid"], tables.fact.c.name.not_in(OF_THE_PARENT))
    facts = [dict(old) | {"study_uid": row["uid"]} for old in connection.execute(known).mappings().all()]
    for table, rows in ((tables.trial, copies), (tables.result, results), (tables.fact, facts)):
        for start in range(0, len(rows), AT_ONCE):
            connection.execute(table.insert(), rows[start : start + AT_ONCE])


def _renamed(text: str, trial_uid: str) -> str:
    return canonical_json(json.loads(text) | {"trial_uid": trial_uid})
