"""What MLflow is told of a study as a whole: its wishes, how far it is, the verdict, as a run beside those of its trials.

Nothing here knows MLflow or the clock, as in `runs`. Refuses nothing: a study without a trial that succeeded has a summary too.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from policysearch.ledger import Figure, StudyRecord, TrialRecord
from policysearch.ledger.records import SEARCHED
from policysearch.selection import winner
from policysearch.tracking.data_sets import data_set
from policysearch.tracking.runs import (
    LONGEST_PARAM,
    LONGEST_TAG,
    NOTE,
    Point,
    Run,
    fit,
    milliseconds,
    run_name,
    seconds,
    span_ms,
    study_tags,
)
from searchspaces.errors import NoTrialSucceeded

if TYPE_CHECKING:
    from policysearch.judgement import Judgement


def study_run(
    study: StudyRecord, trials: Sequence[TrialRecord], figure: Figure | None, judgement: "Judgement | None" = None
) -> Run:
    """The study's summary: its wishes as params, how far it is, the test error (once disclosed) and the verdict as metrics.

    The verdict's sentence is the run's description. What may still grow is a metric with the number of finished trials as its
    step; a param can never change in MLflow.
    """
    searched = [trial for trial in trials if trial.role in SEARCHED]
    over = [(trial, trial.result) for trial in trials if trial.result is not None]
    started = milliseconds(study.created_at)
    ended = max([started, *(span_ms(study, trial, result)[1] for trial, result in over)])
    counts: dict[str, float] = {
        "trials/done": sum(result.status == "done" for trial, result in over if trial.role in SEARCHED),
        "trials/failed": sum(result.status == "failed" for trial, result in over if trial.role in SEARCHED),
        "cost/seconds": math.fsum(seconds(result) for _, result in over),
    }
    tags = study_tags(study, "study") | {"policysearch.trial_uid": study.uid}
    for best in best_of(searched, 1):
        counts["best/val_error"] = _error(best)  # a name of its own: trials sorted by final/val_error are trials only
        tags |= {"policysearch.digest": best.digest, NOTE: f"Lowest validation error so far: {run_name(best)}. {best.words}"}
    points = [Point(key, float(value), len(over), ended) for key, value in counts.items()]
    if judgement is not None:
        tags |= _verdict_tags(judgement, tags.get(NOTE, ""))
        points += _verdict_points(judgement, len(over) + (figure is not None), ended)  # the figure itself may turn the verdict
    if figure is not None:
        points.append(Point("test/error", figure.wrong / figure.total, 0, milliseconds(figure.committed_at)))
    return Run(
        trial_uid=study.uid,
        name=f"study: {study.name}",
        status="FINISHED",
        started_ms=started,
        ended_ms=ended,
        tags=fit(tags, LONGEST_TAG),
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


def _error(trial: TrialRecord) -> float:
    assert trial.result is not None and trial.result.score is not None  # a winner has a score
    return trial.result.score.wrong / trial.result.score.total


def _study_params(study: StudyRecord) -> dict[str, str]:
    """The study's wishes that are one value each; the whole identity is the ledger's."""
    plain = {key: value for key, value in study.identity.items() if isinstance(value, str | int | float)}
    for section in ("data", "splits", "image", "recipe"):
        plain |= {f"{section}.{key}": value for key, value in study.identity.get(section, {}).items()}
    return fit({key: str(value) for key, value in plain.items()}, LONGEST_PARAM)
