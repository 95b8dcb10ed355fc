"""A study as it stands in a real ledger, with made-up results: what mirror, report and gallery are tested on.

The images are the shipped sample's, the policies are real ones; only the trainings are imagined.
"""

import atexit
import shutil
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from policysearch.home import Home
from policysearch.identity import identity_of
from policysearch.ledger import Ledger, Role, StudyRecord, TrialRecord
from policysearch.selection import winner
from policysearch.setting import Setting
from policysearch.study import Study
from searchspaces.families.fixed import baselines
from searchspaces.policy import Policy
from searchspaces.policy_json import digest, policy_from_dict
from searchspaces.spaces import PHOTO_BASE, build_space
from searchspaces.words import policy_in_words
from trials.data import Source, open_split, prepare
from trials.values import DataRef, Epoch, Recipe, Score, TrialResult, TrialSpec

EPOCHS = 30
VAL_IMAGES = 1000
TEST_IMAGES = 2000
NAMES = ("none", "flip+crop", "trivialaugment-wide", "randaugment(2,9)", "uniformaugment")
SEED = 7
FINALISTS = {
    "randaugment ops=2 level=15": 0.109,
    "randaugment ops=2 level=21": 0.122,
    "randaugment ops=3 level=15": 0.124,
    "trivialaugment-wide": 0.129,
    "randaugment(2,9)": 0.131,
}
TESTED = {"randaugment ops=2 level=15": 0.004, "trivialaugment-wide": 0.005}  # of images that they were trained on
ENVIRONMENT = {
    "python": "3.11.7",
    "torch": "2.14.1",
    "platform": "Linux",
    "device": "a processor",
    "cpu_capability": "AVX512",
    "threads": "1",
}


SAMPLE = Source("sample", None, 64, None, None, None, SEED)


