"""Which arm a trial of a study is of: a policy trained one way, whoever trained it and in which stage.

A baseline by the study's recipe and the same one by the recipe of the leading searched policy are two arms. Reads the ledger,
each trial whole at most once; computes nothing and says nothing.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from policysearch.judging import Arm, Complexity, complexity
from policysearch.judging.crossing import Bits
from policysearch.ledger import Standing, StudyRecord, TrialRecord
from searchspaces.json_text import canonical_json
from trials.values import FIRST_FIELDS, Recipe

if TYPE_CHECKING:
    from policysearch.ledger import Ledger

_UNREAD = Complexity(True, float("inf"), 0, 0, False, 0, 0)


class Arms:
    """The arms of one study's trials; `standings` are the light rows of its search."""

    def __init__(self, ledger: "Ledger", study: StudyRecord, standings: Sequence[Standing]) -> None:
        self._ledger, self._study = ledger, study
        self._whole: dict[str, TrialRecord] = {}
        self._by_digest: dict[str, list[Standing]] = {}
        for row in standings:
            self._by_digest.setdefault(row.digest, []).append(row)

    def whole(self, trial_uid: str) -> TrialRecord:
        """The trial with spec and result."""
        if trial_uid not in self._whole:
            self._whole[trial_uid] = self._ledger.trial(trial_uid)
        return self._whole[trial_uid]

    def of(self, trial: TrialRecord) -> Arm:
        """The arm of a trial of the search."""
        overrides = self._overrides(trial.spec)
        searched = trial.role != "baseline"
        simple = complexity(trial.spec["policy"], overrides, searched)
        key = arm_key(trial.digest, overrides)
        named = (trial.label, trial.words, trial.role, trial.digest, trial.params)
        return Arm(key, *named, overrides, trial.trial_uid, simple, trial.number)

    def of_again(self, again: TrialRecord, leader: Arm | None = None) -> Arm:
        """The arm of a finalist's or a tested model's training: that of the search's trial, or of a baseline's by the recipe of
        the leading searched policy.
        """
        overrides = self._overrides(again.spec)
        key = arm_key(again.digest, overrides)
        trials = [self.whole(row.trial_uid) for row in self._by_digest.get(again.digest, ())] or [again]
        arms = [self.of(trial) for trial in trials]
        same = [arm for arm in arms if arm.key == key]
        if same:
            return same[0]
        own = next((arm for arm in arms if arm.is_baseline), arms[0])
        by = f"the recipe of {leader.label}" if leader is not None and leader.overrides == overrides else "another recipe"
        simple = complexity(again.spec["policy"], overrides, not own.is_baseline)
        return replace(own, key=key, label=f"{own.label} with {by}", overrides=overrides, complexity=simple)

    def _overrides(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """What of the recipe is not the study's. A trainer of the user's own is told nothing else."""
        recipe, usual = spec.get("recipe") or {}, self._study.identity.get("recipe")
        if usual is None:
            return dict(recipe)
        # Neither studies nor trials name what was added to recipes later where it is as it always was.
        first = asdict(Recipe())
        usual, recipe = first | usual, {name: first[name] for name in first if name not in FIRST_FIELDS} | recipe
        return {name: value for name, value in recipe.items() if usual.get(name) != value}


def arm_key(digest: str, overrides: Mapping[str, Any]) -> str:
    """What tells a policy trained one way from all others: its digest, and where its recipe is not the study's, that too."""
    return hashlib.sha256(canonical_json([digest, dict(overrides)]).encode()).hexdigest() if overrides else digest


def light_arm(row: Standing) -> Arm:
    """The arm of a trial that is not read whole: how simple it is, is not known."""
    named = (row.label, row.words, row.role, row.digest, row.params)
    return Arm(row.trial_uid, *named, {}, row.trial_uid, _UNREAD, row.number)


def score_of(trial: TrialRecord) -> Any:
    """A trial's score, a `Score` or `Counts`; None where it has none."""
    return None if trial.result is None else trial.result.score


def bits_of(trial: TrialRecord) -> Bits | None:
    """One bit per image (True = right) of a trial's score; None where they are not known."""
    score = score_of(trial)
    return None if score is None or score.right is None else np.array(score.right, dtype=bool)
