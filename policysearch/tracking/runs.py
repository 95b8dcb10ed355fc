"""What MLflow is told of a trial: names, tags, params and metrics as plain values, made from the ledger alone.

Each role's error has a name of its own, so that runs sorted by one are compared on the same images: those of the search in
`final/val_error`, of the finalists in `finalist/val_error`, of longer trainings in `calibration/val_error`. Models made for the
test are trained on the validation images too: they have no validation error, and `test/error` once the gate has disclosed it.
Params are the space's own parameters and nothing else, for MLflow's comparison begins with the first that differ, by name.

Nothing here knows MLflow or the clock: the same ledger rows always give the same runs, so sending them twice changes nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from policysearch.ledger import Figure, Role, StudyRecord, TrialRecord
from policysearch.ledger.records import ENQUEUED, SEARCHED
from policysearch.tracking.data_sets import DataSet, data_set
from trials.values import TrialResult

MIRRORED: tuple[Role, ...] = (*SEARCHED, "calibration", "finalist", "confirmation")
"""The roles that MLflow is told of: all but the rehearsal, whose twenty steps are no training."""

ROLES = {"confirmation": "test"}
"""What a role is called in MLflow, where it has a plainer name: of the models that were trained for the test."""

CURVE = "val/error"  # by epoch; all else of a run is known when its trial is over, and not before
NOTE = "mlflow.note.content"  # shown as the run's description
LONGEST_PARAM = 6000  # characters; MLflow's limit
LONGEST_TAG = 5000


@dataclass(frozen=True)
class Point:
    """One metric value; `milliseconds` since 1970, `step` is the epoch (0 where there is none)."""

    key: str
    value: float
    step: int
    milliseconds: int


@dataclass(frozen=True)
class Run:
    """A run as MLflow shall show it. `trial_uid` finds it again; times are in milliseconds since 1970.

    `ended_ms` is None while the trial is under way.
    """

    trial_uid: str
    name: str
    status: Literal["RUNNING", "FINISHED", "FAILED"]
    started_ms: int
    ended_ms: int | None
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: tuple[Point, ...]
    data: DataSet | None = None


def trial_run(study: StudyRecord, trial: TrialRecord, result: TrialResult, figure: Figure | None = None) -> Run:
    """The run of a finished trial, failed ones too. Errors are shares of images, 0 to 1: wrong / total of the ledger.

    `figure`, once disclosed, gives the models that were tested their test error.
    """
    started, ended = span_ms(study, trial, result)
    points = _tested(trial, figure)
    if result.score is not None and trial.role != "confirmation":  # the error first: MLflow's comparison begins with it
        stage = trial.role if trial.role in ("finalist", "calibration") else "final"
        points.append(Point(f"{stage}/val_error", result.score.wrong / result.score.total, 0, ended))
        if result.score.log_loss_sum is not None:
            points.append(Point(f"{stage}/val_log_loss", result.score.log_loss_sum / result.score.total, 0, ended))
    curves = _epoch_points(result, started, ended, trial.role != "confirmation")
    points += [*curves, Point("cost/seconds", seconds(result), 0, ended)]
    return Run(
        trial_uid=trial.trial_uid,
        name=run_name(trial),
        status="FINISHED" if result.status == "done" else "FAILED",
        started_ms=started,
        ended_ms=ended,
        tags=_trial_tags(study, trial, result.error),
        params=_params(trial),
        metrics=tuple(points),
        data=data_set(study),
    )


def running_run(study: StudyRecord, trial: TrialRecord, now_ms: int) -> Run:
    """The run of a trial that is under way, with the last point of its curve that the ledger knows, as of `now_ms`.

    It has no other metric: what a trial comes to is said when it is over. The trial must have a progress.
    """
    assert trial.progress is not None
    epoch, wrong, total = trial.progress
    started = milliseconds(trial.started_at or study.created_at)
    return Run(
        trial_uid=trial.trial_uid,
        name=run_name(trial),
        status="RUNNING",
        started_ms=started,
        ended_ms=None,
        tags=_trial_tags(study, trial, None),
        params=_params(trial),
        metrics=(Point(CURVE, wrong / total, epoch, max(started, now_ms)),),
        data=data_set(study),
    )


def _tested(trial: TrialRecord, figure: Figure | None) -> list[Point]:
    """The test error of a model that was looked at."""
    if figure is None:
        return []
    scores = zip(figure.models, figure.scores, strict=True)
    shares = [score.wrong / score.total for model, score in scores if model["trial_uid"] == trial.trial_uid]
    return [Point("test/error", share, 0, milliseconds(figure.committed_at)) for share in shares]


def run_name(trial: TrialRecord) -> str:
    """What a person sees in the list of runs: "baseline: none", "finalist: flip+crop, seed 2", "randaugment ops=2 level=9"."""
    if trial.role == "trial":
        return trial.label
    # "finalist flip+crop, seed 2 of 5": the stage's name and the seed are said here, once and alike for all stages
    label = re.sub(r", seed \d+( of \d+)?$", "", trial.label.removeprefix(f"{trial.role} "))
    seed = f", seed {replicate(trial)}" if replicate(trial) and "seed" not in label else ""
    return f"{shown_role(trial)}: {label}{seed}"


def shown_role(trial: TrialRecord) -> str:
    """What the trial's role is called in MLflow."""
    return ROLES.get(trial.role, trial.role)


