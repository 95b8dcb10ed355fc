"""Importance of parameters: a planted space is seen through, and what can't be said is left unsaid."""

from typing import Any

import numpy as np
import pytest

from policysearch.samplers.importance import FANOVA, FEWEST, PED_ANOVA, Importance, importance, measured

STRONG: dict[str, Any] = {"kind": "real", "name": "strong", "low": 0.0, "high": 1.0, "log": False}
IDLE: dict[str, Any] = {"kind": "whole", "name": "idle", "low": 1, "high": 3, "step": 1}
KIND: dict[str, Any] = {"kind": "categorical", "name": "kind", "choices": ["x", "y"]}
SOMETIMES: dict[str, Any] = {**STRONG, "name": "sometimes", "when": {"name": "kind", "values": ["x"]}}
SPACE = (IDLE, KIND, STRONG, SOMETIMES)


def planted(trials: int) -> list[tuple[dict[str, Any], float]]:
    """Points whose error is `strong`'s doing and nothing else's."""
    generator = np.random.default_rng(3)
    points = []
    for _ in range(trials):
        kind = str(generator.choice(["x", "y"]))
        point: dict[str, Any] = {"idle": int(generator.integers(1, 4)), "kind": kind, "strong": float(generator.random())}
        points.append(
            ({**point, **({"sometimes": float(generator.random())} if kind == "x" else {})}, 0.2 + 0.3 * point["strong"])
        )
    return points


@pytest.fixture(scope="module")
def found() -> Importance:
    said = importance(SPACE, planted(40))
    assert said is not None
    return said


def test_the_planted_parameter_is_first_by_both_methods(found: Importance) -> None:
    assert found.names[0] == "strong" and found.trials == 40
    for method in (FANOVA, PED_ANOVA):
        shares = {name: share for name in found.names if (share := found.shares[name][method]) is not None}
        assert max(shares, key=lambda name: shares[name]) == "strong"
        assert shares["strong"] > 0.6
        assert sum(shares.values()) == pytest.approx(1)


def test_of_a_conditional_parameter_fanova_says_nothing(found: Importance) -> None:
    assert found.shares["sometimes"][FANOVA] is None
    assert found.shares["sometimes"][PED_ANOVA] is not None


def test_the_same_trials_have_the_same_importance(found: Importance) -> None:
    measured.cache_clear()
    assert importance(SPACE, planted(40)) == found


@pytest.mark.parametrize(
    "tried",
    [
        [],
        planted(FEWEST - 1),
        [(point, 0.25) for point, _ in planted(20)],
        [({"idle": 1, "kind": "x", "strong": 0.5}, error) for _, error in planted(20)],
    ],
    ids=["none", "too few", "one error", "one point"],
)
def test_where_nothing_can_be_said_nothing_is(tried: list[tuple[dict[str, Any], float]]) -> None:
    assert importance(SPACE, tried) is None
