"""Forks processes that all ask for the test figures of the same studies, and kills some of them at random moments.

Run as `python heldout_racer.py URL HELDOUT WEIGHTS SEED`. Torch is loaded once, and not used before the fork.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import trials.evaluate
import trials.run  # noqa: F401  # both are loaded before the fork, so that the children race and don't load
from policysearch.heldout import disclose
from policysearch.ledger import Ledger
from policysearch.selection import winner

PLAYERS, KILLED = 5, 3


def ask(url: str, heldout: Path, weights: Path) -> None:
    ledger = Ledger(url)
    for study in ledger.studies():
        disclose(ledger, study, heldout, weights, winner(ledger.trials(study.uid)))


def main(url: str, heldout: str, weights: str, seed: str) -> None:
    dice = random.Random(int(seed))
    children = []
    for _ in range(PLAYERS):
        child = os.fork()
        if child == 0:
            ask(url, Path(heldout), Path(weights))
            os._exit(0)
        children.append(child)
    for child in children[:KILLED]:
        time.sleep(dice.uniform(0.05, 0.3))
        os.kill(child, signal.SIGKILL)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    print(*codes)


if __name__ == "__main__":
    main(*sys.argv[1:])
