"""What `--json` prints while a command runs: events for other programs, one JSON object a line (JSON Lines), in UTF-8.

Version 1. Every object has all keys of `KEYS`, null where there is nothing to say, and beside them the keys of its kind in
`MORE`. Within version 1 keys and kinds may be added, none is taken away or gets another meaning. docs/watching.md is the page on
it. Nothing else goes to standard output while events are told.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from datetime import UTC, datetime
from io import StringIO
from typing import TYPE_CHECKING, Any, TextIO

from policysearch.cli.reading import UNSCORED
from policysearch.cli.tally import Tally

if TYPE_CHECKING:
    from policysearch.drivers import Event
    from policysearch.ledger import Ledger, StudyRecord

VERSION = 1
KEYS: Mapping[str, str] = {
    "version": "the version of this form: 1",
    "kind": "study, stage, started, epoch, finished, failed, progress, note, verdict or end",
    "time": "when it was told: ISO 8601, in UTC, with its zone",
    "study": "the study's name; null until it is known",
    "uid": "of the training that it is about",
    "label": "that training in a few words",
    "role": "rehearsal, baseline, calibration, enqueued, trial, finalist or confirmation",
    "epoch": "how many epochs the training has had",
    "epochs": "how many it is to have",
    "wrong": "validation images that it gets wrong, a whole number; null for rehearsal and confirmation, which are no measure",
    "total": "of so many",
    "text": "a sentence for a person: the note, the stage, why it failed, the verdict, what the command complained of",
}
MORE: Mapping[str, Mapping[str, str]] = {
    "study": {
        "trainings": "how many the study is to have, those of earlier runs counted",
        "trainings_epochs": "their epochs together",
        "gpus": "the share of a GPU that a training takes; 0 on a CPU",
    },
    "stage": {"trainings": "how many the stage has, those of earlier runs counted"},
    "started": {},
    "epoch": {},
    "finished": {"seconds": "what the training took", "before": "true where an earlier run had finished it"},
    "failed": {"seconds": "what the training took", "before": "true where it had failed in an earlier run"},
    "progress": {"done": "so many parts of what the text says, which is no training", "parts": "of so many; more may come to it"},
    "note": {},
    "verdict": {
        "judgement": "the object that `show --json` has as verdict",
        "test": "the object that `show --json` has as test; null while the test set is closed",
        "directory": "where policy.json and report.html are",
    },
    "end": {
        "exit_code": "what the command ends with: 0 where all went well",
        "trainings_over": "trainings heard of that are over, those of earlier runs counted",
        "trainings_failed": "how many of them failed",
        "seconds": "how long the command ran",
    },
}
UNFORESEEN = 1  # the exit code of an error that we did not foresee


class JsonLines:
    """Hears a driver's events and prints each as a line on `out` at once."""

    def __init__(self, tally: Tally, out: TextIO) -> None:
        self.tally, self._out = tally, out
        self._study: str | None = None
        self._named: dict[str, dict[str, Any]] = {}
        self._began = time.monotonic()

    def hear(self, event: "Event") -> None:
        """Count the event and print it."""
        self.tally.hear(event)
        told, more = self._told(event)
        self._print(told, more)

    def _told(self, event: "Event") -> tuple[dict[str, Any], dict[str, Any]]:
        tally, uid = self.tally, event.trial_uid
        about: dict[str, Any] = {"kind": event.kind, "text": event.text or None}
        if event.label:
            epochs = event.budget_epochs or tally.budget_epochs
            self._named[uid] = {"uid": uid, "label": event.label, "role": event.role, "epochs": epochs}
        about |= self._named.get(uid, {"uid": uid or None})
        match event.kind:
            case "ready":
                self._study = event.text
                about |= {"kind": "study", "text": tally.beginning(event)}
                return about, {"trainings": event.total, "trainings_epochs": event.epoch, "gpus": tally.gpus}
            case "stage":
                return about, {"trainings": event.total}
            case "progress":
                return about, {"done": event.epoch, "parts": event.total}
            case "epoch" | "finished":
                about |= {"epoch": event.epoch}
                about |= {} if about.get("role") in UNSCORED else {"wrong": event.wrong, "total": event.total}
            case "started":
                about |= {"epoch": 0}
        if event.kind in ("finished", "failed"):
            return about, {"seconds": event.seconds, "before": tally.was_before(uid)}
        return about, {}

    def tell_verdict(self, ledger: "Ledger", study: "StudyRecord", directory: str) -> None:
        """Print what the study has come to."""
        from policysearch.cli.reading import test_facts
        from policysearch.judgement import judge

        self._study = study.name
        judgement = judge(ledger, study)
        about: dict[str, Any] = {"kind": "verdict", "text": judgement.verdict.sentence}
        if judgement.winner is not None:
            about |= {"label": judgement.winner.label, "role": judgement.winner.role}
        if (trial := judgement.winner_trial) is not None:
            score = None if trial.result is None else trial.result.score
            about |= {"uid": trial.trial_uid, "epochs": trial.budget_epochs}
            about |= {} if score is None else {"wrong": score.wrong, "total": score.total}
        test = test_facts(ledger.claim(study.uid))
        self._print(about, {"judgement": judgement.to_dict(), "test": test, "directory": directory})

    def tell_end(self, exit_code: int, text: str | None) -> None:
        """Print that the command is over."""
        counts = {"trainings_over": len(self.tally.over), "trainings_failed": len(self.tally.reasons)}
        more = {"exit_code": exit_code, **counts, "seconds": round(time.monotonic() - self._began, 3)}
        self._print({"kind": "end", "text": text}, more)

    def _print(self, about: Mapping[str, Any], more: Mapping[str, Any]) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        told: dict[str, Any] = {**dict.fromkeys(KEYS), "version": VERSION, "time": now, "study": self._study, **about, **more}
        self._out.write(json.dumps(told, allow_nan=False) + "\n")
        self._out.flush()


@contextmanager
def told_as_json(tally: Tally) -> Iterator[JsonLines]:
    """Inside, events go to standard output, and what is meant for people nowhere; the last line is the end, whatever it was."""
    lines = JsonLines(tally, sys.stdout)
    try:
        with redirect_stdout(_Nowhere()):
            yield lines
    except BaseException as error:
        with suppress(OSError):  # who read may be gone
            lines.tell_end(*_end(error))
        raise
    lines.tell_end(0, None)


def _end(error: BaseException) -> tuple[int, str | None]:
    """The exit code that an error comes to, and what is said of it."""
    from policysearch.cli import told_of

    if isinstance(error, SystemExit):
        return (error.code if isinstance(error.code, int) else UNFORESEEN), "stopped by a signal"
    text, code = told_of(error) or (f"{type(error).__name__}: {error}", UNFORESEEN)
    return code, " ".join(text.split())


class _Nowhere(StringIO):
    """Takes text, and keeps none."""

    def write(self, text: str) -> int:
        """As if it were written."""
        return len(text)
