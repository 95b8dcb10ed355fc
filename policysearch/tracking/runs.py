"""What MLflow is told of a trial and of a study: names, tags, params and metrics as plain values, made from the ledger alone.

Nothing here knows MLflow or the clock: the same ledger rows always give the same runs, so sending them twice changes nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from policysearch.ledger import Figure, StudyRecord, TrialRecord
from policysearch.selection import winner
from searchspaces.errors import NoTrialSucceeded
from trials.values import TrialResult

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
    """A run as MLflow shall show it. `trial_uid` finds it again; times are in milliseconds since 1970."""

    trial_uid: str
    name: str
    status: Literal["FINISHED", "FAILED"]
    started_ms: int
    ended_ms: int
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: tuple[Point, ...]


def trial_run(study: StudyRecord, trial: TrialRecord, result: TrialResult) -> Run:
    """The run of a finished trial, failed ones too. Errors are shares of images, 0 to 1: wrong / total of the ledger."""
    started, ended = _span_ms(study, trial, result)
    points = []
    if result.score is not None:  # the error first: MLflow's comparison begins with the first metric it was given
        points.append(Point("final/val_error", result.score.wrong / result.score.total, 0, ended))
        if result.score.log_loss_sum is not None:
            points.append(Point("final/val_log_loss", result.score.log_loss_sum / result.score.total, 0, ended))
    points += [*_epoch_points(result, started, ended), Point("cost/seconds", _seconds(result), 0, ended)]
    return Run(
        trial_uid=trial.trial_uid,
        name=run_name(trial),
        status="FINISHED" if result.status == "done" else "FAILED",
        started_ms=started,
        ended_ms=ended,
        tags=_trial_tags(study, trial, result),
        params=_trial_params(trial),
        metrics=tuple(points),
    )


def study_run(study: StudyRecord, trials: Sequence[TrialRecord], figure: Figure | None) -> Run:
    """The study's summary: its wishes as params, how far it is and the test error (once disclosed) as metrics.

    What may still grow is a metric with the number of finished trials as its step; a param can never change in MLflow.
    """
    over = [(trial, trial.result) for trial in trials if trial.result is not None]
    started = _milliseconds(study.created_at)
    ended = max([started, *(_span_ms(study, trial, result)[1] for trial, result in over)])
    counts: dict[str, float] = {
        "trials/done": sum(result.status == "done" for _, result in over),
        "trials/failed": sum(result.status == "failed" for _, result in over),
        "cost/seconds": math.fsum(_seconds(result) for _, result in over),
    }
    tags = _study_tags(study, "study") | {"policysearch.trial_uid": study.uid}
    for best in best_of(trials, 1):
        counts["best/val_error"] = _error(best)  # a name of its own: trials sorted by final/val_error are trials only
        tags |= {"policysearch.digest": best.digest, NOTE: f"Lowest validation error so far: {run_name(best)}. {best.words}"}
    points = [Point(key, float(value), len(over), ended) for key, value in counts.items()]
    if figure is not None:
        points.append(Point("test/error", figure.wrong / figure.total, 0, _milliseconds(figure.committed_at)))
    return Run(
        trial_uid=study.uid,
        name=f"study: {study.name}",
        status="FINISHED",
        started_ms=started,
        ended_ms=ended,
        tags=_fit(tags, LONGEST_TAG),
        params=_study_params(study),
        metrics=tuple(points),
    )


def run_name(trial: TrialRecord) -> str:
    """What a person sees in the list of runs: "baseline: flip+crop", "randaugment ops=2 level=9"."""
    return trial.label if trial.role == "trial" else f"{trial.role}: {trial.label}"


def best_of(trials: Sequence[TrialRecord], count: int) -> list[TrialRecord]:
    """The `count` best of the trials that succeeded, in the order in which a study selects."""
    epochs = max((trial.budget_epochs for trial in trials), default=0)  # of those left, all may have had fewer
    left, best = list(trials), list[TrialRecord]()
    while len(best) < count:
        try:
            first = winner(left, epochs)
        except NoTrialSucceeded:
            break
        best.append(first)
        left.remove(first)
    return best


def _epoch_points(result: TrialResult, started: int, ended: int) -> list[Point]:
    """Both curves. The ledger has no time per epoch: they are spread evenly over the trial's own time."""
    points = []
    for place, epoch in enumerate(result.epochs, start=1):
        moment = started + (ended - started) * place // len(result.epochs)
        if epoch.train_loss is not None:
            points.append(Point("train/loss", epoch.train_loss, epoch.number, moment))
        points.append(Point("val/error", epoch.wrong / epoch.total, epoch.number, moment))
    return points


