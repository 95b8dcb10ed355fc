"""The held-out gate: discloses a study's one test figure. The only module that opens test images to score them.

The claim, which freezes the model by its hash and the images by theirs, is in the ledger before the first test image is read; the
figure follows once. An evaluation that was killed is done again for the same claim; a recorded figure is returned without another
look. Refuses every other look (LookRefused).

This stops accidents and crashes, not somebody who copies the ledger.
"""

import hashlib
from pathlib import Path
from typing import Any

from policysearch.ledger import ClaimedModel, Figure, Ledger, StudyRecord, TrialRecord
from searchspaces.errors import BadInput
from trials.data import open_split, read_meta
from trials.data.store import fingerprint
from trials.values import Recipe, Score


def disclose(ledger: Ledger, study: StudyRecord, heldout_directory: Path, weights_path: Path, winner: TrialRecord) -> Figure:
    """The study's test figure for its winner's kept weights: the recorded one, or a new one if the study has not looked yet.

    heldout_directory: prepared data with the split "test". Whoever comes second, in another process or later, gets the figure of
    the first. Raises LookRefused if the study claimed another model or other test images; BadInput, before a claim is laid, if
    weights or test images are not there or the weights are not the winner's.
    """
    model = _frozen(study, winner)
    meta = read_meta(heldout_directory)
    if ledger.claim(study.uid) is None:
        _require_weights(weights_path, model)
    claim = ledger.claim_test(study.uid, meta["fingerprints"]["test"], [model])
    if claim.figure is not None:
        return claim.figure
    score = _evaluate(heldout_directory, meta, weights_path, model, Recipe(**winner.spec["recipe"]))
    return ledger.commit_figure(study.uid, score)


def _frozen(study: StudyRecord, winner: TrialRecord) -> ClaimedModel:
    if winner.study_uid != study.uid:
        raise ValueError(f"trial {winner.trial_uid} is not of study {study.name}")
    weights_sha256 = winner.result.weights_sha256 if winner.result else None
    if weights_sha256 is None:
        raise BadInput(f"study {study.name!r}: trial {winner.number} has kept no weights, so it can't be tested; search again")
    return {"trial_uid": winner.trial_uid, "label": winner.label, "weights_sha256": weights_sha256}


def _require_weights(weights_path: Path, model: ClaimedModel) -> None:
    try:
        with weights_path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(f"weights {weights_path}: can't be read ({error.strerror}); restore the file") from None
    if found != model["weights_sha256"]:
        raise BadInput(
            f"weights {weights_path}: SHA-256 is {found[:12]}, recorded for trial {model['trial_uid'][:8]} is"
            f" {model['weights_sha256'][:12]}; restore the file"
        )


def _evaluate(directory: Path, meta: dict[str, Any], weights_path: Path, model: ClaimedModel, recipe: Recipe) -> Score:
    """Score the claimed weights on the claimed images: evaluation mode, no augmentation, one thread."""
    from trials.evaluate import NotFinite, load_model, score  # torch is slow to load, and a recorded figure needs none
    from trials.machine import reproducible

    split = open_split(directory, "test")
    if fingerprint(split.images, split.labels) != meta["fingerprints"]["test"]:
        raise BadInput(
            f"test images in {directory}: changed since they were prepared; delete the directory and prepare them again"
        )
    net = load_model(weights_path, model["weights_sha256"], split.images.shape[1], len(split.classes), recipe)
    try:
        with reproducible(recipe):
            return score(net, split, recipe, meta["mean"], meta["std"])
    except NotFinite as error:
        raise BadInput(f"test of {model['label']}: {error}; there is no figure for this model") from error
