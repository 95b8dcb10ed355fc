"""Where a study's policy comes from, as JSON values: what `policy.json` says beside the policy.

Read from the ledger and from the judgement; computes nothing. A test figure is the gate's or is not there, and it stands beside
the policy that was tested and no other; so does the verdict.
"""

import hashlib
from typing import TYPE_CHECKING, Any

from policysearch.ledger import Figure, Ledger, StudyRecord, TrialRecord
from policysearch.statistics import wilson_interval
from searchspaces.json_text import canonical_json

if TYPE_CHECKING:
    from policysearch.judgement import Judgement


def provenance(ledger: Ledger, study: StudyRecord, trial: TrialRecord, judgement: "Judgement") -> dict[str, Any]:
    """Where a trial's policy comes from. Errors are whole images, but for means over seeds.

    A study without data or a recipe of ours has nothing to say of them.
    """
    assert trial.result is not None and trial.result.score is not None
    identity, score = study.identity, trial.result.score
    image, claim = identity["image"], ledger.claim(study.uid)
    known = {
        "family": identity["space"]["name"] if trial.role == "trial" else trial.label,
        "params": trial.params,
        "words": trial.words,
        "study": study.name,
        "trial": {"uid": trial.trial_uid, "number": trial.number, "role": trial.role},
        "channels": image["channels"],
        "domain": image["domain"],
        **({"limits": identity["limits"]} if "limits" in identity else {}),
        "dtype": "uint8",
        "epochs": identity["epochs"],
        "seed": identity["seed"],
        "validation": {"wrong": score.wrong, "total": score.total, "log_loss_sum": score.log_loss_sum},
        "test": None if claim is None or claim.figure is None else _tested(ledger, trial, claim.figure),
    }
    known |= _data(identity, ledger.facts(study.uid)) | _recipe(identity) | _judged(trial, judgement)
    return known


def _data(identity: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """The data, its splits with their fingerprints, what belongs together in it, and what was done about duplicates."""
    if "data" not in identity:
        return {}
    fingerprints = {**identity.get("fingerprints", {}), **({"test": identity["test"]} if identity["test"] else {})}
    splits = {
        name: {"images": count, "fingerprint": fingerprints.get(name)} for name, count in identity["splits"].items() if count
    }
    image = identity["image"]
    return {
        "data": {**identity["data"], "test_fingerprint": identity["test"], "images": identity["splits"]},
        "splits": splits,
        "groups": identity.get("groups"),
        "duplicates": facts.get("duplicates", {"cure": identity.get("duplicates")}),
        "size": [image["height"], image["width"]],
    }


def _recipe(identity: dict[str, Any]) -> dict[str, Any]:
    if "recipe" not in identity:
        return {"objective": identity["objective"]}
    digest = hashlib.sha256(canonical_json(identity["recipe"]).encode()).hexdigest()
    return {"recipe": {**identity["recipe"], "digest": digest}}


def _judged(trial: TrialRecord, judgement: "Judgement") -> dict[str, Any]:
    """What the study came to; a policy that is neither the winner nor what it is compared with has no verdict."""
    won = judgement.winner_trial is not None and judgement.winner_trial.trial_uid == trial.trial_uid
    compared = judgement.baseline is not None and judgement.baseline.trial_uid == trial.trial_uid
    parts = {name: getattr(judgement, name) for name in ("calibration", "resolution", "optimism")}
    return {
        "verdict": judgement.verdict.to_dict() if won or compared else None,
        "finalists": [finalist.to_dict() for finalist in judgement.finalists],
        **{name: None if part is None else part.to_dict() for name, part in parts.items()},
        **({"rungs": [rung.to_dict() for rung in judgement.rungs]} if judgement.rungs else {}),
    }


def _tested(ledger: Ledger, trial: TrialRecord, figure: Figure) -> dict[str, Any] | None:
    """The gate's figure of this policy's own models, None where it was of another's; the named baseline's models beside it."""
    models = [
        {
            "trial": model["trial_uid"],
            "arm": model.get("arm", "winner"),
            "label": model["label"],
            "replicate": model.get("replicate", 0),
            "wrong": score.wrong,
            "total": score.total,
            "interval_95": list(wilson_interval(score.wrong, score.total)),
        }
        for model, score in zip(figure.models, figure.scores, strict=True)
    ]
    first = ledger.trial(figure.models[0]["trial_uid"])
    if first.digest != trial.digest:
        return None
    return {
        "wrong": figure.wrong,
        "total": figure.total,
        "models": models,
        "baseline": figure.baseline_label,
        "looks_before": figure.looks_before,
        "level": figure.level,
    }