def _trial_tags(study: StudyRecord, trial: TrialRecord, result: TrialResult) -> dict[str, str]:
    tags = _study_tags(study, trial.role) | {"policysearch.trial_uid": trial.trial_uid, "policysearch.digest": trial.digest}
    tags[NOTE] = trial.words
    tags["policysearch.budget_epochs"] = str(trial.budget_epochs)
    if result.error is not None:
        tags |= {"policysearch.reason": result.error, NOTE: f"Failed: {result.error}\n\n{trial.words}"}
    return _fit(tags, LONGEST_TAG)


def _study_tags(study: StudyRecord, role: str) -> dict[str, str]:
    return {
        "policysearch.study": study.name,
        "policysearch.study_uid": study.uid,
        "policysearch.role": role,
        "policysearch.family": role if role in ("baseline", "enqueued") else family(study),
        "mlflow.source.name": "policysearch",
    }


def _trial_params(trial: TrialRecord) -> dict[str, str]:
    """The family's own numbers, and the ops that may be chosen as one string, named so that it sorts after `policy.ops`."""
    params = {f"policy.{name}": str(value) for name, value in trial.params.items()}
    branches = trial.spec["policy"]["branches"]
    ops = dict.fromkeys(choice["op"] for branch in branches for step in branch["steps"] for choice in step["choices"])
    return _fit(params | {"policy.uses": ", ".join(ops) or "nothing"}, LONGEST_PARAM)


def _fit(texts: Mapping[str, str], longest: int) -> dict[str, str]:
    return {key: text if len(text) <= longest else f"{text[: longest - 1]}…" for key, text in texts.items()}


def _error(trial: TrialRecord) -> float:
    assert trial.result is not None and trial.result.score is not None  # a winner has a score
    return trial.result.score.wrong / trial.result.score.total


def _span_ms(study: StudyRecord, trial: TrialRecord, result: TrialResult) -> tuple[int, int]:
    """Start and end; a trial that never started (its worker died at once) counts from the study's start."""
    started = _milliseconds(trial.started_at or study.created_at)
    return started, started + round(1000 * _seconds(result))


def _seconds(result: TrialResult) -> float:
    return float(result.span_seconds.get("total", 0.0))


def _milliseconds(moment: datetime) -> int:
    return round(1000 * moment.timestamp())


def family(study: StudyRecord) -> str:
    """The name of the family of policies that the study searches."""
    return str(study.identity["space"]["name"])


def data_name(study: StudyRecord) -> str:
    """The name of the study's data set, or of the trainer that brings its own."""
    return str(study.identity["data"]["name"] if "data" in study.identity else study.identity["objective"])


def _study_params(study: StudyRecord) -> dict[str, str]:
    """The study's wishes that are one value each; the whole identity is the ledger's."""
    plain = {key: value for key, value in study.identity.items() if isinstance(value, str | int | float)}
    for section in ("data", "splits", "image", "recipe"):
        plain |= {f"{section}.{key}": value for key, value in study.identity.get(section, {}).items()}
    return _fit({key: str(value) for key, value in plain.items()}, LONGEST_PARAM)
