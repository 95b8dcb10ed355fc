"""What one evaluation is, as values: recipe, data, spec, result. Frozen, compared by content, round-trip through JSON.

Refuses NaN and floats as truth: errors are counted in whole images. Training is in `train`, scoring in `evaluate`.
"""

import base64
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:  # a policy brings torch; whoever only reads results (the ledger, `policysearch status`) need not wait for it
    from searchspaces.policy import Policy


@dataclass(frozen=True)
class Recipe:
    """How a trial is trained and scored; fixed for a study, but for what its space searches. What each field means, its unit and
    its range: `searchspaces.recipe_fields`, docs/recipes.md.

    `precision`, `channels_last` and `device` are part of it: a worker that can't comply refuses. A field that is added has a
    default that changes nothing.
    """

    model: str = "small"
    batch_images: int = 64
    peak_learning_rate: float = 0.2
    momentum: float = 0.9
    weight_decay: float = 3e-3
    label_smoothing: float = 0.1
    warmup_fraction: float = 0.2
    precision: Literal["float32", "bfloat16"] = "float32"
    channels_last: bool = True
    device: Literal["cpu", "cuda"] = "cpu"
    views: str = "identity"
    optimiser: str = "sgd"
    adamw_beta2: float = 0.999
    schedule: str = "one-cycle"
    step_milestones: str = "0.5/0.75"
    step_factor: float = 0.1
    dropout: float = 0.0
    ema_decay: float = 0.0
    patience_epochs: int = 0
    gradient_clip: float = 0.0
    batch_parts: int = 1
    processes: int = 1
    weights: str = ""
    weights_sha256: str = ""
    frozen_stages: int = 0
    trunk_learning_rate_factor: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, for specs and identities; `Recipe(**raw)` is the inverse.

        What recipes did not have at first is there only where it is not the default: older trials and studies stay themselves.
        """
        usual = {part.name: part.default for part in fields(self)}
        return {name: value for name, value in asdict(self).items() if name in FIRST_FIELDS or value != usual[name]}


FIRST_FIELDS = (
    *("model", "batch_images", "peak_learning_rate", "momentum", "weight_decay", "label_smoothing", "warmup_fraction"),
    *("precision", "channels_last", "device", "views"),
)


@dataclass(frozen=True)
class DataRef:
    """Prepared data a search process may see: a directory with train and val arrays. It never names the test set."""

    directory: str
    fingerprint: str


@dataclass(frozen=True)
class TrialSpec:
    """All that a trial depends on: the same spec gives the same result on the same kind of machine.

    `split` says which images it trains on and which score it: "search" (train, then val), "select" (train, then the second
    validation part), "fold-I" (train and val put together and split anew, the I-th time), "all" (trained on train and val; its
    score is of val images that it has seen, and is no estimate of anything). `budget_steps` (a rehearsal's) ends the training
    after so many optimiser steps; None: after all epochs. `by` "images" or "size" makes it a training of `whole_epochs` epochs on
    fewer or smaller images, for the work of `budget_epochs` (`trials.cheaper`).
    """

    trial_uid: str
    policy: "Policy"
    recipe: Recipe
    data: DataRef
    seed: int
    budget_epochs: int
    replicate: int = 0
    split: str = "search"
    budget_steps: int | None = None
    by: str = "epochs"
    whole_epochs: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        from searchspaces.policy_json import policy_to_dict

        return {
            "trial_uid": self.trial_uid,
            "policy": policy_to_dict(self.policy),
            "recipe": self.recipe.to_dict(),
            "data": asdict(self.data),
            "seed": self.seed,
            "budget_epochs": self.budget_epochs,
            "replicate": self.replicate,
            "split": self.split,
            "budget_steps": self.budget_steps,
            **({} if self.by == "epochs" else {"by": self.by, "whole_epochs": self.whole_epochs}),
        }

    @staticmethod
    def from_dict(raw: Mapping[str, Any]) -> "TrialSpec":
        """The inverse of `to_dict`."""
        from searchspaces.policy_json import policy_from_dict

        return TrialSpec(
            trial_uid=raw["trial_uid"],
            policy=policy_from_dict(raw["policy"]),
            recipe=Recipe(**raw["recipe"]),
            data=DataRef(**raw["data"]),
            seed=raw["seed"],
            budget_epochs=raw["budget_epochs"],
            replicate=raw["replicate"],
            split=raw.get("split", "search"),
            budget_steps=raw.get("budget_steps"),
            by=raw.get("by", "epochs"),
            whole_epochs=raw.get("whole_epochs"),
        )


@dataclass(frozen=True)
class Epoch:
    """One epoch's figures: validation images wrong of total, and the mean training loss (None where a trainer doesn't say).

    `number` counts from 1.
    """

    number: int
    train_loss: float | None
    wrong: int
    total: int

    def __post_init__(self) -> None:
        if self.train_loss is not None and not math.isfinite(self.train_loss):
            raise ValueError(f"epoch {self.number}: train loss {self.train_loss} is not finite")
        if not (self.total > 0 and 0 <= self.wrong <= self.total):
            raise ValueError(f"epoch {self.number}: {self.wrong} wrong of {self.total} images is impossible")


@dataclass(frozen=True)
class Score:
    """A scored pass over a split: one bit per image (True = right) in the split's order, confusion counts, summed log-loss.

    `confusion[t][p]` counts images of class t taken for class p.
    """

    right: tuple[bool, ...]
    confusion: tuple[tuple[int, ...], ...]
    log_loss_sum: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.log_loss_sum):
            raise ValueError(f"log-loss {self.log_loss_sum} is not finite")
        if sum(map(sum, self.confusion)) != self.total:
            raise ValueError("the confusion counts do not add up to the number of images")
        if sum(row[label] for label, row in enumerate(self.confusion)) != sum(self.right):
            raise ValueError("the confusion counts' diagonal is not the number of images right")

    @property
    def total(self) -> int:
        """Images scored."""
        return len(self.right)

    @property
    def wrong(self) -> int:
        """Images taken for another class."""
        return self.total - sum(self.right)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the bits are packed, base64."""
        return {
            "right": _packed(self.right),
            "total": self.total,
            "confusion": [list(row) for row in self.confusion],
            "log_loss_sum": self.log_loss_sum,
        }

    @staticmethod
    def from_dict(raw: Mapping[str, Any]) -> "Score":
        """The inverse of `to_dict`."""
        return Score(
            right=_unpacked(raw["right"], raw["total"]),
            confusion=tuple(tuple(row) for row in raw["confusion"]),
            log_loss_sum=raw["log_loss_sum"],
        )


