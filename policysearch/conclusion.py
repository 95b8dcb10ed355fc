"""What a study concludes: its policy as a file with its provenance, and, if asked for, the one look at the test set.

The policy is the judged winner's, chosen by validation errors alone; a test figure never changes it. The look itself is the
held-out gate's.
"""

from pathlib import Path

from policysearch.heldout import disclose
from policysearch.home import Home
from policysearch.kept_weights import KeptWeights
from policysearch.ledger import Claim, Figure, Ledger, StudyRecord, TrialRecord
from policysearch.provenance import provenance
from policysearch.selection import best_trial
from searchspaces.errors import BadInput
from searchspaces.policy_json import policy_from_dict, write_policy_file
from trials.data import read_meta


def still_to_test(claim: Claim | None) -> tuple[str, ...]:
    """The trials whose weights an interrupted look at the test set still needs."""
    return tuple(model["trial_uid"] for model in claim.models) if claim is not None and claim.figure is None else ()


def disclose_test(home: Home, ledger: Ledger, study: StudyRecord) -> Figure:
    """The study's one test figure, through the held-out gate; policy.json is written again with it.

    An interrupted look is finished for the model it claimed, even if another trial has won since; a recorded figure needs neither
    images nor weights. Raises LookRefused for another look, NoTrialSucceeded where there is nothing to test, and BadInput where
    test images or weights are missing.
    """
    claim = ledger.claim(study.uid)
    interrupted = still_to_test(claim)
    trial = ledger.trial(interrupted[0]) if interrupted else best_trial(ledger, study.uid)
    recorded = claim.figure if claim is not None and claim.models[0]["trial_uid"] == trial.trial_uid else None
    with home.lock(study.name) as directory:  # a search would drop weights that no longer win
        weights = KeptWeights(directory / "weights").path(trial.trial_uid)
        figure = recorded or disclose(ledger, study, _test_images(home, study, trial), weights, trial)
        write_policy(home, ledger, study)
    return figure


def _test_images(home: Home, study: StudyRecord, trial: TrialRecord) -> Path:
    """Where the study's test images are. Raises BadInput if they are nowhere."""
    if "recipe" not in study.identity:
        raise BadInput(
            f"study {study.name!r}: its model is its own trainer's, and policysearch keeps none to test; test it there"
        )
    if study.identity["test"] is None:
        raise BadInput(f"study {study.name!r}: its data has no test set; search again with data that has one")
    images = home.heldout_directory(trial.spec["data"]["directory"])
    if not images.is_dir() or read_meta(images)["fingerprints"]["test"] != study.identity["test"]:
        raise BadInput(f"study {study.name!r}: {images} does not hold its test images; run its search again to prepare them")
    return images


def write_policy(home: Home, ledger: Ledger, study: StudyRecord) -> Path:
    """Write the judged winner's policy with all that is known about where it comes from; the path of policy.json.

    The baseline that it is compared with lies beside it as baseline.json, for whoever is told to use that. Raises
    NoTrialSucceeded where there is no policy to write.
    """
    from policysearch.judgement import judge

    judgement = judge(ledger, study)
    won = judgement.winner_trial or best_trial(ledger, study.uid)
    path = home.study_directory(study.name) / "policy.json"
    write_policy_file(path, policy_from_dict(won.spec["policy"]), provenance(ledger, study, won, judgement))
    named = judgement.baseline
    if named is not None and named.trial_uid != won.trial_uid:
        free = ledger.trial(named.trial_uid)
        origin = provenance(ledger, study, free, judgement)
        write_policy_file(path.with_name("baseline.json"), policy_from_dict(free.spec["policy"]), origin)
    return path
