"""The rows of a study as Optuna's tools take them: the trainings that its search chooses among, and are over.

Searched policies come with their point of the space; of baselines and enqueued policies those that are points of it, marked by
their role. What else was trained (calibration, finalists, models of the test) was judged on other images or after other epochs,
and is no trial of an optimiser. Reads the ledger and writes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from policysearch.judgement import judge
from policysearch.ledger import Ledger, StudyRecord, TrialRecord
from policysearch.samplers.optuna_storage import ShownStudy, ShownTrial
from policysearch.selection import short_trials
from searchspaces.errors import BadInput
from searchspaces.limiting import limited_space, recorded_cut
from searchspaces.parameters import Categorical, Parameter, Real, Value, When, Whole
from searchspaces.policy_json import digest
from searchspaces.spaces import usual_base

Points = Mapping[str, Mapping[str, Value]]
"""A point of the space by the digest of its policy."""


@dataclass(frozen=True)
class ForOptuna:
    """The study for Optuna, and what it is not told: how many trainings are not over, which labels are no points of the space."""

    study: ShownStudy
    unfinished: int
    left_out: tuple[str, ...]


def read_for_optuna(ledger: Ledger, record: StudyRecord) -> ForOptuna:
    """The study as it stands."""
    trials = ledger.trials(record.uid)
    short, points = short_trials(trials), _points(record)
    shown, left_out = list[ShownTrial](), list[str]()
    for trial in (trial for trial in trials if trial.result is not None):
        params = trial.params if trial.role == "trial" else points.get(trial.digest)
        if params is None:
            left_out.append(trial.label)
        else:
            shown.append(_shown(record, trial, params, trial.trial_uid in short))
    unfinished = sum(trial.result is None for trial in trials)
    parameters = tuple(map(_parameter, record.identity["space"]["parameters"]))
    study = ShownStudy(record.name, record.uid, parameters, shown, _attributes(ledger, record))
    return ForOptuna(study, unfinished, tuple(left_out))


def _shown(record: StudyRecord, trial: TrialRecord, params: Mapping[str, Value], is_short: bool) -> ShownTrial:
    result = trial.result
    assert result is not None
    score, seconds = result.score, result.span_seconds.get("total", 0.0)
    began = trial.started_at or record.created_at
    attributes = {
        "label": trial.label,
        "role": trial.role,
        "digest": trial.digest,
        "words": trial.words,
        "number": trial.number,
        "epochs": trial.budget_epochs,
        "seconds": seconds,
        "wrong": None if score is None else score.wrong,
        "total": None if score is None else score.total,
        "reason": result.error,
    }
    return ShownTrial(
        uid=trial.trial_uid,
        state="failed" if score is None else "stopped" if is_short else "done",
        params=params,
        error=None if score is None or is_short else score.wrong / score.total,
        errors={epoch.number: epoch.wrong / epoch.total for epoch in result.epochs},
        started_at=began,
        ended_at=began + timedelta(seconds=seconds),
        attributes={name: value for name, value in attributes.items() if value is not None},
    )


def _attributes(ledger: Ledger, record: StudyRecord) -> dict[str, Any]:
    """What is said of the whole study: the verdict, as the report has it."""
    judgement = judge(ledger, record)
    told = {"verdict": judgement.verdict.kind, "verdict_in_words": judgement.verdict.sentence}
    arms = {"winner": judgement.winner, "baseline": judgement.baseline}
    return told | {name: arm.label for name, arm in arms.items() if arm is not None}


def _parameter(told: Mapping[str, Any]) -> Parameter:
    """A parameter from the JSON that a study's identity has of it."""
    when = told.get("when")
    condition = None if when is None else When(when["name"], tuple(when["values"]))
    match told["kind"]:
        case "real":
            return Real(told["name"], told["low"], told["high"], told["log"], condition)
        case "whole":
            return Whole(told["name"], told["low"], told["high"], told["step"], condition)
        case _:
            return Categorical(told["name"], tuple(told["choices"]), condition)


def _points(record: StudyRecord) -> Points:
    """The points of a space that can be listed; none of another, and none where the space can't be made again from its wish."""
    identity = record.identity
    wish, image = record.wishes.get("space", identity["space"]["name"]), identity.get("image")
    if image is None:
        return {}
    try:
        base = usual_base(image["domain"], image["height"], image["width"])
        space = limited_space(wish, image["channels"], base, recorded_cut(identity))
    except BadInput:
        return {}
    points = [point for point in space.cells() or [] if not space.recipe_overrides(point)]
    found: dict[str, Mapping[str, Value]] = {}
    for point in points:
        found.setdefault(digest(space.decode(point)), point)
    return found