@lru_cache(maxsize=1)
def _prepared_once() -> Path:
    """A home with the sample prepared: to look for copies in it takes seconds, and every study here is of it."""
    home = Path(tempfile.mkdtemp(prefix="policysearch-sample-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    prepare(SAMPLE, home)
    return home


class StudyInLedger:
    """A home with a ledger and one study, to which trials can be added."""

    def __init__(
        self,
        root: Path,
        name: str = "sample-randaugment-0f3a9c21",
        source: Source = SAMPLE,
        space: str = "randaugment",
        wishes_kept: bool = False,
        changed: Mapping[str, Any] | None = None,
    ) -> None:
        """`changed` are parts of the study's identity that are other than its source's own."""
        root.mkdir(parents=True, exist_ok=True)
        self.home = Home(root)
        self.ledger = Ledger.open(self.home.ledger_url)
        self.name = name
        for kept in ("data", "heldout") if source == SAMPLE else ():
            shutil.copytree(_prepared_once() / kept, root / kept, dirs_exist_ok=True)
        self.prepared = prepare(source, root)
        self.val_images = self.prepared.counts["val"]
        self.space = build_space(space, self.prepared.channels, PHOTO_BASE)
        policies = baselines(self.prepared.channels, PHOTO_BASE)
        data = DataRef(str(self.prepared.directory), self.prepared.fingerprint)
        self.setting = Setting(self.space, policies, Recipe(), data, SEED, EPOCHS)
        wishes = Study(source.data, space=space, epochs=EPOCHS, seed=SEED, name=name)
        identity = identity_of(wishes, self.prepared, self.setting) | dict(changed or {})
        self.study: StudyRecord = self.ledger.create_study(name, identity, wishes.wishes() if wishes_kept else {})
        self.generator = np.random.default_rng(SEED)
        self.difficulty = self.generator.normal(size=self.val_images)  # some images are hard for every policy

    def add(
        self,
        role: Any,
        label: str,
        params: dict[str, Any],
        policy: Policy,
        replicate: int = 0,
        split: str = "search",
        epochs: int | None = None,
        steps: int | None = None,
    ) -> TrialRecord:
        """A trial without a result."""
        number = self.ledger.next_number(self.study.uid)
        assert self.setting.data is not None
        spec = TrialSpec(
            trial_uid=f"{self.study.uid[:12]}{number:04d}",
            policy=policy,
            recipe=self.setting.recipe,
            data=self.setting.data,
            seed=SEED,
            budget_epochs=epochs or EPOCHS,
            replicate=replicate,
            split=split,
            budget_steps=steps,
        )
        words = policy_in_words(policy)
        return self.ledger.add_trial(self.study.uid, number, role, label, params, digest(policy), words, spec.to_dict())

    def add_baselines(self, errors: tuple[float, ...] = (0.152, 0.137, 0.129, 0.131, 0.136)) -> None:
        """The five free baselines, done."""
        for (label, policy), error in zip(self.setting.baselines.items(), errors, strict=True):
            self.finish(self.add("baseline", label, {}, policy), error)

    def add_searched(self, count: int, best_error: float = 0.121) -> None:
        """`count` searched trials, done; the one at 2 ops, level 15 is the best."""
        for params in self.cells[:count]:
            away = abs(int(params["level"]) - 15) / 18 + abs(int(params["ops"]) - 2) / 2
            self.finish(self.add_cell(params), best_error + 0.022 * away + 0.002 * self.generator.random())

    @property
    def cells(self) -> list[dict[str, Any]]:
        """The points of the space that no free baseline has taken."""
        taken, cells = {digest(policy) for policy in self.setting.baselines.values()}, self.space.cells()
        assert cells is not None
        return [params for params in cells if digest(self.space.decode(params)) not in taken]

    def add_cell(self, params: dict[str, Any]) -> TrialRecord:
        """A searched trial without a result."""
        label = "randaugment " + " ".join(f"{name}={value}" for name, value in params.items())
        return self.add("trial", label, params, self.space.decode(params))

    def add_calibration(self, longer: tuple[float, float] = (0.112, 0.099), again: float = 0.139) -> None:
        """The runs that check the budget: both baselines at three times the epochs, flip+crop once more."""
        for label, error in zip(("flip+crop", "trivialaugment-wide"), longer, strict=True):
            policy = self.setting.baselines[label]
            self.finish(self.add("calibration", label, {}, policy, epochs=3 * EPOCHS), error)
        policy = self.setting.baselines["flip+crop"]
        self.finish(self.add("calibration", "flip+crop", {}, policy, replicate=1), again)

    def add_rehearsal(self) -> None:
        """The twenty steps that are timed before all else."""
        policy = self.setting.baselines["trivialaugment-wide"]
        self.finish(self.add("rehearsal", "trivialaugment-wide", {}, policy, epochs=1, steps=20), 0.85)

    def add_finalists(self, errors: Mapping[str, float], seeds: int = 5, role: Any = "finalist") -> None:
        """The trials of these labels, trained again with as many seeds, each on a fold of its own; errors differ by seed."""
        chosen = {trial.label: trial for trial in self.ledger.trials(self.study.uid)}
        for label, error in errors.items():
            trial = chosen[label]
            policy = policy_from_dict(trial.spec["policy"])
            for replicate in range(1, seeds + 1):
                split = "all" if role == "confirmation" else f"fold-{replicate}"
                again = self.add(role, label, trial.params, policy, replicate, split)
                self.finish(again, max(0.001, error + 0.004 * self.generator.normal()))

    def finish(self, trial: TrialRecord, error: float) -> TrialResult:
        """Give the trial a result with about that validation error."""
        self.ledger.start_attempt(trial.trial_uid)
        split = trial.spec["split"]
        of_fold = np.random.default_rng(sum(split.encode())).normal(size=self.val_images)  # other images than those of the search
        noisy = (self.difficulty if split == "search" else of_fold) + self.generator.normal(scale=0.5, size=self.val_images)
        right = noisy < np.quantile(noisy, 1 - error)
        wrong, last = int((~right).sum()), trial.budget_epochs
        result = TrialResult(
            trial_uid=trial.trial_uid,
            status="done",
            epochs=(*(self._epoch(number, wrong, last) for number in range(1, last)), Epoch(last, 0.61, wrong, self.val_images)),
            score=Score(tuple(right.tolist()), self._confusion(right), 1.9 * wrong),
            span_seconds={"setup": 0.4, "augment": 9.5, "train": 31.0, "score": 2.0, "total": 43.1 + trial.number},
            environment=ENVIRONMENT,
            engine="torch-grouped",
            weights_sha256=f"{trial.number:064x}",
        )
        return self.ledger.commit_result(result)

    def _confusion(self, right: np.ndarray) -> tuple[tuple[int, ...], ...]:
        """Counts by the validation images' own classes; an image that is taken for another is taken for the next class."""
        labels, classes = np.asarray(open_split(self.prepared.directory, "val").labels), len(self.prepared.classes)
        counts = np.zeros((classes, classes), dtype=int)
        np.add.at(counts, (labels, np.where(right, labels, (labels + 1) % classes)), 1)
        return tuple(tuple(row) for row in counts.tolist())

    def fail(self, trial: TrialRecord, reason: str) -> TrialResult:
        """Give the trial a failed result, after four epochs."""
        self.ledger.start_attempt(trial.trial_uid)
        epochs = tuple(self._epoch(number, 400, EPOCHS) for number in range(1, 5))
        spans = {"setup": 0.4, "total": 6.5}
        failed = TrialResult(trial.trial_uid, "failed", epochs, None, reason, spans, ENVIRONMENT, "torch-grouped")
        return self.ledger.commit_result(failed)

    def disclose(self, wrong: int = 262) -> None:
        """The test figure of the winner, claimed and recorded."""
        best = winner(self.ledger.trials(self.study.uid))
        assert (
            best.result is not None and best.result.weights_sha256 is not None and self.prepared.heldout_fingerprint is not None
        )
        model: Any = {"trial_uid": best.trial_uid, "label": best.label, "weights_sha256": best.result.weights_sha256}
        self.ledger.claim_test(self.study.uid, self.prepared.heldout_fingerprint, [model])
        right = (False,) * wrong + (True,) * (TEST_IMAGES - wrong)
        self.ledger.commit_figure(self.study.uid, [Score(right, ((TEST_IMAGES - wrong, wrong), (0, 0)), 2.0 * wrong)])

    def disclose_models(self, errors: tuple[float, float] = (0.112, 0.131), looks_before: int = 0) -> None:
        """The figure of all confirmation models, the winner's first, then the baseline's: claimed, evaluated, recorded.

        `errors` are of the two arms; their models find the same images hard. Other studies had looked `looks_before` times.
        """
        assert self.prepared.heldout_fingerprint is not None
        confirmation: tuple[Role, ...] = ("confirmation",)
        trials = self.ledger.trials(self.study.uid, confirmation)
        arms = dict(zip(dict.fromkeys(trial.digest for trial in trials), ("winner", "baseline"), strict=False))
        models: list[Any] = [
            {
                "trial_uid": trial.trial_uid,
                "label": trial.label,
                "weights_sha256": f"{trial.number:064x}",
                "arm": arms[trial.digest],
                "replicate": trial.spec["replicate"],
            }
            for trial in trials
        ]
        for number in range(looks_before):
            other = self.ledger.create_study(f"other-{number}", self.study.identity)
            self.ledger.claim_test(other.uid, self.prepared.heldout_fingerprint, [models[0]])
        self.ledger.claim_test(self.study.uid, self.prepared.heldout_fingerprint, models)
        difficulty = self.generator.normal(size=TEST_IMAGES)
        scores = []
        for model in models:
            error = errors[0] if model["arm"] == "winner" else errors[1]
            noisy = difficulty + self.generator.normal(scale=0.5, size=TEST_IMAGES)
            right = noisy < np.quantile(noisy, 1 - error + 0.003 * self.generator.normal())
            wrong = int((~right).sum())
            scores.append(Score(tuple(right.tolist()), ((TEST_IMAGES - wrong, wrong), (0, 0)), 2.0 * wrong))
        self.ledger.commit_figure(self.study.uid, scores)

    def _epoch(self, number: int, last_wrong: int, last: int) -> Epoch:
        progress = number / last
        error = last_wrong / self.val_images + 0.45 * (1 - progress) ** 2.2 + 0.03 * (1 - progress) * self.generator.normal()
        wrong = min(self.val_images, max(1, round(self.val_images * error)))
        return Epoch(number, float(0.6 + 1.6 * (1 - progress) ** 1.5), wrong, self.val_images)


def whole_study(root: Path, searched: int = 12) -> StudyInLedger:
    """The study a person sees at the end: baselines, searched trials, one failed, one under way, the test set spent."""
    made = StudyInLedger(root)
    made.add_baselines()
    made.add_searched(searched)
    made.fail(made.add_cell(made.cells[searched]), "epoch 5 of 30: the loss is nan")
    running = made.add_cell(made.cells[searched + 1])
    made.ledger.start_attempt(running.trial_uid)
    made.ledger.note_progress(running.trial_uid, Epoch(11, 1.2, 310, VAL_IMAGES))
    made.disclose()
    return made


def judged_study(root: Path, tested: bool = False, **names: Any) -> StudyInLedger:
    """The study at its end by the rules: rehearsed, calibrated, searched, with finalists of five seeds, tested if wished."""
    made = StudyInLedger(root, **names)
    made.add_rehearsal()
    made.add_baselines()
    made.add_calibration()
    made.add_searched(12)
    made.fail(made.add_cell(made.cells[12]), "epoch 5 of 30: the loss is nan")
    made.add_finalists(FINALISTS)
    if tested:
        made.add_finalists(TESTED, role="confirmation")
        made.disclose_models()
    return made
