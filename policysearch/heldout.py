"""The held-out gate: discloses a study's one test figure. The only module that opens test images to score them.

The claim, which freezes the list of models by their hashes and the images by theirs, is in the ledger before the first test image
is read; the figure, a score for each model, follows once. An evaluation that was killed is done again for the same claim; a
recorded figure is returned without another look. Refuses every other look (LookRefused).

This stops accidents and crashes, not somebody who copies the ledger.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from policysearch.ledger import ClaimedModel, Figure, Ledger, StudyRecord, TrialRecord
from searchspaces.errors import BadInput
from trials.data import Split, open_split, read_meta
from trials.data.store import fingerprint
from trials.failpoints import reach
from trials.places import Location
from trials.values import Recipe, Score

if TYPE_CHECKING:
    from torch import Tensor, nn

Side: TypeAlias = Literal["winner", "baseline"]

SILENT = "test_outputs_not_finite"
"""The fact of a study that says, by trial, how many outputs of a model on test images were not finite, if any were."""


@dataclass(frozen=True)
class Entrant:
    """A model that is to be looked at: the training it comes from, its weights file, and on which side it is.

    `label` is its arm's: all models of one policy, trained one way, have the same.
    """

    trial: TrialRecord
    weights_path: Location
    label: str
    arm: Side = "winner"

    @property
    def recipe(self) -> Recipe:
        """How it was trained, and is scored."""
        return Recipe(**self.trial.spec["recipe"])


def disclose(ledger: Ledger, study: StudyRecord, directory: Path, heldout_directory: Path, entrants: Sequence[Entrant]) -> Figure:
    """The study's test figure for these models: the recorded one, or a new one if the study has not looked yet.

    `directory`: the prepared data that they were trained on; `heldout_directory`: the split "test" of it, which is not so much as
    opened before the claim is laid. Whoever comes second, in another process or later, gets the figure of the first.

    Raises LookRefused if the study claimed another list or other test images; BadInput, before a claim is laid, if there are no
    test images, the weights are not their trials', this machine can't follow their recipe, or a model's outputs on validation
    images are not finite. Where test images are not those that were claimed it raises BadInput, and the claim waits for them.
    What a model says of a test image that isn't finite counts as nothing said, and is noted as the fact `SILENT`.
    """
    models = [_frozen(study, entrant) for entrant in entrants]
    meta = read_meta(directory)
    if ledger.claim(study.uid) is None:  # what can't be evaluated must not cost the look
        if not heldout_directory.is_dir():
            raise BadInput(f"test images {heldout_directory}: not there; search again to prepare them")
        _try_out(entrants, models, directory, meta)
    claim = ledger.claim_test(study.uid, study.identity["test"], models)
    if claim.figure is not None:
        return claim.figure
    reach("gate_claimed")
    split = _test_split(heldout_directory, claim.test_fingerprint)
    scored = [_score(entrant, _net(entrant, model, meta), split, meta) for entrant, model in zip(entrants, models, strict=True)]
    reach("gate_evaluated")
    if any(silent for _, silent in scored):
        ledger.note_fact(
            study.uid, SILENT, {model["trial_uid"]: silent for model, (_, silent) in zip(models, scored, strict=True)}
        )
    return ledger.commit_figure(study.uid, [score for score, _ in scored])


def _frozen(study: StudyRecord, entrant: Entrant) -> ClaimedModel:
    trial = entrant.trial
    if trial.study_uid != study.uid:
        raise ValueError(f"trial {trial.trial_uid} is not of study {study.name}")
    weights_sha256 = trial.result.weights_sha256 if trial.result else None
    if weights_sha256 is None:
        raise BadInput(f"study {study.name!r}: trial {trial.number} has kept no weights, so it can't be tested; search again")
    return {
        "trial_uid": trial.trial_uid,
        "label": entrant.label,
        "weights_sha256": weights_sha256,
        "arm": entrant.arm,
        "replicate": trial.spec.get("replicate", 0),
    }


def _net(entrant: Entrant, model: ClaimedModel, meta: dict[str, Any]) -> "nn.Module":
    from trials.evaluate import load_model  # torch is slow to load, and a recorded figure needs none

    channels, classes = len(meta["mean"]), len(meta["classes"])
    return load_model(entrant.weights_path, model["weights_sha256"], channels, classes, entrant.recipe)


def _try_out(entrants: Sequence[Entrant], models: Sequence[ClaimedModel], directory: Path, meta: dict[str, Any]) -> None:
    """Raise BadInput where a net can't be loaded, or its outputs on images that it may see are not finite."""
    from trials.evaluate import NotFinite, score

    seen = open_split(directory, "val")
    for entrant, model in zip(entrants, models, strict=True):
        trial, recipe = entrant.trial, entrant.recipe
        try:
            score(_net(entrant, model, meta), seen, recipe, meta["mean"], meta["std"], recipe.views)
        except NotFinite as error:
            raise BadInput(
                f"trial {trial.number} ({trial.label}): {error}, so it can't be tested; the test set stays closed"
            ) from error


def _test_split(directory: Path, claimed: str) -> Split:
    split = open_split(directory, "test")
    if fingerprint(split.images, split.labels) != claimed:
        raise BadInput(
            f"test images in {directory}: not those that were claimed; delete the directory and search again to prepare them,"
            " then the claim is finished"
        )
    return split


def _score(entrant: Entrant, net: "nn.Module", split: Split, meta: dict[str, Any]) -> tuple[Score, int]:
    """The claimed weights on the claimed images, in evaluation mode, as the trial was judged; and how often they said nothing.

    The look has been claimed, so that it must end: an output that isn't finite holds all classes for equally likely, and of equal
    ones the first is taken.
    """
    from trials.evaluate import score

    silent = list[int]()

    def answer(_net: "nn.Module", _images: Any, outputs: "Tensor") -> "Tensor":
        says_nothing = ~outputs.isfinite().all(dim=1, keepdim=True)
        silent.append(int(says_nothing.sum()))
        return outputs.masked_fill(says_nothing, 0.0)

    net.register_forward_hook(answer)
    return score(net, split, entrant.recipe, meta["mean"], meta["std"], entrant.recipe.views), sum(silent)
