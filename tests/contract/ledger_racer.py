"""A process that writes to a ledger until it is done or killed; it says on its output what was acknowledged to it.

Run as `python ledger_racer.py ROLE URL PLAYER STUDY...`; it starts when a line comes in, and opens the ledger only then.
"""

import random
import sys
from collections.abc import Sequence

from policysearch.ledger import ClaimedModel, Ledger
from trials.values import Epoch, Score, TrialResult

TOTAL = 200


def score(wrong: int) -> Score:
    return Score((False,) * wrong + (True,) * (TOTAL - wrong), ((TOTAL - wrong, wrong), (0, 0)), float(wrong))


def result(trial_uid: str, wrong: int) -> TrialResult:
    """Big enough to be more than one page of a database."""
    return TrialResult(trial_uid, "done", tuple(Epoch(number, 0.5, wrong, TOTAL) for number in range(1, 101)), score(wrong))


def say(*words: object) -> None:
    print(*words, flush=True)


def commit(ledger: Ledger, player: int, studies: Sequence[str]) -> None:
    """Make the study of that name and its trials, if nobody has, and commit its own value for each in an order of its own."""
    study = ledger.create_study(studies[0], {"seed": 1})
    numbers = list(range(6))
    random.Random(player).shuffle(numbers)
    for number in numbers:
        uid = f"uid{number}"
        ledger.add_trial(study.uid, number, "trial", "", {}, f"digest{number}", "", {"trial_uid": uid})
        ledger.start_attempt(uid)
        stored = ledger.commit_result(result(uid, wrong=player)).score
        say("stored", uid, stored.wrong if stored else "nothing")


def write(ledger: Ledger, player: int, studies: Sequence[str]) -> None:
    """Add trials and commit their results for ever."""
    for number in range(player * 1_000_000, (player + 1) * 1_000_000):
        uid = f"uid{number}"
        ledger.add_trial(studies[0], number, "trial", "", {}, f"digest{number}", "", {"trial_uid": uid})
        ledger.commit_result(result(uid, wrong=number % TOTAL))
        say("stored", uid, number % TOTAL)


def claimed(label: str, seed: int) -> ClaimedModel:
    return {"trial_uid": f"uid {seed}", "label": label, "weights_sha256": "ab", "arm": "winner", "replicate": seed}


def look(ledger: Ledger, player: int, studies: Sequence[str]) -> None:
    """Claim the test set for each study, in an order of its own, and commit a figure; every other player wants another model."""
    for study in random.Random(player).sample(studies, len(studies)):
        label = "other" if player % 2 else "winner"
        try:
            ledger.claim_test(study, "images", [claimed(label, seed) for seed in (1, 2)])
        except Exception as error:
            say("refused", study, type(error).__name__)
            continue
        say("stored", study, ledger.commit_figure(study, [score(player)] * 2).wrong)


if __name__ == "__main__":
    role, url, player, *studies = sys.argv[1:]
    say("ready")
    sys.stdin.readline()
    {"commit": commit, "write": write, "look": look}[role](Ledger.open(url), int(player), studies)
