"""The two policies that pictures and classes compare: the best free baseline, and the winner; where the baseline won, the best
policy that was searched.

Reads the judgement and the ledger; judges nothing.
"""

from dataclasses import dataclass
from typing import Any

from dashboards.queries import StudyView
from policysearch.ledger import Ledger, Role, TrialRecord
from trials.values import Score

FINALISTS: tuple[Role, ...] = ("finalist",)
NOTHING = "none"


@dataclass(frozen=True)
class Contender:
    """A policy with its trial of the search, and what it is in the study: "the winner", "the best free baseline", ..."""

    trial: TrialRecord
    what: str

    @property
    def label(self) -> str:
        """Its name."""
        return self.trial.label

    @property
    def title(self) -> str:
        """Both, as a heading has them."""
        return f"{self.what[:1].upper()}{self.what[1:]}: {self.label}"


@dataclass(frozen=True)
class Contenders:
    """`before` is the free baseline, `after` what is held against it; either may be missing. `won` is the one that won."""

    before: Contender | None
    after: Contender | None
    won: Contender | None


def contenders(view: StudyView, ledger: Ledger) -> Contenders:
    """Who is compared with whom. Nobody twice: a winner that is a baseline is met by the best that was searched."""
    judgement = view.judgement
    won = judgement.winner_trial or view.best_trial
    if won is None:
        return Contenders(None, None, None)
    title = "the winner" if judgement.finalists else "the best policy found"
    if won.role == "baseline":
        searched = _best_searched(view, ledger)
        after = None if searched is None else Contender(searched, "the best of those searched")
        before = Contender(won, f"{title}, a free baseline")
        return Contenders(before, after, before)
    free, best = _best_baseline(view, ledger, won), Contender(won, title)
    return Contenders(None if free is None else Contender(free, "the best free baseline"), best, best)


def _best_baseline(view: StudyView, ledger: Ledger, won: TrialRecord) -> TrialRecord | None:
    """The baseline that the verdict names, else the one of the lowest error in the search; "none" only if there is no other."""
    named = view.judgement.baseline
    if named is not None and named.trial_uid != won.trial_uid:
        return ledger.trial(named.trial_uid)
    rows = [row for row in view.done if row.role == "baseline" and row.uid != won.trial_uid]
    rows = [row for row in rows if row.name != NOTHING] or rows
    return ledger.trial(rows[0].uid) if rows else None


def _best_searched(view: StudyView, ledger: Ledger) -> TrialRecord | None:
    """The searched finalist of the lowest mean, else the searched trial of the lowest error."""
    finalists = [finalist for finalist in view.judgement.finalists if not finalist.arm.is_baseline]
    if finalists:
        return ledger.trial(min(finalists, key=lambda finalist: (finalist.mean, finalist.arm.number)).arm.trial_uid)
    rows = [row for row in view.done if row.role != "baseline"]
    return ledger.trial(rows[0].uid) if rows else None


@dataclass(frozen=True)
class Counts:
    """Confusion counts of both, summed over the same trainings: `before[t][p]` images of class t taken for p. `seeds` each."""

    before: tuple[tuple[int, ...], ...]
    after: tuple[tuple[int, ...], ...]
    seeds: int


def confusions(found: Contenders, view: StudyView, ledger: Ledger) -> Counts | None:
    """Of the finalists' trainings, where both have some on the same images; else of the search's one each. None where a trainer
    gives counts alone, or one of the two is missing.
    """
    if found.before is None or found.after is None:
        return None
    finalists = ledger.trials(view.study.uid, FINALISTS)
    again = [_again(finalists, one.trial, found.after.trial.spec.get("recipe")) for one in (found.before, found.after)]
    both = sorted(set(again[0]) & set(again[1]))
    pairs = [(again[0][seed], again[1][seed]) for seed in both] or _pair(found.before.trial, found.after.trial)
    alike = [pair for pair in pairs if _classes(pair[0]) == _classes(pair[1])]
    if not alike or len({_classes(one) for one, _ in alike}) > 1:
        return None
    before, after = (_summed([pair[side] for pair in alike]) for side in (0, 1))
    return Counts(before, after, len(alike))


def _again(finalists: tuple[TrialRecord, ...], trial: TrialRecord, recipe: Any) -> dict[tuple[int, str], Score]:
    """A policy's fresh trainings by seed and images, by the recipe of the other one if there are any, else by any."""
    own = [one for one in finalists if one.digest == trial.digest]
    own = [one for one in own if one.spec.get("recipe") == recipe] or own
    scores = {(int(one.spec.get("replicate") or 0), str(one.spec.get("split"))): _score(one) for one in own}
    return {seed: score for seed, score in scores.items() if score is not None}


def _pair(before: TrialRecord, after: TrialRecord) -> list[tuple[Score, Score]]:
    one, other = _score(before), _score(after)
    return [] if one is None or other is None else [(one, other)]


def _score(trial: TrialRecord) -> Score | None:
    score = trial.result.score if trial.result else None
    return score if isinstance(score, Score) else None


def _classes(score: Score) -> tuple[int, ...]:
    """How many images of each class were scored."""
    return tuple(sum(row) for row in score.confusion)


def _summed(scores: list[Score]) -> tuple[tuple[int, ...], ...]:
    tables = [score.confusion for score in scores]
    return tuple(tuple(map(sum, zip(*rows, strict=True))) for rows in zip(*tables, strict=True))
