"""What the ledger gives back: frozen records of studies, trials, claims and figures. How they are read from rows: `rows`.

Times are aware and in UTC.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypedDict

from trials.values import Score, TrialResult

Role = Literal["baseline", "enqueued", "trial", "rehearsal", "calibration", "finalist", "confirmation"]

ALPHA = 0.05  # the chance that any of all looks at the same test images claims a difference that is none

SEARCHED: tuple[Role, ...] = ("baseline", "enqueued", "trial")
"""The roles among which a search chooses; all others are asked for by name."""

ENQUEUED = "enqueued"  # the one parameter of an enqueued policy, which no space has: where the policy comes from


@dataclass(frozen=True)
class StudyRecord:
    """A study: its name, unique in a ledger, and all that its results depend on.

    `wishes` are what the study can be taken up again from ({} where it was made before they were kept); `parent_uid` is the study
    that it was forked from.
    """

    uid: str
    name: str
    identity: dict[str, Any]
    created_at: datetime
    wishes: dict[str, Any] = field(default_factory=dict)
    parent_uid: str | None = None


@dataclass(frozen=True)
class TrialRecord:
    """A trial as it stands: a free baseline, a policy that the user enqueued, or one that the search suggested. `progress` is
    the last noted (epoch, wrong, total); `result` is None until one is committed.

    `attempts` counts starts and `started_at` is the last of them, so that a trial that keeps killing its worker shows. The last
    attempt is `owner`'s until `lease_until` (seconds since 1970 by the database's clock). `point` is what must be new in a study:
    policy, recipe, budget, replicate and split, hashed.
    """

    trial_uid: str
    study_uid: str
    number: int
    role: Role
    label: str
    params: dict[str, Any]
    digest: str
    words: str
    spec: dict[str, Any]
    attempts: int
    started_at: datetime | None
    progress: tuple[int, int, int] | None
    result: TrialResult | None
    budget_epochs: int = 0
    point: str = ""
    owner: str | None = None
    lease_until: float | None = None


@dataclass(frozen=True)
class Standing:
    """A trial as a table shows it, without policy or curve: light enough for ten thousand at once.

    `status` is None until there is a result, `reason` why a failed one failed, `epochs` and `seconds` what the result says.
    """

    trial_uid: str
    number: int
    role: Role
    label: str
    digest: str
    words: str
    point: str
    budget_epochs: int
    params: dict[str, Any]
    attempts: int
    started_at: datetime | None
    lease_until: float | None
    progress: tuple[int, int, int] | None
    status: Literal["done", "failed"] | None
    wrong: int | None
    total: int | None
    log_loss_sum: float | None
    epochs: int
    seconds: float | None
    reason: str | None


@dataclass(frozen=True)
class LateResult:
    """What attempt `fence` of a trial brought after another attempt had begun or the trial was over: kept, never counted."""

    trial_uid: str
    fence: int
    result: TrialResult
    committed_at: datetime


class ClaimedModel(TypedDict):
    """A model in the frozen list of a claim: a trial, and its weights by their hash.

    `label` is its arm's (a policy trained one way), of which `arm` says on which side it is; `replicate` is its seed's number.
    """

    trial_uid: str
    label: str
    weights_sha256: str
    arm: Literal["winner", "baseline"]
    replicate: int


@dataclass(frozen=True)
class Figure:
    """What a study's one look at the test set gave: a score for each model, and what was looked at.

    `looks_before` counts the claims that other studies of this ledger had laid on the same test images before this one. `scores`
    are in the order of `models`; `wrong`, `total` and `score` are the first one's.
    """

    study_uid: str
    test_fingerprint: str
    models: tuple[ClaimedModel, ...]
    looks_before: int
    scores: tuple[Score, ...]
    committed_at: datetime

    @property
    def score(self) -> Score:
        """The first model's score: the winner's with its first seed."""
        return self.scores[0]

    @property
    def wrong(self) -> int:
        """Test images that the first model takes for another class."""
        return self.score.wrong

    @property
    def total(self) -> int:
        """Test images."""
        return self.score.total

    @property
    def baseline_label(self) -> str | None:
        """The baseline that was named before the look; None where the winner was looked at alone."""
        return _baseline_label(self.models)

    @property
    def level(self) -> float:
        """The level at which this look may claim a difference."""
        return level(self.looks_before)


@dataclass(frozen=True)
class Claim:
    """A study's one look at the test set, laid before the evaluation; `figure` is None until the evaluation is through."""

    study_uid: str
    test_fingerprint: str
    models: tuple[ClaimedModel, ...]
    looks_before: int
    claimed_at: datetime
    figure: Figure | None

    @property
    def baseline_label(self) -> str | None:
        """The baseline that the winner is compared with, named before the look; None where there is none."""
        return _baseline_label(self.models)

    @property
    def level(self) -> float:
        """The level at which this look may claim a difference."""
        return level(self.looks_before)


def level(looks_before: int) -> float:
    """What a look may be wrong by, after so many others at the same images: however many there will be, all together `ALPHA`."""
    return float(ALPHA / 2 ** (looks_before + 1))


def _baseline_label(models: tuple[ClaimedModel, ...]) -> str | None:
    return next((model["label"] for model in models if model["arm"] == "baseline"), None)
