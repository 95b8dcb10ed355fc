"""The search of plain_search.py by policysearch, begun again by the same call; kill_loop_plain.py kills it alike.

    python benchmarks/our_search.py DIRECTORY --mode local|ray [--trials 24]

The ledger is a SQLite file. Trial, witness and outcome are as there; the five free baselines count among the trials. A trial is
acknowledged when the driver says that it is finished.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from witness import TRIAL_SECONDS, bear_witness

from policysearch import Study
from policysearch.drivers import Event

BASELINES = 5


def trial(context: Any) -> tuple[int, int]:
    """The trainer: images wrong of all."""
    bear_witness("started", context.trial_uid)
    time.sleep(TRIAL_SECONDS)
    bear_witness("finished", context.trial_uid, sync=True)
    return int(context.trial_uid[:2], 16), 1000


class Listener:
    """Bears witness to what the driver says of the trials that it has run itself."""

    def __init__(self) -> None:
        self._begun = set[str]()

    def __call__(self, event: Event) -> None:
        """Hear an event."""
        if event.kind == "started":
            self._begun.add(event.trial_uid)
        if event.kind == "finished" and event.trial_uid in self._begun:
            bear_witness("acknowledged", event.trial_uid)


def search(directory: Path, driver: str, trials: int) -> dict[str, Any]:
    """Begin, or go on with what is there; returns when all trials are over."""
    wishes: Any = {"home": directory / "home", "driver": driver, "workers": 2, "calibrate": False, "finalists": 0}
    study = Study(objective=trial, space="photometric", name="search", **wishes)
    outcome = study.run(trials=trials - BASELINES, listener=Listener())
    done = [found for found in outcome.trials if found.result is not None and found.result.score is not None]
    return {"grid": [found.trial_uid for found in done], "failed": len(outcome.trials) - len(done)}


def main() -> None:
    """Search, and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--mode", choices=("local", "ray"), required=True)
    parser.add_argument("--trials", type=int, default=24)
    options = parser.parse_args()
    try:
        outcome = search(options.directory, options.mode, options.trials)
    except Exception as error:
        (options.directory / "error.txt").write_text(f"{type(error).__name__}: {error}".splitlines()[0])
        sys.exit(1)
    (options.directory / "outcome.json").write_text(json.dumps(outcome))


if __name__ == "__main__":
    main()
