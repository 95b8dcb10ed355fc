"""What MLflow is told of a trial and of a study: names, tags, params and metrics as plain values, made from the ledger alone.

Each role's error has a name of its own, so that runs sorted by one are compared on the same images: those of the search in
`final/val_error`, of the finalists in `finalist/val_error`, of longer trainings in `calibration/val_error`. Models made for the
test are trained on the validation images too: they have no validation error, and `test/error` once the gate has disclosed it.
Params are the space's own parameters and nothing else, for MLflow's comparison begins with the first that differ, by name.

Nothing here knows MLflow or the clock: the same ledger rows always give the same runs, so sending them twice changes nothing.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from policysearch.ledger import Figure, Role, StudyRecord, TrialRecord
from policysearch.ledger.records import ENQUEUED, SEARCHED
from policysearch.selection import winner
from policysearch.tracking.data_sets import DataSet, data_set
from searchspaces.errors import NoTrialSucceeded
from trials.values import TrialResult

if TYPE_CHECKING:
    from policysearch.judgement import Judgement

MIRRORED: tuple[Role, ...] = (*SEARCHED, "calibration", "finalist", "confirmation")
"""The roles that MLflow is told of: all but the rehearsal, whose twenty steps are no training."""

ROLES = {"confirmation": "test"}
"""What a role is called in MLflow, where it has a plainer name: of the models that were trained for the test."""

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
    data: DataSet | None = None


def trial_run(study: StudyRecord, trial: TrialRecord, result: TrialResult, figure: Figure | None = None) -> Run:
    """The run of a finished trial, failed ones too. Errors are shares of images, 0 to 1: wrong / total of the ledger.

    `figure`, once disclosed, gives the models that were tested their test error.
    """
    started, ended = _span_ms(study, trial, result)
    points = _tested(trial, figure)
    if result.score is not None and trial.role != "confirmation":  # the error first: MLflow's comparison begins with it
        stage = trial.role if trial.role in ("finalist", "calibration") else "final"
        points.append(Point(f"{stage}/val_error", result.score.wrong / result.score.total, 0, ended))
        if result.score.log_loss_sum is not None:
            points.append(Point(f"{stage}/val_log_loss", result.score.log_loss_sum / result.score.total, 0, ended))
    curves = _epoch_points(result, started, ended, trial.role != "confirmation")
    points += [*curves, Point("cost/seconds", _seconds(result), 0, ended)]
    return Run(
        trial_uid=trial.trial_uid,
        name=run_name(trial),
        status="FINISHED" if result.status == "done" else "FAILED",
        started_ms=started,
        ended_ms=ended,
        tags=_trial_tags(study, trial, result),
        params=_fit({f"policy.{name}": str(value) for name, value in trial.params.items()}, LONGEST_PARAM),
        metrics=tuple(points),
        data=data_set(study),
    )


def study_run(
    study: StudyRecord, trials: Sequence[TrialRecord], figure: Figure | None, judgement: "Judgement | None" = None
) -> Run:
    """The study's summary: its wishes as params, how far it is, the test error (once disclosed) and the verdict as metrics.

    The verdict's sentence is the run's description. What may still grow is a metric with the number of finished trials as its
    step; a param can never change in MLflow.
    """
    searched = [trial for trial in trials if trial.role in SEARCHED]
    over = [(trial, trial.result) for trial in trials if trial.result is not None]
    started = _milliseconds(study.created_at)
    ended = max([started, *(_span_ms(study, trial, result)[1] for trial, result in over)])
    counts: dict[str, float] = {
        "trials/done": sum(result.status == "done" for trial, result in over if trial.role in SEARCHED),
        "trials/failed": sum(result.status == "failed" for trial, result in over if trial.role in SEARCHED),
        "cost/seconds": math.fsum(_seconds(result) for _, result in over),
    }
    tags = _study_tags(study, "study") | {"policysearch.trial_uid": study.uid}
    for best in best_of(searched, 1):
        counts["best/val_error"] = _error(best)  # a name of its own: trials sorted by final/val_error are trials only
        tags |= {"policysearch.digest": best.digest, NOTE: f"Lowest validation error so far: {run_name(best)}. {best.words}"}
    points = [Point(key, float(value), len(over), ended) for key, value in counts.items()]
    if judgement is not None:
        tags |= _verdict_tags(judgement, tags.get(NOTE, ""))
        points += _verdict_points(judgement, len(over) + (figure is not None), ended)  # the figure itself may turn the verdict
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
        data=data_set(study),
    )


def _verdict_tags(judgement: "Judgement", note: str) -> dict[str, str]:
    verdict = judgement.verdict
    return {
        "policysearch.verdict": verdict.kind,
        "policysearch.verdict_sentence": verdict.sentence,
        NOTE: "\n\n".join(filter(None, (verdict.sentence, note))),
    }


def _verdict_points(judgement: "Judgement", step: int, moment: int) -> list[Point]:
    """The difference to the named baseline with its interval, as shares of images; a verdict without one has none. Beside it how
    far each cheaper rung orders policies as whole trainings do.
    """
    verdict = judgement.verdict
    told = {"difference": verdict.difference, "low": verdict.low, "high": verdict.high}
    points = [Point(f"verdict/{name}", value, step, moment) for name, value in told.items() if value is not None]
    for rung in judgement.rungs:
        orders = {"tau": rung.tau, "low": rung.low, "high": rung.high, "policies": float(rung.policies)}
        points += [
            Point(f"rung_{rung.epochs}/{name}", value, step, moment) for name, value in orders.items() if value is not None
        ]
    return points


def _tested(trial: TrialRecord, figure: Figure | None) -> list[Point]:
    """The test error of a model that was looked at."""
    if figure is None:
        return []
    scores = zip(figure.models, figure.scores, strict=True)
    shares = [score.wrong / score.total for model, score in scores if model["trial_uid"] == trial.trial_uid]
    return [Point("test/error", share, 0, _milliseconds(figure.committed_at)) for share in shares]


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
            points.append(Point("val/error", epoch.wrong / epoch.total, epoch.number, moment))
    return points


def _trial_tags(study: StudyRecord, trial: TrialRecord, result: TrialResult) -> dict[str, str]:
    tags = _study_tags(study, shown_role(trial))
    tags |= {"policysearch.trial_uid": trial.trial_uid, "policysearch.digest": trial.digest}
    tags |= {"policysearch.family": _family_of(study, trial), "policysearch.replicate": str(replicate(trial))}
    tags["policysearch.split"] = str(trial.spec.get("split", "search"))
    tags |= {"policysearch.uses": _uses(trial), NOTE: trial.words}
    tags["policysearch.budget_epochs"] = str(trial.budget_epochs)
    if result.error is not None:
        tags |= {"policysearch.reason": result.error, NOTE: f"Failed: {result.error}\n\n{trial.words}"}
    return _fit(tags, LONGEST_TAG)


def _study_tags(study: StudyRecord, role: str) -> dict[str, str]:
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


def _family_of(study: StudyRecord, trial: TrialRecord) -> str:
    """Where the trial's policy comes from, whatever it was trained for."""
    if ENQUEUED in trial.params:
        return "enqueued"
    free = trial.role == "baseline" or trial.digest in study.identity.get("baselines", {}).values()
    return "baseline" if free else family(study)


def family(study: StudyRecord) -> str:
    """The name of the family of policies that the study searches."""
    return str(study.identity["space"]["name"])


def _study_params(study: StudyRecord) -> dict[str, str]:
    """The study's wishes that are one value each; the whole identity is the ledger's."""
    plain = {key: value for key, value in study.identity.items() if isinstance(value, str | int | float)}
    for section in ("data", "splits", "image", "recipe"):
        plain |= {f"{section}.{key}": value for key, value in study.identity.get(section, {}).items()}
    return _fit({key: str(value) for key, value in plain.items()}, LONGEST_PARAM)