@dataclass(frozen=True)
class Counts:
    """The score of a trainer of the user's own: how many images it got wrong of how many, and which, where it says so.

    `right` has one bit per image (True = right), as `Score.right`; None where only the counts are known.
    """

    wrong: int
    total: int
    right: tuple[bool, ...] | None = None

    def __post_init__(self) -> None:
        if not (self.total > 0 and 0 <= self.wrong <= self.total):
            raise ValueError(f"{self.wrong} wrong of {self.total} images is impossible")
        if self.right is not None and (len(self.right), self.right.count(False)) != (self.total, self.wrong):
            raise ValueError(f"the bits of {len(self.right)} images are not {self.wrong} wrong of {self.total}")

    @property
    def confusion(self) -> None:
        """Not known."""
        return None

    @property
    def log_loss_sum(self) -> None:
        """Not known."""
        return None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        counts = {"wrong": self.wrong, "total": self.total}
        return counts if self.right is None else counts | {"right": _packed(self.right)}

    @staticmethod
    def from_dict(raw: Mapping[str, Any]) -> "Counts":
        """The inverse of `to_dict`."""
        return Counts(raw["wrong"], raw["total"], _unpacked(raw["right"], raw["total"]) if "right" in raw else None)


@dataclass(frozen=True)
class TrialResult:
    """What came of a trial. A failed one has its reason in `error` and no score, so it can't win. A trainer of the user's own may
    have `Counts` for a score.

    `span_seconds` says where the time went; `environment` on what it ran; `engine` which engine augmented; `weights_sha256` is
    the hash of the kept weights file.
    """

    trial_uid: str
    status: Literal["done", "failed"]
    epochs: tuple[Epoch, ...] = ()
    score: Score | Counts | None = None
    error: str | None = None
    span_seconds: Mapping[str, float] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    engine: str = ""
    weights_sha256: str | None = None

    def __post_init__(self) -> None:
        if (self.status == "done") != (self.score is not None) or (self.status == "failed") != bool(self.error):
            raise ValueError(f"trial {self.trial_uid}: a done trial has a score, a failed one has an error, and neither has both")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        raw = asdict(self)
        raw["epochs"] = [asdict(epoch) for epoch in self.epochs]
        raw["score"] = None if self.score is None else self.score.to_dict()
        return raw

    @staticmethod
    def from_dict(raw: Mapping[str, Any]) -> "TrialResult":
        """The inverse of `to_dict`."""
        fields = dict(raw)
        fields["epochs"] = tuple(Epoch(**epoch) for epoch in raw["epochs"])
        fields["score"] = _score(raw["score"])
        return TrialResult(**fields)


def _score(raw: Mapping[str, Any] | None) -> Score | Counts | None:
    if raw is None:
        return None
    return Score.from_dict(raw) if "confusion" in raw else Counts.from_dict(raw)


def _packed(right: tuple[bool, ...]) -> str:
    return base64.b64encode(np.packbits(np.array(right, dtype=bool)).tobytes()).decode("ascii")


def _unpacked(text: str, total: int) -> tuple[bool, ...]:
    bits = np.unpackbits(np.frombuffer(base64.b64decode(text), dtype=np.uint8), count=total)
    return tuple(bits.astype(bool).tolist())