def replicate(trial: TrialRecord) -> int:
    """Which of a policy's trainings it is: 0 is the search's own."""
    return int(trial.spec.get("replicate") or 0)


def _epoch_points(result: TrialResult, started: int, ended: int, validated: bool) -> list[Point]:
    """Both curves, or the loss alone of a model whose validation images were trained on.

    The ledger has no time per epoch: they are spread evenly over the trial's own time.
    """
    points = []
    for place, epoch in enumerate(result.epochs, start=1):
        moment = started + (ended - started) * place // len(result.epochs)
        if epoch.train_loss is not None:
            points.append(Point("train/loss", epoch.train_loss, epoch.number, moment))
        if validated:
            points.append(Point(CURVE, epoch.wrong / epoch.total, epoch.number, moment))
    return points


def _params(trial: TrialRecord) -> dict[str, str]:
    return fit({f"policy.{name}": str(value) for name, value in trial.params.items()}, LONGEST_PARAM)


def _trial_tags(study: StudyRecord, trial: TrialRecord, reason: str | None) -> dict[str, str]:
    tags = study_tags(study, shown_role(trial))
    tags |= {"policysearch.trial_uid": trial.trial_uid, "policysearch.digest": trial.digest}
    tags |= {"policysearch.family": _family_of(study, trial), "policysearch.replicate": str(replicate(trial))}
    tags["policysearch.split"] = str(trial.spec.get("split", "search"))
    tags |= {"policysearch.uses": _uses(trial), NOTE: trial.words}
    tags["policysearch.budget_epochs"] = str(trial.budget_epochs)
    if reason is not None:
        tags |= {"policysearch.reason": reason, NOTE: f"Failed: {reason}\n\n{trial.words}"}
    return fit(tags, LONGEST_TAG)


def study_tags(study: StudyRecord, role: str) -> dict[str, str]:
    """The tags of any run of the study; `role` as MLflow calls it."""
    return {
        "policysearch.study": study.name,
        "policysearch.study_uid": study.uid,
        "policysearch.role": role,
        "policysearch.family": family(study),
        "mlflow.source.name": "policysearch",
    }


def _uses(trial: TrialRecord) -> str:
    """The ops that may be chosen."""
    branches = trial.spec["policy"]["branches"]
    ops = dict.fromkeys(choice["op"] for branch in branches for step in branch["steps"] for choice in step["choices"])
    return ", ".join(ops) or "nothing"


def fit(texts: Mapping[str, str], longest: int) -> dict[str, str]:
    """The texts, each cut to so many characters, as MLflow wants them."""
    return {key: text if len(text) <= longest else f"{text[: longest - 1]}…" for key, text in texts.items()}


def span_ms(study: StudyRecord, trial: TrialRecord, result: TrialResult) -> tuple[int, int]:
    """Start and end; a trial that never started (its worker died at once) counts from the study's start."""
    started = milliseconds(trial.started_at or study.created_at)
    return started, started + round(1000 * seconds(result))


def seconds(result: TrialResult) -> float:
    """How long a trial took in all; 0 where nobody knows."""
    return float(result.span_seconds.get("total", 0.0))


def milliseconds(moment: datetime) -> int:
    """Since 1970."""
    return round(1000 * moment.timestamp())


def _family_of(study: StudyRecord, trial: TrialRecord) -> str:
    """Where the trial's policy comes from, whatever it was trained for."""
    if ENQUEUED in trial.params:
        return "enqueued"
    free = trial.role == "baseline" or trial.digest in study.identity.get("baselines", {}).values()
    return "baseline" if free else family(study)


def family(study: StudyRecord) -> str:
    """The name of the family of policies that the study searches."""
    return str(study.identity["space"]["name"])
