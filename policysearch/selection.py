"""Which trial wins: the lowest validation error, then the lower log-loss, then the earlier trial.

Baselines compete like any other trial. Failed and unfinished trials can't win, nor can those that trained for fewer epochs than
the study's own, for the order of policies after few epochs is another one. Errors are compared as exact fractions.
"""

import math
from collections.abc import Collection, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, TypeAlias

from policysearch.ledger.records import Standing, TrialRecord
from searchspaces.errors import NoTrialSucceeded
from searchspaces.json_text import canonical_json, one_line

if TYPE_CHECKING:
    from policysearch.ledger import Ledger

Place: TypeAlias = tuple[Fraction, float, int]


def place(wrong: int, total: int, log_loss_sum: float | None, number: int) -> Place:
    """How good a scored trial is: the lower the better, and no two trials of a study are alike.

    A trainer that gives counts alone has no log-loss; its ties go to the earlier trial.
    """
    return Fraction(wrong, total), math.inf if log_loss_sum is None else log_loss_sum / total, number


def winner(trials: Sequence[TrialRecord], epochs: int | None = None) -> TrialRecord:
    """The winning trial, of those that trained for `epochs` (default: the most that any has been given; baselines have them all).

    Raises NoTrialSucceeded, with the first failure's reason, when none has a score.
    """
    full = max((trial.budget_epochs for trial in trials), default=0) if epochs is None else epochs
    whole = [trial for trial in trials if trial.budget_epochs >= full]
    scored = [trial for trial in whole if trial.result is not None and trial.result.score is not None]
    if not scored:
        raise NoTrialSucceeded(_nobody(whole))
    return min(scored, key=_place)


def leader(standings: Sequence[Standing], roles: Collection[str] | None = None) -> Standing | None:
    """The winner as `winner` says, from light rows; None when none has a score. With `roles` the best of those roles alone."""
    full = max((row.budget_epochs for row in standings), default=0)
    whole = (row for row in standings if row.budget_epochs >= full and row.status == "done")
    scored = [row for row in whole if roles is None or row.role in roles]
    return min(scored, key=_place_of_row, default=None)


def best_trial(ledger: "Ledger", study_uid: str) -> TrialRecord:
    """The study's winner as `winner` says, read by light rows: of ten thousand trials one alone is read whole."""
    best = leader(ledger.standings(study_uid))
    return winner(ledger.trials(study_uid)) if best is None else ledger.trial(best.trial_uid)


def _place_of_row(row: Standing) -> Place:
    assert row.wrong is not None and row.total is not None
    return place(row.wrong, row.total, row.log_loss_sum, row.number)


def short_trials(rows: Sequence[TrialRecord | Standing]) -> dict[str, Literal["promoted", "stopped"]]:
    """The trials, by uid, of fewer epochs than the study's own: whether their policy went on to more epochs, or (yet) not."""
    full = max((row.budget_epochs for row in rows), default=0)
    if all(row.budget_epochs == full for row in rows):
        return {}
    furthest: dict[str, int] = {}
    for row in rows:
        furthest[_policy(row)] = max(furthest.get(_policy(row), 0), row.budget_epochs)
    short = (row for row in rows if row.budget_epochs < full)
    return {row.trial_uid: "promoted" if furthest[_policy(row)] > row.budget_epochs else "stopped" for row in short}


def _policy(row: TrialRecord | Standing) -> str:
    """What trials of one policy, and of one recipe where that is searched too, have in common."""
    return f"{row.digest} {canonical_json(row.params)}"


def _place(trial: TrialRecord) -> Place:
    assert trial.result is not None and trial.result.score is not None
    score = trial.result.score
    return place(score.wrong, score.total, score.log_loss_sum, trial.number)


def _nobody(trials: Sequence[TrialRecord]) -> str:
    failed = [trial for trial in trials if trial.result is not None]
    if not failed:
        return f"no trial of {len(trials)} has finished, so none can win; run the search again to go on"
    first = min(failed, key=lambda trial: trial.number)
    reason = one_line((first.result and first.result.error) or "no reason given")
    return f"all {len(failed)} finished trials failed, none can win; trial {first.number} said: {reason}; mend it, search again"
