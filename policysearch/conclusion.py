"""What a study concludes: its policy as a file with its provenance.

The policy is the judged winner's, chosen by validation errors alone; a test figure never changes it.
"""

from pathlib import Path

from policysearch.home import Home
from policysearch.ledger import Claim, Ledger, StudyRecord
from policysearch.provenance import provenance
from policysearch.selection import best_trial
from searchspaces.policy_json import policy_from_dict, write_policy_file


def still_to_test(claim: Claim | None) -> tuple[str, ...]:
    """The trials whose weights an interrupted look at the test set still needs."""
    return tuple(model["trial_uid"] for model in claim.models) if claim is not None and claim.figure is None else ()


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
