"""A study's finalists as judging takes them: who was trained again, with how many seeds, scored on which images.

They may be under way: says what is missing. Computes no verdict.
"""

import re
from collections.abc import Sequence

from policysearch.judged_arms import Arms, arm_key, bits_of, score_of
from policysearch.judging import Arm, Design, Runs
from policysearch.ledger import StudyRecord, TrialRecord

LATER_SEEDS = 5  # finalists have so many seeds where the study doesn't say
PLAIN_SPLITS = ("search", "select")
_SEEDS = re.compile(r"seed \d+ of (\d+)$")


class Finalists:
    """The trainings of a study's finalists, in the order in which they were begun. False where there are none."""

    def __init__(self, study: StudyRecord, trials: Sequence[TrialRecord], arms: Arms) -> None:
        self._study, self._trials, self._arms = study, trials, arms

    def __bool__(self) -> bool:
        return bool(self._trials)

    def runs(self) -> dict[str, Runs]:
        """The runs that succeeded, by arm, in the order in which they were begun."""
        leader = self._leader()
        found: dict[str, Runs] = {}
        for trial in self._trials:
            arm = self._arms.of_again(trial, leader)
            before = found.setdefault(arm.key, Runs(arm, {}, 1))
            if (score := score_of(trial)) is None:
                continue
            replicate, bits = int(trial.spec.get("replicate", 0)), bits_of(trial)
            errors = {**before.errors, replicate: score.wrong / score.total}
            right = before.right if bits is None else {**before.right, replicate: bits}
            found[arm.key] = Runs(arm, errors, score.total, right)
        fewest = min(2, max((len(runs.errors) for runs in found.values()), default=1))
        return {key: runs for key, runs in found.items() if len(runs.errors) >= max(1, fewest)}

    def of(self, arm: Arm) -> list[TrialRecord]:
        """The arm's trainings."""
        return [trial for trial in self._trials if self._arms.of_again(trial).key == arm.key]

    def design(self) -> Design:
        """How they are scored."""
        counts = self._study.identity.get("splits") or {}
        splits = {trial.spec.get("split", "search") for trial in self._trials}
        same = splits <= {*PLAIN_SPLITS} if splits else bool(counts.get("select")) or "recipe" not in self._study.identity
        if same or not counts.get("train"):
            return Design(True)
        return Design(False, counts.get("val", 0) / counts["train"])

    def seeds(self) -> int:
        """How many trainings each finalist has, or is to have."""
        told = [found for trial in self._trials[-1:] if (found := _SEEDS.search(trial.label))]
        return int(told[0][1]) if told else int(self._study.wishes.get("finalist_seeds", LATER_SEEDS))

    def missing(self) -> bool:
        """Whether they have begun and are not through: a training not over, or one that is not there yet."""
        if any(trial.result is None for trial in self._trials):
            return True
        leader = self._leader()
        counts: dict[str, int] = {}
        wanted: dict[str, int] = {}
        recipes: dict[str, set[str]] = {}
        for trial in self._trials:
            arm = self._arms.of_again(trial, leader)
            counts[arm.key] = counts.get(arm.key, 0) + 1
            if told := _SEEDS.search(trial.label):
                wanted[arm.key] = int(told[1])
            if arm.is_baseline:
                recipes.setdefault(arm.digest, set()).add(arm.key)
        if any(counts[key] < seeds for key, seeds in wanted.items()):
            return True
        if leader is None or not leader.overrides:
            return False
        return any(arm_key(digest, leader.overrides) not in keys for digest, keys in recipes.items())

    def _leader(self) -> Arm | None:
        """The searched finalist with the lowest mean error, whose recipe the baselines are given too."""
        errors: dict[str, list[float]] = {}
        arms: dict[str, Arm] = {}
        for trial in self._trials:
            arm = self._arms.of_again(trial)
            if not arm.is_baseline and (score := score_of(trial)) is not None:
                arms[arm.key] = arm
                errors.setdefault(arm.key, []).append(score.wrong / score.total)
        most = max(map(len, errors.values()), default=0)
        means = {key: sum(found) / len(found) for key, found in errors.items() if len(found) >= min(2, most)}
        return arms[min(means, key=means.__getitem__)] if means else None
