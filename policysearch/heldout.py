"""The held-out gate: discloses a study's one test figure. The only module that opens test images to score them.

The claim, which freezes the model by its hash and the images by theirs, is in the ledger before the first test image is read; the
figure follows once. An evaluation that was killed is done again for the same claim; a recorded figure is returned without another
look. Refuses every other look (LookRefused).

This stops accidents and crashes, not somebody who copies the ledger.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from policysearch.ledger import ClaimedModel, Figure, Ledger, StudyRecord, TrialRecord
from searchspaces.errors import BadInput
from trials.data import open_split, read_meta
from trials.data.store import fingerprint
from trials.failpoints import reach
from trials.values import Recipe, Score

if TYPE_CHECKING:
    from torch import nn


def disclose(ledger: Ledger, study: StudyRecord, heldout_directory: Path, weights_path: Path, winner: TrialRecord) -> Figure:
    """The study's test figure for its winner's kept weights: the recorded one, or a new one if the study has not looked yet.

    heldout_directory: prepared data with the split "test". Whoever comes second, in another process or later, gets the figure of
    the first. Raises LookRefused if the study claimed another model or other test images; BadInput, before a claim is laid, if
    test images or weights are not there, the weights are not the winner's, or this machine can't follow their recipe.
    """
    model = _frozen(study, winner)
    meta = read_meta(heldout_directory)
    recipe = Recipe(**winner.spec["recipe"])
    if ledger.claim(study.uid) is None:
        _net(weights_path, model, meta, recipe)  # weights that can't be loaded must not cost the look
    claim = ledger.claim_test(study.uid, meta["fingerprints"]["test"], [model])
    if claim.figure is not None:
        return claim.figure
    reach("gate_claimed")
    net = _net(weights_path, model, meta, recipe)
    evaluated = _evaluate(heldout_directory, meta, net, recipe)
    reach("gate_evaluated")
    return ledger.commit_figure(study.uid, evaluated)


def _frozen(study: StudyRecord, winner: TrialRecord) -> ClaimedModel:
    if winner.study_uid != study.uid:
        raise ValueError(f"trial {winner.trial_uid} is not of study {study.name}")
    weights_sha256 = winner.result.weights_sha256 if winner.result else None
    if weights_sha256 is None:
        raise BadInput(f"study {study.name!r}: trial {winner.number} has kept no weights, so it can't be tested; search again")
    return {"trial_uid": winner.trial_uid, "label": winner.label, "weights_sha256": weights_sha256}


def _net(weights_path: Path, model: ClaimedModel, meta: dict[str, Any], recipe: Recipe) -> "nn.Module":
    from trials.evaluate import load_model  # torch is slow to load, and a recorded figure needs none

    return load_model(weights_path, model["weights_sha256"], len(meta["mean"]), len(meta["classes"]), recipe)


def _evaluate(directory: Path, meta: dict[str, Any], net: "nn.Module", recipe: Recipe) -> Score:
    """Score the claimed weights on the claimed images: evaluation mode, no augmentation."""
    from trials.evaluate import NotFinite, score

    split = open_split(directory, "test")
    if fingerprint(split.images, split.labels) != meta["fingerprints"]["test"]:
        raise BadInput(
            f"test images in {directory}: changed since they were prepared; delete the directory and prepare them again"
        )
    try:
        return score(net, split, recipe, meta["mean"], meta["std"])
    except NotFinite as error:
        raise BadInput(f"test: {error}; this model gets no figure") from error
