"""What a study came to, read from the ledger once and kept as plain values for figures, tables and sentences.

Every number is the ledger's own or arithmetic on its whole numbers. Refuses a study that isn't there; says of an unfinished one
what there is.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, Literal, TypeAlias, get_args

from policysearch.judgement import Judgement, judge
from policysearch.judging.in_words import points
from policysearch.ledger import Claim, Figure, Ledger, Role, Standing, StudyRecord, TrialRecord
from policysearch.selection import short_trials, winner
from policysearch.statistics import disagreement, resolvable_difference, wilson_interval
from searchspaces.errors import BadInput, NoTrialSucceeded
from searchspaces.phrases import counted, listed
from trials.values import Counts, Score

Status: TypeAlias = Literal["done", "failed", "unfinished", "waiting", "promoted", "stopped"]


@dataclass(frozen=True)
class Row:
    """A trial as a person meets it. `error` is a share of the validation images, 0 to 1, None without a score.

    One of fewer epochs than the study's own is never done: its policy was promoted to more epochs, or stopped. `params` are the
    point of the space ({} for a policy that is none of it), `digest` is the policy's.
    """

    number: int
    uid: str
    role: Role
    name: str
    words: str
    status: Status
    wrong: int | None
    total: int | None
    log_loss: float | None
    seconds: float | None
    reason: str | None
    curve: tuple[tuple[int, float], ...]
    epochs: int
    params: Mapping[str, Any]
    digest: str

    @property
    def error(self) -> float | None:
        """Images wrong of all, 0 to 1."""
        return None if self.wrong is None or self.total is None else self.wrong / self.total


@dataclass(frozen=True)
class Comparison:
    """The best policy beside a baseline, on the same validation images.

    `difference` is the baseline's error less the best one's; `resolvable` the smallest that these images can show (both 0 to 1).
    """

    baseline: Row
    difference: float
    resolvable: float

    @property
    def can_be_told(self) -> bool:
        """Whether the difference is one that so many images can show. No difference never is, not even where all images agree."""
        return self.difference > 0 and self.difference >= self.resolvable


CALIBRATION: tuple[Role, ...] = ("calibration",)
STAGES: Mapping[str, tuple[Role, ...]] = {
    "rehearsal": ("rehearsal",),
    "free baselines": ("baseline",),
    "calibration of the budget": CALIBRATION,
    "search": ("trial", "enqueued"),
    "finalists": ("finalist",),
    "models for the test": ("confirmation",),
}


@dataclass(frozen=True)
class Cost:
    """What a stage of the study has taken: trainings that are over, those of them that failed, their epochs, their seconds."""

    stage: str
    trainings: int
    failed: int
    epochs: int
    seconds: float


@dataclass(frozen=True)
class StudyView:
    """A study for people. `best` is None until a trial has succeeded; `claim` None while the test set is closed.

    `best` is the search's own; what the study came to is `judgement`'s. `calibration` are the trainings beside the search that
    check the budget; `facts` are what the study has noted, by name. `ended_at` is when its last training was over.
    """

    study: StudyRecord
    rows: tuple[Row, ...]
    best: Row | None
    best_trial: TrialRecord | None
    comparisons: tuple[Comparison, ...]
    claim: Claim | None
    judgement: Judgement
    costs: tuple[Cost, ...]
    calibration: tuple[Row, ...]
    facts: Mapping[str, Any]
    ended_at: datetime | None

    @property
    def figure(self) -> Figure | None:
        """The one test figure, once disclosed."""
        return self.claim.figure if self.claim else None

    @property
    def test_interval(self) -> tuple[float, float] | None:
        """The test error's 95 % interval (Wilson)."""
        return wilson_interval(self.figure.wrong, self.figure.total) if self.figure else None

    @property
    def baselines(self) -> tuple[Row, ...]:
        """The free baselines, by number."""
        return tuple(row for row in self.rows if row.role == "baseline")

    @property
    def done(self) -> tuple[Row, ...]:
        """The trials of all the study's epochs that have a score, best first, in the order in which a study selects."""
        scored = [row for row in self.rows if row.status == "done"]
        return tuple(sorted(scored, key=lambda row: (row.error, math.inf if row.log_loss is None else row.log_loss, row.number)))

    def count(self, status: Status, role: str | None = None) -> int:
        """Trials of this status (and role)."""
        return sum(row.status == status and role in (None, row.role) for row in self.rows)


