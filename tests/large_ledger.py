"""Ledgers as large as a long search leaves them, written in bulk: what reading them costs is tested and measured on these."""

from typing import Any

import numpy as np

from policysearch.ledger import Ledger, StudyRecord, tables
from policysearch.ledger.rows import result_row, trial_row
from trials.values import Epoch, Score, TrialResult

AT_ONCE = 500
VAL_IMAGES = 1000


def fill(ledger: Ledger, study: StudyRecord, trials: int, epochs: int = 30, spec: dict[str, Any] | None = None) -> None:
    """Give the study so many finished trials, each with a curve and a bit per image; every hundredth failed."""
    generator = np.random.default_rng(trials)
    for start in range(0, trials, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, trials))
        rows = [_trial(study, number, epochs, generator, spec or {}) for number in numbers]
        results = [
            result_row(_result(str(row["trial_uid"]), number, epochs, generator))
            for number, row in zip(numbers, rows, strict=True)
        ]

        def write(connection: Any, rows: list[Any] = rows, results: list[Any] = results) -> None:
            connection.execute(tables.trial.insert(), [row | {"attempts": 1} for row in rows])
            for result in results:
                connection.execute(tables.result.insert(), result)

        ledger._database.write(write)


def _trial(study: StudyRecord, number: int, epochs: int, generator: np.random.Generator, spec: dict[str, Any]) -> dict[str, Any]:
    params = {"ops": int(generator.integers(1, 4)), "level": int(generator.integers(0, 31)), "p": float(generator.random())}
    described = {
        "trial_uid": f"{study.uid[:16]}{number:016x}",
        "budget_epochs": epochs,
        "policy": {"branches": ["..."] * 50},
    } | spec
    role: Any = "baseline" if number < 3 else "trial"
    return trial_row(study.uid, number, role, f"randaugment #{number}", params, f"{number:064x}", "words " * 30, described)


def _result(trial_uid: str, number: int, epochs: int, generator: np.random.Generator) -> TrialResult:
    if number % 100 == 99:
        return TrialResult(trial_uid, "failed", error="epoch 5 of 30: the loss is nan", span_seconds={"total": 6.5})
    wrong = int(generator.integers(100, 300))
    curve = tuple(Epoch(epoch, 1.5, min(VAL_IMAGES, wrong + 10 * (epochs - epoch)), VAL_IMAGES) for epoch in range(1, epochs + 1))
    right = (False,) * wrong + (True,) * (VAL_IMAGES - wrong)
    score = Score(right, ((VAL_IMAGES - wrong, wrong), (0, 0)), 2.0 * wrong)
    return TrialResult(
        trial_uid, "done", curve, score, span_seconds={"total": 43.1}, engine="numba-fused", weights_sha256="ab" * 32
    )
