"""A home whose ledger holds a study of many finished trials, made up: what suggest_speed.py goes on with.

Rows are the ledger's own, written in one transaction instead of one each. Policies are drawn at random from the space; their
errors are a smooth function of the point with noise on it, so that a sampler has something to learn.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import create_engine

from policysearch.campaign import Setting
from policysearch.home import Home
from policysearch.ledger import Ledger, StudyRecord, tables
from policysearch.ledger.records import result_row, trial_row
from searchspaces.families.fixed import baselines
from searchspaces.policy_json import digest
from searchspaces.space import Real, SearchSpace
from searchspaces.spaces import PHOTO_BASE, build_space
from searchspaces.words import policy_in_words
from trials.values import DataRef, Epoch, Recipe, Score, TrialResult, TrialSpec

NAME = "big"
EPOCHS = 30
VAL_IMAGES = 1000
CHANNELS = 3
SEED = 7


def setting_of(space: str, home: Home) -> Setting:
    """What the study's trials share. Its data is named and never read."""
    data = DataRef(str(home.root / "data" / "big-0"), "0" * 64)
    return Setting(build_space(space, CHANNELS, PHOTO_BASE), baselines(CHANNELS, PHOTO_BASE), Recipe(), data, SEED, EPOCHS)


def write_big_ledger(root: Path, space: str, trials: int) -> StudyRecord:
    """Make the home with a study of so many finished trials of `EPOCHS` epochs, the baselines among them."""
    home = Home(root).make()
    ledger, setting = Ledger.open(home.ledger_url), setting_of(space, home)
    record = ledger.create_study(NAME, {"space": setting.space.to_dict()})
    generator = np.random.default_rng(SEED)
    of_trials, of_results = zip(*_rows(record.uid, setting, trials, generator), strict=True)
    ledger.close()
    with create_engine(home.ledger_url).begin() as connection:
        connection.execute(tables.trial.insert(), list(of_trials))
        connection.execute(tables.result.insert(), list(of_results))
    return record


def _rows(
    study_uid: str, setting: Setting, trials: int, generator: np.random.Generator
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    free = list(setting.baselines.items())
    for number in range(trials):
        role, label, params = "trial", f"{setting.space.name} #{number}", dict[str, Any]()
        if number < len(free):
            role, (label, policy) = "baseline", free[number]
        else:
            params = setting.space.draw(generator)
            policy = setting.space.decode(params)
        uid = hashlib.sha256(f"{study_uid}/{number}".encode()).hexdigest()[:32]
        assert setting.data is not None
        spec = TrialSpec(uid, policy, setting.recipe, setting.data, setting.seed, EPOCHS).to_dict()
        words = policy_in_words(policy)
        trial: Any = trial_row(study_uid, number, role, label, params, digest(policy), words, spec)  # type: ignore[arg-type]
        yield trial | {"attempts": 1}, result_row(imagined(uid, error_at(setting.space, params), generator))


def error_at(space: SearchSpace, params: dict[str, Any]) -> float:
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
