"""A trial with a net of its own in a made study: untrained, its weights kept, its result made up."""

import torch
from study_fixture import EPOCHS, StudyInLedger

from policysearch.kept_weights import WEIGHTS, KeptWeights
from policysearch.ledger import TrialRecord
from trials.data import read_meta
from trials.models import build_model
from trials.values import Epoch, Score, TrialResult
from trials.weights import save_weights

VAL = 1000


def add_best(made: StudyInLedger, seed: int, wrong: int) -> TrialRecord:
    """A searched trial with a net, `wrong` of whose 1,000 validation images are said to be wrong."""
    trial = made.add_cell(made.cells[seed])
    meta = read_meta(made.prepared.directory)
    net = build_model(made.setting.recipe.model, len(meta["mean"]), len(meta["classes"]), torch.Generator().manual_seed(seed))
    weights = KeptWeights(made.home.study_directory(made.name) / WEIGHTS)
    kept = save_weights(net, weights.path(trial.trial_uid))
    made.ledger.start_attempt(trial.trial_uid)
    epochs = tuple(Epoch(number, 1.0, wrong, VAL) for number in range(1, EPOCHS + 1))
    bits = Score((False,) * wrong + (True,) * (VAL - wrong), ((VAL - wrong, wrong), (0, 0)), 2.0 * wrong)
    made.ledger.commit_result(
        TrialResult(trial.trial_uid, "done", epochs, bits, span_seconds={"total": 1.0}, weights_sha256=kept)
    )
    return trial
