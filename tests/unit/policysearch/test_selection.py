"""The winner's rule: error, log-loss, number; never a failed or an unfinished trial."""

from dataclasses import replace
from itertools import permutations
from typing import Literal

import pytest

from policysearch.ledger.records import TrialRecord
from policysearch.selection import winner
from searchspaces.errors import NoTrialSucceeded
from trials.values import Counts, Score, TrialResult


def scored(
    number: int, wrong: int, log_loss: float, total: int = 10, role: Literal["baseline", "trial"] = "trial"
) -> TrialRecord:
    score = Score((False,) * wrong + (True,) * (total - wrong), ((total - wrong, wrong), (0, 0)), log_loss)
    return with_result(number, TrialResult(f"uid{number}", "done", score=score), role)


def failed(number: int, error: str = "loss is NaN") -> TrialRecord:
    return with_result(number, TrialResult(f"uid{number}", "failed", error=error))


def with_result(number: int, result: TrialResult | None, role: Literal["baseline", "trial"] = "trial") -> TrialRecord:
    return TrialRecord(f"uid{number}", "study", number, role, "label", {}, f"digest{number}", "", {}, 1, None, None, result)


def winning_number(*trials: TrialRecord) -> int:
    """The winner's number, which must not depend on the order the trials come in."""
    numbers = {winner(order).number for order in permutations(trials)}
    assert len(numbers) == 1
    return numbers.pop()


def test_the_lowest_error_wins() -> None:
    assert winning_number(scored(0, 3, 0.1), scored(1, 2, 9.0), scored(2, 4, 0.1)) == 1


def test_ties_go_to_the_lower_log_loss_then_to_the_earlier_trial() -> None:
    assert winning_number(scored(0, 2, 5.0), scored(1, 2, 4.0), scored(2, 3, 1.0)) == 1
    assert winning_number(scored(7, 2, 4.0), scored(3, 2, 4.0), scored(5, 2, 4.0)) == 3


def test_baselines_compete() -> None:
    assert winning_number(scored(0, 1, 1.0, role="baseline"), scored(1, 2, 1.0)) == 0


def test_errors_are_compared_as_shares_exactly() -> None:
    assert winning_number(scored(0, 1, 1.0, total=3), scored(1, 333, 1.0, total=1000)) == 1
    assert winning_number(scored(0, 2, 2.0, total=6), scored(1, 1, 0.9, total=3)) == 1  # equal shares: log-loss per image decides


def test_counts_alone_have_no_log_loss_so_that_ties_go_to_the_earlier_trial() -> None:
    counted = [with_result(number, TrialResult(f"uid{number}", "done", score=Counts(3, 10))) for number in (4, 2, 6)]
    assert winning_number(*counted) == 2
    assert winning_number(*counted, with_result(7, TrialResult("uid7", "done", score=Counts(2, 10)))) == 7


def test_trials_of_fewer_epochs_than_the_study_s_never_win() -> None:
    short = replace(scored(0, 1, 0.1), budget_epochs=3)
    assert winning_number(short, replace(scored(1, 9, 9.0), budget_epochs=9)) == 1
    assert winner([short]).number == 0, "nobody has been given more"
    with pytest.raises(NoTrialSucceeded, match="no trial of 0 has finished"):
        winner([short], 9)


def test_failed_and_unfinished_trials_never_win() -> None:
    assert winning_number(failed(0), with_result(1, None), scored(2, 10, 99.0)) == 2


def test_a_score_that_is_not_finite_cannot_be_made() -> None:
    for value in (float("nan"), float("inf"), -float("inf")):
        with pytest.raises(ValueError, match="not finite"):
            replace(scored(0, 1, 1.0).result.score, log_loss_sum=value)  # type: ignore[union-attr, type-var]


def test_nobody_wins_when_all_failed_and_the_first_reason_is_told_in_one_line() -> None:
    with pytest.raises(NoTrialSucceeded, match=r"^all 2 finished trials failed.*trial 1 said: out of memory\\nTry") as caught:
        winner((failed(4), with_result(0, None), failed(1, "out of memory\nTry smaller batches")))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("trials", [(), (with_result(0, None),)])
def test_nobody_wins_before_a_trial_has_finished(trials: tuple[TrialRecord, ...]) -> None:
    with pytest.raises(NoTrialSucceeded, match="finished"):
        winner(trials)
