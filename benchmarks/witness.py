"""The trial that kill loops run, and the witness it writes itself: a file that no search knows of, read when all is over.

A line has a word (started, finished, acknowledged) and the key of an execution: what the search calls the trial.
"""

import json
import os

TRIAL_SECONDS = 0.25
WITNESS = "BENCHMARK_WITNESS"


def bear_witness(word: str, key: str, sync: bool = False) -> None:
    """Append a line: one write, so that lines of several processes stay whole."""
    line = json.dumps({"word": word, "key": key, "process": os.getpid()}) + "\n"
    handle = os.open(os.environ[WITNESS], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, line.encode())
        if sync:
            os.fsync(handle)
    finally:
        os.close(handle)


def said(witness: str, word: str) -> list[str]:
    """The keys of every line of the witness with that word."""
    lines = [json.loads(line) for line in witness.splitlines()]
    return [str(line["key"]) for line in lines if line["word"] == word]
