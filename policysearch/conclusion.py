"""What a study concludes: its policy as a file with its provenance.

The policy is the winner's by validation error alone; a test figure never changes it.
"""

import hashlib
from pathlib import Path
from typing import Any

from policysearch.home import Home
from policysearch.ledger import Claim, Figure, Ledger, StudyRecord, TrialRecord
from policysearch.selection import best_trial
from searchspaces.json_text import canonical_json
from searchspaces.policy_json import policy_from_dict, write_policy_file


def still_to_test(claim: Claim | None) -> tuple[str, ...]:
    """The trials whose weights an interrupted look at the test set still needs."""
    return tuple(model["trial_uid"] for model in claim.models) if claim is not None and claim.figure is None else ()


def write_policy(home: Home, ledger: Ledger, study: StudyRecord) -> Path:
    """Write the winner's policy with all that is known about where it comes from; the path of policy.json."""
    best, claim = best_trial(ledger, study.uid), ledger.claim(study.uid)
    path = home.study_directory(study.name) / "policy.json"
    policy = policy_from_dict(best.spec["policy"])
    write_policy_file(path, policy, provenance(study, best, claim.figure if claim else None))
    return path


def provenance(study: StudyRecord, trial: TrialRecord, figure: Figure | None) -> dict[str, Any]:
    """Where a trial's policy comes from, as JSON values. Errors are whole images; a test figure goes with its own model only.

    A study without data or a recipe of ours has nothing to say of them.
    """
    assert trial.result is not None and trial.result.score is not None
    identity, score = study.identity, trial.result.score
    image = identity["image"]
    tested = figure is not None and any(model["trial_uid"] == trial.trial_uid for model in figure.models)
    known = {
        "family": identity["space"]["name"] if trial.role == "trial" else trial.label,
        "params": trial.params,
        "words": trial.words,
        "study": study.name,
        "trial": {"uid": trial.trial_uid, "number": trial.number, "role": trial.role},
        "channels": image["channels"],
        "dtype": "uint8",
        "epochs": identity["epochs"],
        "seed": identity["seed"],
        "validation": {"wrong": score.wrong, "total": score.total, "log_loss_sum": score.log_loss_sum},
        "test": {"wrong": figure.wrong, "total": figure.total} if figure is not None and tested else None,
    }
    if "data" in identity:
        known["data"] = {**identity["data"], "test_fingerprint": identity["test"], "images": identity["splits"]}
        known["size"] = [image["height"], image["width"]]
    if "recipe" in identity:
        digest = hashlib.sha256(canonical_json(identity["recipe"]).encode()).hexdigest()
        known["recipe"] = {**identity["recipe"], "digest": digest}
    else:
        known["objective"] = identity["objective"]
    return known
