"""What a study has come to so far, read from the ledger: `judge` is the one place that says it, for everybody who tells it.

Hands the study's rows, facts and figure to `policysearch.judging`; computes nothing itself, decides nothing, writes nothing. Says
of an unfinished study how far it is.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from policysearch.judged_rows import StudyRows
from policysearch.judging import (
    Arm,
    Beside,
    Calibration,
    Candidate,
    Finalist,
    Optimism,
    Resolution,
    Stage,
    Tested,
    Verdict,
    best_baselines,
    calibrated,
    chosen,
    confirmed,
    doubts,
    optimism,
    resolution,
    shortlist,
    summarised,
)
from policysearch.judging.ranking import RankAgreement
from policysearch.ledger import Figure, StudyRecord, TrialRecord
from policysearch.rung_orders import rung_orders
from policysearch.selection import best_trial
from searchspaces.errors import NoTrialSucceeded

if TYPE_CHECKING:
    from policysearch.ledger import Ledger

ANY_BUDGET = "any_budget"
BASELINES_IN_FINAL = 2


@dataclass(frozen=True)
class Judgement:
    """The verdict, and all that it rests on. `winner` is None where no policy is recommended, `baseline` where there is none to
    compare it with.

    `winner_trial` is the winner's trial of the search, `search_best` that of the search's lowest error. `figure` is what the look
    at the test set was at, once it was had. `stage` is the last that the verdict goes by. `rungs` say of early stopping's cheaper
    trainings whether they order policies as whole ones do.
    """

    verdict: Verdict
    winner: Arm | None = None
    baseline: Arm | None = None
    winner_trial: TrialRecord | None = None
    finalists: tuple[Finalist, ...] = ()
    search_best: TrialRecord | None = None
    calibration: Calibration | None = None
    resolution: Resolution | None = None
    optimism: Optimism | None = None
    figure: dict[str, Any] | None = None
    stage: Stage = "search"
    rungs: tuple[RankAgreement, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; trials by their uids."""
        parts = ("verdict", "winner", "baseline", "calibration", "resolution", "optimism")
        told = {name: None if (part := getattr(self, name)) is None else part.to_dict() for name in parts}
        trials = {
            name: None if (trial := getattr(self, name)) is None else trial.trial_uid for name in ("winner_trial", "search_best")
        }
        return {
            **told,
            **trials,
            "finalists": [finalist.to_dict() for finalist in self.finalists],
            "figure": self.figure,
            "stage": self.stage,
            "rungs": [rung.to_dict() for rung in self.rungs],
        }


def shortlisted(ledger: "Ledger", study: StudyRecord, count: int) -> tuple[Arm, ...]:
    """Who is trained again: the `count` best searched policies by posterior mean, then the two best baselines."""
    rows = StudyRows(ledger, study)
    best = (*shortlist(rows.searched, count, rows.noise()), *best_baselines(rows.baselines, BASELINES_IN_FINAL))
    return tuple(candidate.arm for candidate in best)


def calibration(ledger: "Ledger", study: StudyRecord) -> Calibration | None:
    """Whether the budget is long enough to compare policies; None where a training that says so is missing or failed."""
    return _calibration(StudyRows(ledger, study))


def judge(ledger: "Ledger", study: StudyRecord) -> Judgement:
    """What the study has come to."""
    rows = StudyRows(ledger, study)
    if not rows.any_done:
        return Judgement(Verdict("unfinished", "No verdict yet: no trial has succeeded."))
    judging = _Judging(ledger, study, rows)
    claim = ledger.claim(study.uid)
    if claim is not None and claim.figure is not None:
        return judging.by_the_test(claim.figure)
    if judging.too_short:
        return judging.without_a_winner()
    if rows.finalists and not rows.finalists.missing() and rows.finalists.runs():
        return judging.by_the_finalists(interrupted=claim is not None)
    return judging.by_the_search()


