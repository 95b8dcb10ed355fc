"""Values survive JSON, and impossible ones can't be made."""

import json
import math
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchspaces.policy import Base, PadCrop, Policy
from trials.values import DataRef, Epoch, Recipe, Score, TrialResult, TrialSpec

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def scores(draw: st.DrawFn) -> Score:
    classes = draw(st.integers(1, 4))
    pairs = draw(st.lists(st.tuples(st.integers(0, classes - 1), st.integers(0, classes - 1)), min_size=1, max_size=40))
    confusion = [[pairs.count((truth, taken)) for taken in range(classes)] for truth in range(classes)]
    right = tuple(truth == taken for truth, taken in pairs)
    return Score(right, tuple(map(tuple, confusion)), draw(FINITE))


@st.composite
def epochs(draw: st.DrawFn) -> Epoch:
    total = draw(st.integers(1, 10**6))
    return Epoch(draw(st.integers(1, 999)), draw(FINITE), draw(st.integers(0, total)), total)


@st.composite
def results(draw: st.DrawFn) -> TrialResult:
    done = draw(st.booleans())
    return TrialResult(
        trial_uid=draw(st.text(min_size=1, max_size=8)),
        status="done" if done else "failed",
        epochs=tuple(draw(st.lists(epochs(), max_size=3))),
        score=draw(scores()) if done else None,
        error=None if done else draw(st.text(min_size=1)),
        span_seconds=draw(st.dictionaries(st.text(max_size=8), FINITE, max_size=3)),
        environment=draw(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3)),
        engine="torch-grouped",
        weights_sha256=draw(st.none() | st.text(max_size=64)),
    )


@given(results())
def test_results_round_trip_through_json(result: TrialResult) -> None:
    assert TrialResult.from_dict(json.loads(json.dumps(result.to_dict(), allow_nan=False))) == result


@given(scores())
def test_wrong_and_total_agree_with_bits_and_confusion(score: Score) -> None:
    assert score.total == len(score.right)
    assert score.wrong == score.total - sum(score.confusion[k][k] for k in range(len(score.confusion)))


@given(st.integers(0, 2**63), st.integers(1, 500), st.integers(0, 9), st.sampled_from([None, PadCrop(0.125)]))
def test_specs_round_trip_through_json(seed: int, budget_epochs: int, replicate: int, crop: PadCrop | None) -> None:
    spec = TrialSpec("uid", Policy(Base(crop=crop)), Recipe(), DataRef("/data/x", "ab"), seed, budget_epochs, replicate)
    assert TrialSpec.from_dict(json.loads(json.dumps(spec.to_dict(), allow_nan=False))) == spec


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused(loss: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        Epoch(1, loss, 0, 10)
    with pytest.raises(ValueError, match="not finite"):
        Score((True,), ((1,),), loss)


@pytest.mark.parametrize(("wrong", "total"), [(-1, 10), (11, 10), (0, 0)])
def test_impossible_counts_are_refused(wrong: int, total: int) -> None:
    with pytest.raises(ValueError, match="impossible"):
        Epoch(1, 0.5, wrong, total)


@pytest.mark.parametrize("confusion", [((1, 0), (0, 0)), ((1, 1), (0, 1)), ((0, 1), (1, 0))])
def test_confusion_that_contradicts_the_bits_is_refused(confusion: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(ValueError, match="confusion"):
        Score((True, False), confusion, 1.0)


SCORE = Score((True,), ((1,),), 0.1)


@pytest.mark.parametrize(
    ("status", "score", "error"),
    [("done", None, None), ("done", SCORE, "why"), ("failed", SCORE, "why"), ("failed", None, None), ("failed", None, "")],
)
def test_a_result_is_either_done_with_a_score_or_failed_with_a_reason(
    status: Literal["done", "failed"], score: Score | None, error: str | None
) -> None:
    with pytest.raises(ValueError, match="t1"):
        TrialResult("t1", status, score=score, error=error)
