"""What judging a study gives, as frozen values: who is compared, how sure each figure is, and the verdict.

All errors, differences and deviations are shares of images, 0 to 1; only sentences speak of percent and points. A difference is
the baseline's error less the winner's: above 0, the winner is better.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal[
    "better",
    "not-distinguishable",
    "worse",
    "baseline-wins",
    "budget-too-short",
    "looks-better-unconfirmed",
    "not-distinguishable-unconfirmed",
    "no-finalists",
    "unfinished",
]
Stage: TypeAlias = Literal["calibration", "search", "finalists", "test"]


class _AsJson:
    """A value whose fields are JSON values."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]


@dataclass(frozen=True)
class Complexity(_AsJson):
    """How much there is to a policy and its training. Compared from the first field on: the lower, the simpler.

    A free baseline is simpler than any searched policy, whatever is in it, for it needs no search. Then count: the ops that an
    image meets on average, the different ops, the branches, whether images of a batch are mixed, the values of the recipe that
    are not the study's own, and the views over which predictions are averaged.
    """

    searched: bool
    ops_an_image: float
    distinct_ops: int
    branches: int
    mixes_batches: bool
    recipe_changes: int
    views: int

    def order(self) -> tuple[float, ...]:
        """What is compared."""
        return (
            *(self.searched, round(self.ops_an_image, 6), self.distinct_ops, self.branches),
            *(self.mixes_batches, self.recipe_changes, self.views),
        )


@dataclass(frozen=True)
class Arm(_AsJson):
    """A policy trained one way. `overrides` is what it changes in the study's recipe; `key` tells it from all other arms.

    `trial_uid` is the trial of the search (or of the baselines) that has the policy; a baseline trained by another's recipe names
    its own trial too. `number` is that trial's.
    """

    key: str
    label: str
    words: str
    role: str
    digest: str
    params: Mapping[str, Any]
    overrides: Mapping[str, Any]
    trial_uid: str
    complexity: Complexity
    number: int = 0

    @property
    def is_baseline(self) -> bool:
        """Whether it is one of the free baselines, by whatever recipe."""
        return self.role == "baseline"


@dataclass(frozen=True)
class Finalist(_AsJson):
    """An arm with the errors of its fresh trainings, by replicate; `low` to `high` is the mean's 95 % interval."""

    arm: Arm
    errors: tuple[float, ...]
    mean: float
    standard_error: float
    low: float
    high: float


@dataclass(frozen=True)
class Calibration(_AsJson):
    """Whether the budget is long enough to compare policies. Gaps are the plain baseline's error less the strong one's.

    `moved` is the change of the gap from 1x to 3x the epochs; `resolvable` the smallest change that is no chance.
    """

    enough: bool
    gap_1x: float
    gap_3x: float
    moved: float
    resolvable: float
    epochs: int
    proposed_epochs: int
    sentence: str


@dataclass(frozen=True)
class Resolution(_AsJson):
    """The smallest differences that show with 80 % power at 5 %, seed noise included; None for a stage the study hasn't.

    `disagreement` is of two policies on the same images, `seed_deviation` the standard deviation of a policy's error over seeds.
    """

    search: float | None
    finalists: float | None
    test: float | None
    disagreement: float
    seed_deviation: float
    sentence: str


@dataclass(frozen=True)
class Optimism(_AsJson):
    """By how much the lowest of the search's errors is too low on average, because it was chosen for being low.

    `noise` and `spread` are the standard deviations of one error's noise and of the true errors; `policies` were compared.
    """

    points: float
    policies: int
    noise: float
    spread: float
    shrunk_error: float
    sentence: str


@dataclass(frozen=True)
class Verdict(_AsJson):
    """What a study came to. `low` to `high` is the interval of the difference at 1 - 2 `level`, where there is one.

    `details` are numbers for who looks closer: errors of both arms on the test images and their intervals, seeds, images.
    """

    kind: Kind
    sentence: str
    winner_label: str | None = None
    baseline_label: str | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    level: float | None = None
    looks_before: int | None = None
    optimism: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
