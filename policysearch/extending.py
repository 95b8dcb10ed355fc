"""How a finished study goes on: what is wanted in all, and under which name.

A study whose test figure has been disclosed is closed: its policies were chosen before that look. It goes on as a child study,
which begins with all that its parent has finished and whose own look will count the parent's. Refuses what can't be extended.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from policysearch.home import Home
from policysearch.kept_weights import PLACE, WEIGHTS, KeptWeights, note_place, place_of
from policysearch.ledger import Ledger, StudyRecord
from policysearch.selection import winner
from policysearch.study import Study
from searchspaces.errors import BadInput, NoTrialSucceeded
from searchspaces.json_text import canonical_json, one_line
from trials.data.functions import is_function_name
from trials.places import write_at

MOST = 1_000_000


@dataclass(frozen=True)
class Extension:
    """The study that goes on, how many searched policies it is to have in all, and sentences for the user."""

    record: StudyRecord
    trials: int
    notes: tuple[str, ...]


def study_again(record: StudyRecord, **how: Any) -> Study:
    """The study's recorded wishes as a `Study`, with how to run it this time. BadInput where they don't suffice.

    A function that makes the images is called when it is named here again as `data`, and not because a ledger names it.
    """
    if not record.wishes:
        raise BadInput(
            f"study {record.name!r}: an earlier policysearch made it and kept too little to go on; repeat its search command"
            " with more --trials"
        )
    if "objective" in record.wishes:
        raise BadInput(
            f"study {record.name!r}: its trainer is a function of your own ({record.wishes['objective']}), which is not stored;"
            f' extend it where that is: Study(objective=..., name="{record.name}", ...).extend("+50")'
        )
    data = record.wishes.get("data")
    if data is not None and is_function_name(data) and how.get("data") is None:
        raise BadInput(
            f"study {record.name!r}: its images come from a function of your own, which is not called because a ledger names it;"
            f" name it yourself: --data {data}"
        )
    return Study(**{**record.wishes, **how, "name": record.name})


def extension(ledger: Ledger, home: Home, known: StudyRecord, more: str, wishes: Mapping[str, Any]) -> Extension:
    """What `more` ("+50": so many more, "82": so many in all) makes of the study; a child of it is made, or found, if need be."""
    wanted = re.fullmatch(r"(\+?)([0-9]{1,7})", more.strip())
    if wanted is None or not 1 <= int(wanted[2]) <= MOST:
        raise BadInput(f"trials {one_line(more, 40)!r}: allowed is +N, for so many more, or N in all, with N from 1 to {MOST}")
    record, notes = known, list[str]()
    while (claim := ledger.claim(record.uid)) is not None and claim.figure is not None:
        parent, record = record, _child(ledger, record, wishes)
        note_place(ledger, record, ledger.facts(parent.uid).get(PLACE))
        _copy_weights(ledger, home, parent, record)
        notes.append(
            f"the test figure of {parent.name} has been disclosed, so it goes on as {record.name}, whose own look will count that"
            " one"
        )
    tried = policies_tried(ledger, record)
    trials = int(wanted[2]) + (tried if wanted[1] else 0)
    if trials > tried:
        notes.append(
            f"policies tried so far: {tried}; wanted: {trials}, which is the number to give where this is stopped and goes on"
        )
    return Extension(record, trials, tuple(notes))


def policies_tried(ledger: Ledger, study: StudyRecord) -> int:
    """How many policies of its space the study has begun with, each counted once however many rungs it has climbed."""
    return len({canonical_json(row.params) for row in ledger.standings(study.uid) if row.role == "trial"})


def _child(ledger: Ledger, parent: StudyRecord, wishes: Mapping[str, Any]) -> StudyRecord:
    """The parent's child: the one there is, else a new one under the first free name."""
    studies = ledger.studies()
    for study in studies:
        if study.parent_uid == parent.uid:
            return study
    taken, root = {study.name for study in studies}, _root(parent, {study.uid: study for study in studies})
    number = next(number for number in range(2, len(studies) + 3) if f"{root.name}-{number}" not in taken)
    return ledger.fork_study(parent.uid, f"{root.name}-{number}", parent.identity, wishes)


def _root(study: StudyRecord, by_uid: Mapping[str, StudyRecord]) -> StudyRecord:
    while study.parent_uid is not None:
        study = by_uid[study.parent_uid]
    return study


def _copy_weights(ledger: Ledger, home: Home, parent: StudyRecord, child: StudyRecord) -> None:
    """Give the child the weights of the policy that wins in both; where they are gone, training restores them."""
    try:
        old, new = winner(ledger.trials(parent.uid)), winner(ledger.trials(child.uid))
    except NoTrialSucceeded:
        return
    source, target = (
        KeptWeights(place_of(ledger, study, home.study_directory(study.name)) / WEIGHTS).path(trial.trial_uid)
        for study, trial in ((parent, old), (child, new))
    )
    with suppress(OSError):
        if old.number == new.number and source.exists() and not target.exists():
            write_at(target, source.read_bytes())
