"""A pretended study with planted truth in a real ledger: written as workers and the gate write it, read by `judge`.

Only the trainings are imagined. Chooses nothing: who is a finalist, who wins and what is claimed is the judgement's to say.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from simulation.planted import BASELINES, Images, World

from policysearch.heldout import Side
from policysearch.judgement import Judgement, judge, shortlisted
from policysearch.judging import Arm
from policysearch.judging.crossing import Bits
from policysearch.ledger import ClaimedModel, Ledger, Role, StudyRecord
from searchspaces.families.fixed import baselines
from searchspaces.policy import Policy
from searchspaces.policy_json import digest, policy_to_dict
from searchspaces.spaces import PHOTO_BASE, build_space
from trials.values import Recipe, Score, TrialResult

TEST = "7e57"
EPOCHS = 60


@dataclass
class Written:
    """One study while it is written."""

    ledger: Ledger
    world: World
    generator: np.random.Generator
    study: StudyRecord = field(init=False)
    truth: dict[str, float] = field(default_factory=dict)  # by digest
    places: dict[str, int] = field(default_factory=dict)  # the planted policy, by digest

    def __post_init__(self) -> None:
        world = self.world
        splits = {"train": world.train, "val": world.search, "test": world.test}
        wishes = {"finalists": world.finalists, "finalist_seeds": world.seeds}
        identity = {"splits": splits, "recipe": asdict(Recipe()), "test": TEST, "drawn": int(self.generator.integers(2**53))}
        name = f"simulated-{len(self.ledger.studies())}"
        self.study = self.ledger.create_study(name, identity, wishes)

    def play(self) -> Judgement:
        """From the search to the verdict."""
        self._search()
        images = Images(self.world, self.generator, self.world.train + self.world.search)
        arms = shortlisted(self.ledger, self.study, self.world.finalists)
        for seed in range(1, self.world.seeds + 1):
            rows = self.generator.choice(images.count, self.world.search, replace=False)
            for arm in arms:
                label = f"finalist {arm.label}, seed {seed} of {self.world.seeds}"
                self._again("finalist", arm, label, seed, f"fold-{seed}", self._bits(images, arm.digest, rows))
        chosen = judge(self.ledger, self.study)
        if chosen.baseline is not None and chosen.winner is not None:
            self._test(chosen.winner, chosen.baseline)
        return judge(self.ledger, self.study)

    def gain(self, judgement: Judgement) -> float:
        """How much better the winner truly is than the baseline it is compared with; 0 where it is with none."""
        if judgement.winner is None or judgement.baseline is None:
            return 0.0
        return self.truth[judgement.baseline.digest] - self.truth[judgement.winner.digest]

    def _search(self) -> None:
        free, found = self.world.errors(self.generator)
        images, space = (
            Images(self.world, self.generator, self.world.search),
            build_space("randaugment:scale=paper", 3, PHOTO_BASE),
        )
        cells = space.cells()
        assert cells is not None and len(cells) >= self.world.policies
        policies: list[tuple[Role, str, dict[str, Any], Policy]] = [
            ("baseline", label, {}, policy) for label, policy in baselines(3, PHOTO_BASE).items()
        ]
        assert [label for _, label, _, _ in policies] == list(BASELINES)
        policies += [("trial", f"policy {n}", cells[n], space.decode(cells[n])) for n in range(self.world.policies)]
        for place, (row, error) in enumerate(zip(policies, (*free, *found), strict=True)):
            role, label, params, policy = row
            fingerprint = digest(policy)
            self.truth[fingerprint], self.places[fingerprint] = float(error), place
            bits = self._bits(images, fingerprint)
            self._add(role, label, params, fingerprint, policy_to_dict(policy), bits)
            if label == "flip+crop":
                again = self._bits(images, fingerprint)
                self._add("calibration", f"{label}, second seed", {}, fingerprint, policy_to_dict(policy), again, 1)

    def _test(self, winner: Arm, baseline: Arm) -> None:
        """As the gate does: models, claim, figure."""
        images, models, scores = Images(self.world, self.generator, self.world.test), list[ClaimedModel](), list[Score]()
        sides: tuple[tuple[Side, Arm], ...] = (("winner", winner), ("baseline", baseline))
        for side, arm in sides:
            for seed in range(1, self.world.seeds + 1):
                uid = self._again("confirmation", arm, f"model of {arm.label}, seed {seed}", seed, "all", np.ones(2, dtype=bool))
                sha256 = f"{len(models):064x}"
                models.append(ClaimedModel(trial_uid=uid, label=arm.label, weights_sha256=sha256, arm=side, replicate=seed))
                scores.append(_score(self._bits(images, arm.digest)))
        self.ledger.claim_test(self.study.uid, TEST + self.study.uid, models)
        self.ledger.commit_figure(self.study.uid, scores)

    def _bits(self, images: Images, fingerprint: str, rows: Any = None) -> Bits:
        return images.bits(self.places[fingerprint], self.truth[fingerprint], rows)

    def _again(self, role: Role, arm: Arm, label: str, seed: int, split: str, bits: Bits) -> str:
        policy = self.ledger.trial(arm.trial_uid).spec["policy"]
        return self._add(role, label, arm.params, arm.digest, policy, bits, seed, split)

    def _add(
        self,
        role: Role,
        label: str,
        params: Mapping[str, Any],
        fingerprint: str,
        policy: Mapping[str, Any],
        bits: Bits,
        replicate: int = 0,
        split: str = "search",
    ) -> str:
        number = self.ledger.next_number(self.study.uid)
        how = {"budget_epochs": EPOCHS, "replicate": replicate, "split": split}
        uid = f"{self.study.uid}-{number}"
        spec = {"trial_uid": uid, "policy": policy, "recipe": asdict(Recipe()), **how}
        self.ledger.add_trial(self.study.uid, number, role, label, params, fingerprint, label, spec)
        self.ledger.commit_result(TrialResult(uid, "done", score=_score(bits)))
        return uid


def _score(bits: Bits) -> Score:
    wrong = int((~bits).sum())
    return Score(tuple(bits.tolist()), ((len(bits) - wrong, wrong), (0, 0)), 1.0 * wrong)
