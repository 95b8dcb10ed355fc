"""Which trial wins: the lowest validation error, then the lower log-loss, then the earlier trial.

Baselines compete like any other trial. Failed and unfinished trials can't win, nor can those that trained for fewer epochs than
the study's own, for the order of policies after few epochs is another one. Errors are compared as exact fractions.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import TypeAlias

from policysearch.ledger.records import TrialRecord
from searchspaces.errors import NoTrialSucceeded
from searchspaces.json_text import one_line

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
