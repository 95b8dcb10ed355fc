"""The winner's net as an MLflow model: uint8 images in, probabilities out, exported by torch so that nothing of ours is needed.

It is the first net that is kept of the judged winner: one that the test figure is of, else a finalist's, else the search's best.
It runs in float32 on a CPU, with the training part's mean and deviation inside and its policy beside it; an exported program
holds no pickle. Refuses nothing: where no net is kept, there is none to show.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from policysearch.kept_weights import CONFIRMATION, WEIGHTS, KeptWeights, place_of
from policysearch.ledger import Ledger, StudyRecord, TrialRecord
from trials.data import read_meta
from trials.places import Location
from trials.values import Recipe

if TYPE_CHECKING:
    from mlflow.models.signature import ModelSignature
    from torch import nn

    from policysearch.judgement import Judgement

EXAMPLES = 2  # torch takes an axis of one for a constant


@dataclass(frozen=True)
class WinnerNet:
    """A net that is kept of the winner: its trial, its file, and the prepared data that it was trained on."""

    trial: TrialRecord
    weights_path: Location
    data_directory: Path

    @property
    def weights_sha256(self) -> str:
        """The hash of the file, as it was recorded."""
        assert self.trial.result is not None and self.trial.result.weights_sha256 is not None  # only such are found
        return self.trial.result.weights_sha256


def find_net(ledger: Ledger, study: StudyRecord, judgement: "Judgement", study_directory: Path) -> WinnerNet | None:
    """The net to show, whose file is there and is the recorded one; None where there is none, or its data are gone."""
    if judgement.winner is None or "recipe" not in study.identity:
        return None
    place = place_of(ledger, study, study_directory)
    for trial, folder in _candidates(ledger, study, judgement):
        kept = KeptWeights(place / folder)
        directory = study_directory.parents[1] / "data" / Path(trial.spec["data"]["directory"]).name
        recorded = trial.result.weights_sha256 if trial.result else None
        if recorded is not None and directory.is_dir() and kept.is_sound(trial.trial_uid, recorded):
            return WinnerNet(trial, kept.path(trial.trial_uid), directory)
    return None


def _candidates(ledger: Ledger, study: StudyRecord, judgement: "Judgement") -> Iterator[tuple[TrialRecord, str]]:
    """Trainings of the winner, the most telling first, and the folder that a net of each would be in."""
    assert judgement.winner is not None
    claim = ledger.claim(study.uid)
    for model in claim.models if claim is not None and claim.figure is not None else ():
        if model.get("arm", "winner") == "winner":
            tested = ledger.trial(model["trial_uid"])
            yield tested, CONFIRMATION if tested.role == "confirmation" else WEIGHTS
    for trial in ledger.trials(study.uid, ("finalist",)):
        if trial.digest == judgement.winner.digest:
            yield trial, WEIGHTS
    if judgement.winner_trial is not None:
        yield judgement.winner_trial, WEIGHTS


def write_model(net: WinnerNet, study: StudyRecord, policy: Path, folder: Path, **ids: Any) -> None:
    """Write the net to `folder` as MLflow keeps models, with signature and requirements, and `policy` beside it as policy.json.

    `ids` go to MLflow's own record of the model. May raise whatever torch raises of a net that it can't export.
    """
    import torch
    from mlflow.models import Model

    with _unasked("pytorch_lightning"):
        import mlflow.pytorch

    image, classes = study.identity["image"], len(read_meta(net.data_directory)["classes"])
    sides = (image["channels"], image["height"], image["width"])
    example = torch.zeros((EXAMPLES, *sides), dtype=torch.uint8).numpy()  # nobody's image
    requirements = [f"torch=={torch.__version__.partition('+')[0]}", "numpy"]
    mlflow.pytorch.save_model(
        whole_net(net),
        str(folder),
        mlflow_model=Model(**ids),
        signature=_signature(sides, classes),
        input_example=example,
        serialization_format="pt2",
        pip_requirements=requirements,
    )
    (folder / "policy.json").write_bytes(policy.read_bytes())


@contextmanager
def _unasked(package: str) -> Iterator[None]:
    """Inside, this package can't be imported unless it was before: MLflow would, for seconds, to offer what nobody uses here."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[package]


def whole_net(net: WinnerNet) -> "nn.Module":
    """The net with its normalisation before it and softmax behind: uint8 (images, channels, height, width) to float32 (images,
    classes), each row adding up to 1.
    """
    import torch
    from torch import nn

    from trials.evaluate import load_model

    meta = read_meta(net.data_directory)
    recipe = replace(Recipe(**net.trial.spec["recipe"]), device="cpu", precision="float32", channels_last=False)
    inner = load_model(net.weights_path, net.weights_sha256, len(meta["mean"]), len(meta["classes"]), recipe)

    class Whole(nn.Module):
        mean: torch.Tensor
        scale: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.net = inner
            self.register_buffer("mean", 255 * torch.tensor(meta["mean"]).view(1, -1, 1, 1))
            self.register_buffer("scale", 1 / (255 * torch.tensor(meta["std"]).view(1, -1, 1, 1)))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            outputs: torch.Tensor = self.net((images.to(torch.float32) - self.mean) * self.scale)
            return outputs.softmax(dim=1)

    return Whole().eval()


def _signature(sides: tuple[int, int, int], classes: int) -> "ModelSignature":
    """Unnamed tensors, which MLflow hands on as arrays."""
    import numpy as np
    from mlflow.models.signature import ModelSignature
    from mlflow.types import Schema, TensorSpec

    images, answers = TensorSpec(np.dtype("uint8"), (-1, *sides)), TensorSpec(np.dtype("float32"), (-1, classes))
    return ModelSignature(Schema([images]), Schema([answers]))
