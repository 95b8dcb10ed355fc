"""A home whose ledger holds a study of many finished trials, made up: what suggest_speed.py goes on with.

The study is begun as any is; the rows that follow are the ledger's own, written in one transaction instead of one each. Policies
are drawn at random from the space; their errors are a smooth function of the point with noise on it, so that a sampler has
something to learn.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import create_engine

from policysearch import Study
from policysearch.home import Home
from policysearch.ledger import Ledger, tables
from policysearch.ledger.rows import result_row, trial_row
from searchspaces.policy_json import digest, policy_to_dict
from searchspaces.space import Real, SearchSpace
from searchspaces.spaces import PHOTO_BASE, build_space
from searchspaces.words import policy_in_words
from trials.values import Epoch, Score, TrialResult

NAME = "big"
EPOCHS = 30
VAL_IMAGES = 1000
SEED = 7


def objective(context: Any) -> tuple[int, int]:
    """A trainer that has nothing to do: images wrong of all."""
    return 100, VAL_IMAGES


def study_of(root: Path, space: str) -> Study:
    """The study's wishes."""
    alone: Any = {"calibrate": False, "finalists": 0}
    return Study(objective=objective, space=space, epochs=EPOCHS, seed=SEED, name=NAME, home=root, workers=1, **alone)


def write_big_ledger(root: Path, space: str, trials: int) -> None:
    """Make the home with a study of so many finished trials of `EPOCHS` epochs, the baselines among them."""
    study_of(root, space).run(trials=1)
    url = Home(root).ledger_url
    ledger = Ledger(url)
    (record,) = ledger.studies()
    begun = ledger.trials(record.uid)
    ledger.close()
    generator = np.random.default_rng(SEED)
    numbers = range(len(begun), trials)
    rows = [_rows(record.uid, number, build_space(space, 3, PHOTO_BASE), begun[-1].spec, generator) for number in numbers]
    with create_engine(url).begin() as connection:
        connection.execute(tables.trial.insert(), [trial for trial, _ in rows])
        connection.execute(tables.result.insert(), [result for _, result in rows])


def _rows(
    study_uid: str, number: int, space: SearchSpace, like: Mapping[str, Any], generator: np.random.Generator
) -> tuple[dict[str, Any], dict[str, Any]]:
    params = space.draw(generator)
    policy = space.decode(params)
    uid = hashlib.sha256(f"{study_uid}/{number}".encode()).hexdigest()[:32]
    spec = {**like, "trial_uid": uid, "policy": policy_to_dict(policy), "params": params}
    label, words = f"{space.name} #{number}", policy_in_words(policy)
    trial = trial_row(study_uid, number, "trial", label, params, digest(policy), words, spec)
    return trial | {"attempts": 1}, result_row(imagined(uid, error_at(space, params), generator))


def error_at(space: SearchSpace, params: Mapping[str, Any]) -> float:
    """The error at a point, from 0.1: each number is best at a third of its range."""
    errors = [
        ((params[each.name] - each.low) / (each.high - each.low) - 1 / 3) ** 2
        for each in space.parameters
        if isinstance(each, Real) and each.name in params
    ]
    return 0.1 + 0.2 * float(np.mean(errors or [0.5]))


def imagined(trial_uid: str, error: float, generator: np.random.Generator) -> TrialResult:
    """A finished training of `EPOCHS` epochs with about that error."""
    right = generator.random(VAL_IMAGES) >= error
    wrong = int((~right).sum())
    epochs = tuple(
        Epoch(number, 2.0 / number, min(VAL_IMAGES, wrong + 3 * (EPOCHS - number)), VAL_IMAGES) for number in range(1, EPOCHS + 1)
    )
    score = Score(tuple(right.tolist()), ((VAL_IMAGES - wrong, wrong), (0, 0)), 1.9 * wrong)
    return TrialResult(
        trial_uid, "done", epochs, score, None, {"total": 40.0}, {"python": "3.11"}, "numba-fused", f"{wrong:064x}"
    )