def read_study(ledger: Ledger, study_name: str) -> StudyView:
    """The study of this name; BadInput if there is none."""
    study = ledger.study(study_name)
    if study is None:
        names = ", ".join(known.name for known in ledger.studies()) or "none yet"
        raise BadInput(f"study {study_name!r}: not in this ledger; there are: {names}")
    trials = ledger.trials(study.uid)
    standings = ledger.standings(study.uid, get_args(Role))
    costs, ended_at = costs_of(standings), _ended_at(standings)
    calibration = tuple(_row(trial, None) for trial in ledger.trials(study.uid, CALIBRATION))
    beside = (ledger.claim(study.uid), judge(ledger, study), costs, calibration, ledger.facts(study.uid), ended_at)
    short = short_trials(trials)
    rows = tuple(_row(trial, short.get(trial.trial_uid)) for trial in trials)
    try:
        best_trial = winner(trials)
    except NoTrialSucceeded:
        return StudyView(study, rows, None, None, (), *beside)
    best = next(row for row in rows if row.uid == best_trial.trial_uid)
    return StudyView(study, rows, best, best_trial, _comparisons(trials, rows, best_trial), *beside)


def costs_of(standings: Iterable[Standing]) -> tuple[Cost, ...]:
    """What each stage took, in the order in which a study goes; stages that nothing was trained in are left out."""
    over = [row for row in standings if row.status is not None]
    found = []
    for stage, roles in STAGES.items():
        rows = [row for row in over if row.role in roles]
        failed, epochs = sum(row.status == "failed" for row in rows), sum(row.epochs for row in rows)
        if rows:
            found.append(Cost(stage, len(rows), failed, epochs, math.fsum(row.seconds or 0.0 for row in rows)))
    return tuple(found)


def _ended_at(standings: Iterable[Standing]) -> datetime | None:
    """When the last training that is over had its end."""
    ends = [row.started_at + timedelta(seconds=row.seconds) for row in standings if row.started_at and row.seconds is not None]
    return max(ends, default=None)


def caveat(view: StudyView) -> str:
    """How little a search this short proves, in plain words with this study's numbers; empty without a best policy."""
    if view.best is None:
        return ""
    told_apart, budget = _can_be_told(view.comparisons, view.best), counted(view.best.epochs, "epoch")
    return (
        f"Each policy was trained once, with one seed, for {budget}. The lowest of {len(view.done)} errors"
        f" flatters its policy, because it was chosen for being low. {told_apart}Strong augmentation needs long training, so"
        " another number of epochs may have another winner."
    )


def _can_be_told(comparisons: tuple[Comparison, ...], best: Row) -> str:
    if not comparisons:
        return ""
    others = "every other baseline" if best.role == "baseline" else "every baseline"
    needed = max(comparison.resolvable for comparison in comparisons)
    if needed == 0:
        return f"It gets the same ones of {best.total:,} validation images right as {others}: nothing tells them apart. "
    undecided = [f"“{comparison.baseline.name}”" for comparison in comparisons if not comparison.can_be_told]
    verdict = f"it is not told apart from {listed(undecided)}" if undecided else f"it is further than that from {others}"
    return f"{best.total:,} validation images show differences of about {points(needed)} and more: {verdict}. "


def _comparisons(trials: tuple[TrialRecord, ...], rows: tuple[Row, ...], best: TrialRecord) -> tuple[Comparison, ...]:
    """The best policy beside every baseline that has a score, unless it is one itself."""
    best_score = _score(best)
    assert best_score is not None
    found = []
    for trial, row in zip(trials, rows, strict=True):
        score = _score(trial)
        if trial.role == "baseline" and trial != best and score is not None:
            difference = float(Fraction(score.wrong, score.total) - Fraction(best_score.wrong, best_score.total))
            found.append(Comparison(row, difference, resolvable_difference(_apart(best_score, score), best_score.total)))
    return tuple(found)


def _apart(one: Score | Counts, other: Score | Counts) -> float:
    """The share of images that exactly one of two models gets right; the largest it can be, if it is not known which."""
    if one.right is None or other.right is None or one.total != other.total:
        return min(1.0, one.wrong / one.total + other.wrong / other.total)
    return disagreement(one.right, other.right)


def _row(trial: TrialRecord, short: Literal["promoted", "stopped"] | None) -> Row:
    result, score = trial.result, _score(trial)
    return Row(
        number=trial.number,
        uid=trial.trial_uid,
        role=trial.role,
        name=trial.label,
        words=trial.words,
        status=_status(trial, short),
        wrong=score.wrong if score else None,
        total=score.total if score else None,
        log_loss=score.log_loss_sum / score.total if score and score.log_loss_sum is not None else None,
        seconds=result.span_seconds.get("total") if result else None,
        reason=result.error if result else None,
        curve=tuple((epoch.number, epoch.wrong / epoch.total) for epoch in result.epochs) if result else (),
        epochs=trial.budget_epochs,
        params=trial.params,
        digest=trial.digest,
    )


def _status(trial: TrialRecord, short: Literal["promoted", "stopped"] | None) -> Status:
    if trial.result is not None:
        return (short or "done") if trial.result.status == "done" else "failed"
    return "unfinished" if trial.attempts else "waiting"


def _score(trial: TrialRecord) -> Score | Counts | None:
    return trial.result.score if trial.result else None
