"""Weights that somebody took away are made again by training again: the result stands, and the weights must be the same."""

from policysearch.drivers import Event, Listener
from policysearch.kept_weights import KeptWeights
from policysearch.ledger import TrialRecord
from policysearch.setting import Setting
from policysearch.specs import placed
from trials.run import run_trial
from trials.values import TrialSpec


def restore_weights(trial: TrialRecord, setting: Setting, weights: KeptWeights, listener: Listener) -> bool:
    """Train a finished trial again where its weights are missing or changed; whether they are there now."""
    assert trial.result is not None
    if setting.objective is not None:
        return False
    if weights.is_sound(trial.trial_uid, trial.result.weights_sha256):
        return True
    text = f"the weights of {trial.label} are missing or changed; training it again to restore them"
    listener(Event("note", trial.trial_uid, text=text))
    path = weights.path(trial.trial_uid)
    result = run_trial(TrialSpec.from_dict(placed(trial.spec, setting)), lambda epoch: None, path)
    if result.weights_sha256 == trial.result.weights_sha256:
        return True
    path.unlink(missing_ok=True)
    lost = result.error or "came out otherwise on this machine; the study can't be tested here, its validation figures stand"
    listener(Event("note", trial.trial_uid, text=f"the weights of {trial.label} {lost}"))
    return False
