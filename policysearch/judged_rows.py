"""The rows of a study as judging takes them: arms, candidates, noise, finalists' runs, calibration, and what was tested.

Reads the ledger, light rows where there may be thousands; computes nothing and says nothing.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from policysearch.judging import (
    Arm,
    Candidate,
    Complexity,
    Design,
    Length,
    Noise,
    Runs,
    Sizes,
    Tested,
    complexity,
    measured_noise,
)
from policysearch.judging.crossing import Bits
from policysearch.ledger import Figure, Role, Standing, StudyRecord, TrialRecord
from searchspaces.json_text import canonical_json
from trials.values import FIRST_FIELDS, Recipe

if TYPE_CHECKING:
    from policysearch.ledger import Ledger

CALIBRATION: tuple[Role, ...] = ("calibration",)
FINALISTS: tuple[Role, ...] = ("finalist",)
READ_WHOLE = 64  # candidates; of those that are worse only the error counts
FOR_NOISE = 24
LATER_SEEDS = 5  # finalists have so many seeds where the study doesn't say
NOTHING = "none"
PLAIN_SPLITS = ("search", "select")
_UNREAD = Complexity(True, float("inf"), 0, 0, False, 0, 0)
_SEEDS = re.compile(r"seed \d+ of (\d+)$")


class StudyRows:
    """One study's rows, each read from the ledger once."""

    def __init__(self, ledger: "Ledger", study: StudyRecord) -> None:
        self._ledger, self._study = ledger, study
        self._whole: dict[str, TrialRecord] = {}
        standings = ledger.standings(study.uid)
        self.full = max((row.budget_epochs for row in standings), default=0)
        done = [row for row in standings if row.status == "done" and row.budget_epochs >= self.full]
        self.any_done = bool(done)
        self.by_digest: dict[str, list[Standing]] = {}
        for row in standings:
            self.by_digest.setdefault(row.digest, []).append(row)
        self.baselines = [self._candidate(row) for row in done if row.role == "baseline"]
        self.searched = self._searched([row for row in done if row.role != "baseline"])
        self.calibration = {row.trial_uid: row for row in ledger.trials(study.uid, CALIBRATION)}
        self.finalists = ledger.trials(study.uid, FINALISTS)

    def whole(self, trial_uid: str) -> TrialRecord:
        """The trial with spec and result."""
        if trial_uid not in self._whole:
            self._whole[trial_uid] = self._ledger.trial(trial_uid)
        return self._whole[trial_uid]

    def arm(self, trial: TrialRecord) -> Arm:
        """The arm of a trial of the search."""
        overrides = self._overrides(trial.spec)
        searched = trial.role != "baseline"
        simple = complexity(trial.spec["policy"], overrides, searched)
        key = arm_key(trial.digest, overrides)
        named = (trial.label, trial.words, trial.role, trial.digest, trial.params)
        return Arm(key, *named, overrides, trial.trial_uid, simple, trial.number)

    def arm_of(self, again: TrialRecord, leader: Arm | None = None) -> Arm:
        """The arm of a finalist's or a tested model's training: that of the search's trial, or of a baseline's by the recipe of
        the leading searched policy.
        """
        overrides = self._overrides(again.spec)
        key = arm_key(again.digest, overrides)
        trials = [self.whole(row.trial_uid) for row in self.by_digest.get(again.digest, ())] or [again]
        arms = [self.arm(trial) for trial in trials]
        same = [arm for arm in arms if arm.key == key]
        if same:
            return same[0]
        own = next((arm for arm in arms if arm.is_baseline), arms[0])
        by = f"the recipe of {leader.label}" if leader is not None and leader.overrides == overrides else "another recipe"
        simple = complexity(again.spec["policy"], overrides, not own.is_baseline)
        return replace(own, key=key, label=f"{own.label} with {by}", overrides=overrides, complexity=simple)

    def noise(self) -> Noise:
        """Of the searched policies and baselines: images they disagree on, and two seeds of the plain baseline."""
        every = [candidate for candidate in (*self.baselines, *self.searched) if candidate.arm.label != NOTHING]
        step = max(1, len(every) // FOR_NOISE)
        known = [bits for each in every[::step][:FOR_NOISE] if (bits := self._bits(each.arm.trial_uid)) is not None]
        images = max((len(bits) for bits in known), default=0)
        repeat = self.repeat()
        same = [bits for bits in known if len(bits) == images]
        return measured_noise(same, [] if repeat is None else [repeat], [candidate.error for candidate in every])

    def repeat(self) -> Bits | None:
        """The bits of the plain baseline's two seeds, (2, images), where both are known."""
        for again in self.calibration.values():
            if again.budget_epochs != self.full:
                continue
            first = next((free for free in self.baselines if free.arm.digest == again.digest), None)
            pair = None if first is None else (self._bits(first.arm.trial_uid), bits_of(again))
            if pair is not None and pair[0] is not None and pair[1] is not None and len(pair[0]) == len(pair[1]):
                return np.stack([pair[0], pair[1]])
        return None

    def lengths(self) -> tuple[Length, Length, str, str] | None:
        """The plain and the strong baseline at the budget and at the longer one, and their labels; None where one is missing."""
        longer = [trial for trial in self.calibration.values() if trial.budget_epochs > self.full > 0 and _is_done(trial)]
        pairs = []
        for long in longer[:2]:
            short = next((free for free in self.baselines if free.arm.digest == long.digest), None)
            if short is not None:
                pairs.append((self.whole(short.arm.trial_uid), long))
        if len(pairs) < 2:
            return None
        plain, strong = pairs
        return _length(plain[0], strong[0]), _length(plain[1], strong[1]), plain[0].label, strong[0].label

    def runs(self) -> dict[str, Runs]:
        """The finalists' runs that succeeded, by arm, in the order in which they were begun."""
        leader = self._leader()
        found: dict[str, Runs] = {}
        for trial in self.finalists:
            arm = self.arm_of(trial, leader)
            before = found.setdefault(arm.key, Runs(arm, {}, 1))
            if (score := _score(trial)) is None:
                continue
            replicate, bits = int(trial.spec.get("replicate", 0)), bits_of(trial)
            errors = {**before.errors, replicate: score.wrong / score.total}
            right = before.right if bits is None else {**before.right, replicate: bits}
            found[arm.key] = Runs(arm, errors, score.total, right)
        fewest = min(2, max((len(runs.errors) for runs in found.values()), default=1))
        return {key: runs for key, runs in found.items() if len(runs.errors) >= max(1, fewest)}

    def scores(self, arm: Arm) -> list[tuple[int, int, Any]]:
        """Wrong, total and confusion counts (None: not known) of the arm's training in the search, then of its finalists."""
        again = [trial for trial in self.finalists if self.arm_of(trial).key == arm.key]
        found = [score for trial in (self.whole(arm.trial_uid), *again) if (score := _score(trial)) is not None]
        return [(score.wrong, score.total, score.confusion) for score in found]

    def design(self) -> Design:
        """How the finalists are scored."""
        splits = {trial.spec.get("split", "search") for trial in self.finalists}
        same = splits <= {*PLAIN_SPLITS} if splits else bool(self._counts.get("select")) or "recipe" not in self._study.identity
        if same or not self._counts.get("train"):
            return Design(True)
        return Design(False, self._counts.get("val", 0) / self._counts["train"])

    def seeds(self) -> int:
        """How many trainings each finalist has, or is to have."""
        told = [found for trial in self.finalists[-1:] if (found := _SEEDS.search(trial.label))]
        return int(told[0][1]) if told else int(self._study.wishes.get("finalist_seeds", LATER_SEEDS))

    def missing_finalists(self) -> bool:
        """Whether finalists have begun and are not through: a training not over, or one that is not there yet."""
        if any(trial.result is None for trial in self.finalists):
            return True
        leader = self._leader()
        counts: dict[str, int] = {}
        wanted: dict[str, int] = {}
        recipes: dict[str, set[str]] = {}
        for trial in self.finalists:
            arm = self.arm_of(trial, leader)
            counts[arm.key] = counts.get(arm.key, 0) + 1
            if told := _SEEDS.search(trial.label):
                wanted[arm.key] = int(told[1])
            if arm.is_baseline:
                recipes.setdefault(arm.digest, set()).add(arm.key)
        if any(counts[key] < seeds for key, seeds in wanted.items()):
            return True
        by_leader = leader is not None and leader.overrides
        return bool(by_leader) and any(arm_key(digest, leader.overrides) not in keys for digest, keys in recipes.items())  # type: ignore[union-attr]

    def sizes(self) -> Sizes:
        """Images of each stage, as the study has them or as they were scored."""
        scored = max((candidate.total for candidate in (*self.baselines, *self.searched)), default=None)
        design = self.design()
        finalists = self._counts.get("select") if design.same_images and self._counts.get("select") else scored
        test = self._counts.get("test") if "recipe" in self._study.identity and self._study.identity.get("test") else None
        return Sizes(scored, finalists, test or None, self.seeds(), None if design.same_images else design.ratio)

    def tested(self, figure: Figure) -> tuple[Arm, Arm | None, Tested]:
        """Both sides of the one look at the test set, by what it claimed."""
        sides: dict[str, list[Bits]] = {"winner": [], "baseline": []}
        arms: dict[str, Arm] = {}
        for model, score in zip(figure.models, figure.scores, strict=True):
            sides[model["arm"]].append(np.array(score.right, dtype=bool))
            arms.setdefault(model["arm"], replace(self.arm_of(self.whole(model["trial_uid"])), label=model["label"]))
        baseline = np.stack(sides["baseline"]) if sides["baseline"] else None
        claim = canonical_json([self._study.uid, [model["weights_sha256"] for model in figure.models]])
        told = (hashlib.sha256(claim.encode()).hexdigest(), arms["winner"].label, figure.baseline_label, figure.level)
        bits = (np.stack(sides["winner"]), baseline)
        tested = Tested(*told, figure.looks_before, *bits, winner_is_baseline=arms["winner"].is_baseline)
        return arms["winner"], arms.get("baseline"), tested

    @property
    def _counts(self) -> Mapping[str, int]:
        splits: Mapping[str, int] = self._study.identity.get("splits") or {}
        return splits

    def _leader(self) -> Arm | None:
        """The searched finalist with the lowest mean error, whose recipe the baselines are given too."""
        errors: dict[str, list[float]] = {}
        arms: dict[str, Arm] = {}
        for trial in self.finalists:
            arm = self.arm_of(trial)
            if not arm.is_baseline and (score := _score(trial)) is not None:
                arms[arm.key] = arm
                errors.setdefault(arm.key, []).append(score.wrong / score.total)
        most = max(map(len, errors.values()), default=0)
        means = {key: sum(found) / len(found) for key, found in errors.items() if len(found) >= min(2, most)}
        return arms[min(means, key=means.__getitem__)] if means else None

    def _searched(self, rows: Iterable[Standing]) -> list[Candidate]:
        """Searched and enqueued policies; the best are read whole, the others' arms are their light rows."""
        ordered = sorted(rows, key=lambda row: ((row.wrong or 0) / (row.total or 1), row.number))
        best = [self._candidate(row) for row in ordered[:READ_WHOLE]]
        return best + [
            Candidate(_light_arm(row), row.wrong, row.total)
            for row in ordered[READ_WHOLE:]
            if row.wrong is not None and row.total is not None
        ]

    def _candidate(self, row: Standing) -> Candidate:
        assert row.wrong is not None and row.total is not None
        return Candidate(self.arm(self.whole(row.trial_uid)), row.wrong, row.total)

    def _overrides(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """What of the recipe is not the study's. A trainer of the user's own is told nothing else."""
        recipe, usual = spec.get("recipe") or {}, self._study.identity.get("recipe")
        if usual is None:
            return dict(recipe)
        # Neither studies nor trials name what was added to recipes later where it is as it always was.
        first = asdict(Recipe())
        usual, recipe = first | usual, {name: first[name] for name in first if name not in FIRST_FIELDS} | recipe
        return {name: value for name, value in recipe.items() if usual.get(name) != value}

    def _bits(self, trial_uid: str) -> Bits | None:
        return bits_of(self.whole(trial_uid))


def arm_key(digest: str, overrides: Mapping[str, Any]) -> str:
    """What tells a policy trained one way from all others: its digest, and where its recipe is not the study's, that too."""
    return hashlib.sha256(canonical_json([digest, dict(overrides)]).encode()).hexdigest() if overrides else digest


def bits_of(trial: TrialRecord) -> Bits | None:
    """One bit per image (True = right) of a trial's score; None where they are not known."""
    score = _score(trial)
    return None if score is None or score.right is None else np.array(score.right, dtype=bool)


def _score(trial: TrialRecord) -> Any:
    return None if trial.result is None else trial.result.score


def _is_done(trial: TrialRecord) -> bool:
    return trial.result is not None and trial.result.status == "done"


def _light_arm(row: Standing) -> Arm:
    named = (row.label, row.words, row.role, row.digest, row.params)
    return Arm(row.trial_uid, *named, {}, row.trial_uid, _UNREAD, row.number)


def _length(plain: TrialRecord, strong: TrialRecord) -> Length:
    first, second = _score(plain), _score(strong)
    errors = (first.wrong / first.total, second.wrong / second.total)
    return Length(plain.budget_epochs, *errors, first.total, bits_of(plain), bits_of(strong))
