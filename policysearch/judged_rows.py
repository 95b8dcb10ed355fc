"""The rows of a study as judging takes them: candidates, noise, calibration, and what was tested; its arms and finalists.

Reads the ledger, light rows where there may be thousands; computes nothing and says nothing.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from policysearch.judged_arms import Arms, bits_of, light_arm, score_of
from policysearch.judged_finalists import Finalists
from policysearch.judging import Arm, Candidate, Length, Noise, Sizes, Tested, measured_noise
from policysearch.judging.crossing import Bits
from policysearch.ledger import Figure, Role, Standing, StudyRecord, TrialRecord
from searchspaces.json_text import canonical_json

if TYPE_CHECKING:
    from policysearch.ledger import Ledger

CALIBRATION: tuple[Role, ...] = ("calibration",)
FINALISTS: tuple[Role, ...] = ("finalist",)
READ_WHOLE = 64  # candidates; of those that are worse only the error counts
FOR_NOISE = 24
NOTHING = "none"


class StudyRows:
    """One study's rows, each read from the ledger once."""

    def __init__(self, ledger: "Ledger", study: StudyRecord) -> None:
        self._study = study
        standings = ledger.standings(study.uid)
        self.arms = Arms(ledger, study, standings)
        self.full = max((row.budget_epochs for row in standings), default=0)
        done = [row for row in standings if row.status == "done" and row.budget_epochs >= self.full]
        self.any_done = bool(done)
        self.baselines = [self._candidate(row) for row in done if row.role == "baseline"]
        self.searched = self._searched([row for row in done if row.role != "baseline"])
        self.calibration = {row.trial_uid: row for row in ledger.trials(study.uid, CALIBRATION)}
        self.finalists = Finalists(study, ledger.trials(study.uid, FINALISTS), self.arms)

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
                pairs.append((self.arms.whole(short.arm.trial_uid), long))
        if len(pairs) < 2:
            return None
        plain, strong = pairs
        return _length(plain[0], strong[0]), _length(plain[1], strong[1]), plain[0].label, strong[0].label

    def scores(self, arm: Arm) -> list[tuple[int, int, Any]]:
        """Wrong, total and confusion counts (None: not known) of the arm's training in the search, then of its finalists."""
        trained = (self.arms.whole(arm.trial_uid), *self.finalists.of(arm))
        found = [score for trial in trained if (score := score_of(trial)) is not None]
        return [(score.wrong, score.total, score.confusion) for score in found]

    def sizes(self) -> Sizes:
        """Images of each stage, as the study has them or as they were scored."""
        scored = max((candidate.total for candidate in (*self.baselines, *self.searched)), default=None)
        design = self.finalists.design()
        finalists = self._counts.get("select") if design.same_images and self._counts.get("select") else scored
        test = self._counts.get("test") if "recipe" in self._study.identity and self._study.identity.get("test") else None
        return Sizes(scored, finalists, test or None, self.finalists.seeds(), None if design.same_images else design.ratio)

    def tested(self, figure: Figure) -> tuple[Arm, Arm | None, Tested]:
        """Both sides of the one look at the test set, by what it claimed."""
        sides: dict[str, list[Bits]] = {"winner": [], "baseline": []}
        arms: dict[str, Arm] = {}
        for model, score in zip(figure.models, figure.scores, strict=True):
            sides[model["arm"]].append(np.array(score.right, dtype=bool))
            arms.setdefault(model["arm"], replace(self.arms.of_again(self.arms.whole(model["trial_uid"])), label=model["label"]))
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

    def _searched(self, rows: Iterable[Standing]) -> list[Candidate]:
        """Searched and enqueued policies; the best are read whole, the others' arms are their light rows."""
        ordered = sorted(rows, key=lambda row: ((row.wrong or 0) / (row.total or 1), row.number))
        best = [self._candidate(row) for row in ordered[:READ_WHOLE]]
        return best + [
            Candidate(light_arm(row), row.wrong, row.total)
            for row in ordered[READ_WHOLE:]
            if row.wrong is not None and row.total is not None
        ]

    def _candidate(self, row: Standing) -> Candidate:
        assert row.wrong is not None and row.total is not None
        return Candidate(self.arms.of(self.arms.whole(row.trial_uid)), row.wrong, row.total)

    def _bits(self, trial_uid: str) -> Bits | None:
        return bits_of(self.arms.whole(trial_uid))


def _is_done(trial: TrialRecord) -> bool:
    return trial.result is not None and trial.result.status == "done"


def _length(plain: TrialRecord, strong: TrialRecord) -> Length:
    first, second = score_of(plain), score_of(strong)
    errors = (first.wrong / first.total, second.wrong / second.total)
    return Length(plain.budget_epochs, *errors, first.total, bits_of(plain), bits_of(strong))
