"""Which trial wins: the lowest validation error, then the lower log-loss, then the earlier trial.

Baselines compete like any other trial. Failed and unfinished trials can't win. Errors are compared as exact fractions.
"""

import math
from collections.abc import Sequence
from fractions import Fraction

from policysearch.ledger.records import TrialRecord
from searchspaces.errors import NoTrialSucceeded
from searchspaces.json_text import one_line
from trials.values import Counts, Score


def winner(trials: Sequence[TrialRecord]) -> TrialRecord:
    """The winning trial. Raises NoTrialSucceeded, with the first failure's reason, when none has a score."""
    scored = [(trial.result.score, trial) for trial in trials if trial.result is not None and trial.result.score is not None]
    if not scored:
        raise NoTrialSucceeded(_nobody(trials))
    return min(scored, key=lambda pair: _standing(*pair))[1]


def _standing(score: Score | Counts, trial: TrialRecord) -> tuple[Fraction, float, int]:
    log_loss = math.inf if score.log_loss_sum is None else score.log_loss_sum / score.total
    return Fraction(score.wrong, score.total), log_loss, trial.number


def _nobody(trials: Sequence[TrialRecord]) -> str:
    failed = [trial for trial in trials if trial.result is not None]
    if not failed:
        return f"no trial of {len(trials)} has finished, so none can win; run the search again to go on"
    first = min(failed, key=lambda trial: trial.number)
    reason = one_line((first.result and first.result.error) or "no reason given")
    return f"all {len(failed)} finished trials failed, none can win; trial {first.number} said: {reason}; mend it, search again"