class _Judging:
    """One study's rows on the way to a judgement."""

    def __init__(self, ledger: "Ledger", study: StudyRecord, rows: StudyRows) -> None:
        self._ledger, self._study, self._rows = ledger, study, rows
        self._noise = rows.noise()
        self._calibration = _calibration(rows)
        self._optimism = optimism(rows.searched, self._noise)
        self._best = _best(ledger, study)
        told_to_go_on = ledger.facts(study.uid).get(ANY_BUDGET) or rows.finalists
        short = self._calibration is not None and not self._calibration.enough
        self.too_short = short and not told_to_go_on
        sentences = ("The budget was found too short to compare policies, and the study was told to go on.",) if short else ()
        self._beside = Beside(None if self._optimism is None else self._optimism.points, sentences)

    def without_a_winner(self) -> Judgement:
        """The budget is too short, and the study wasn't told to go on."""
        assert self._calibration is not None
        return self._judgement(Verdict("budget-too-short", self._calibration.sentence), stage="calibration")

    def by_the_search(self) -> Judgement:
        """No finalists, or not all of them yet."""
        awaited = bool(self._rows.finalists) or int(self._study.wishes.get("finalists", 0)) > 0
        label = "" if self._best is None else f"; the lowest error of the search is that of {self._best.label}"
        if awaited:
            began = "the finalists have not all been trained" if self._rows.finalists else "the finalists have not been trained"
            verdict = Verdict("unfinished", f"No verdict yet: {began}{label}.")
        else:
            verdict = Verdict("no-finalists", f"No verdict: no finalists were trained{label}, which flatters it.")
        arm = None if self._best is None else self._rows.arms.of(self._best)
        return self._judgement(self._beside.put(verdict), arm)

    def by_the_finalists(self, interrupted: bool) -> Judgement:
        """All finalists are through; the test images have not spoken."""
        because = self._why_unconfirmed(interrupted)
        finalists = self._rows.finalists
        winner, baseline, verdict = chosen(tuple(finalists.runs().values()), finalists.design(), self._noise, because)
        against = None if baseline is None else baseline.arm
        return self._judgement(self._beside.put(verdict), winner.arm, against, stage="finalists")

    def by_the_test(self, figure: Figure) -> Judgement:
        """The one look was had: its verdict stands, whoever would win by now."""
        winner, baseline, tested = self._rows.tested(figure)
        verdict = self._beside.put(_confirmed(tested))
        facts = {
            "looks_before": figure.looks_before,
            "level": figure.level,
            "test_fingerprint": figure.test_fingerprint,
            "committed_at": figure.committed_at.isoformat(),
            **verdict.details,
        }
        return self._judgement(verdict, winner, baseline, facts, stage="test")

    def _judgement(
        self,
        verdict: Verdict,
        winner: Arm | None = None,
        baseline: Arm | None = None,
        figure: dict[str, Any] | None = None,
        stage: Stage = "search",
    ) -> Judgement:
        design = self._rows.finalists.design()
        finalists = tuple(summarised(runs, design, self._noise) for runs in self._rows.finalists.runs().values())
        trial = None if winner is None else self._rows.arms.whole(winner.trial_uid)
        doubtful = () if winner is None else doubts(self._rows.scores(winner))
        verdict = replace(verdict, sentence=" ".join((verdict.sentence, *doubtful)))
        sizes = resolution(self._noise, self._rows.sizes())
        found = (finalists, self._best, self._calibration, sizes, self._optimism, figure, stage)
        return Judgement(verdict, winner, baseline, trial, *found, rung_orders(self._ledger, self._study))

    def _why_unconfirmed(self, interrupted: bool) -> str:
        identity = self._study.identity
        if "recipe" not in identity:
            return "the model is its own trainer's: test it there, once"
        if not identity.get("test"):
            return "there is no test set"
        return "a look at the test set was begun and not finished" if interrupted else "the test set has not been opened"


@lru_cache(maxsize=64)
def _confirmed(tested: Tested) -> Verdict:
    """A figure never changes, so that its interval is drawn once."""
    return confirmed(tested)


def _calibration(rows: StudyRows) -> Calibration | None:
    found = rows.lengths()
    if found is None:
        return None
    short, long, plain, strong = found
    return calibrated(short, long, rows.repeat(), plain, strong)


def _best(ledger: "Ledger", study: StudyRecord) -> TrialRecord | None:
    try:
        return best_trial(ledger, study.uid)
    except NoTrialSucceeded:
        return None


__all__ = ["Arm", "Candidate", "Judgement", "calibration", "judge", "shortlisted"]
