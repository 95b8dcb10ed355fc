"""Trials that are under way, as MLflow shows them: running, with their curve so far, which the ledger knows by its last point.

Whoever watches a search keeps one `Live` over its passes, and tells of a trial what is new since the last one: a point, in one
batch. What was missed between two looks is told when the trial is over, for its result has all epochs. Refuses nothing; models
of the test are left out, for they are trained on the images that the ledger notes their progress on.
"""

import time
from collections.abc import Iterable, Sequence

from policysearch.holding import is_searched
from policysearch.ledger import Ledger, StudyRecord, TrialRecord
from policysearch.tracking.links import shared_view
from policysearch.tracking.runs import running_run
from policysearch.tracking.store import Store


class Live:
    """What this process has told of trials under way: of each the attempt and the epoch."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[int, int]] = {}
        self._is_shared = False

    def news(self, ledger: Ledger, study: StudyRecord, trials: Iterable[TrialRecord]) -> list[TrialRecord]:
        """Those of the trials that somebody is at work on, and that have an epoch more than was told."""
        begun = [trial for trial in trials if _place(trial) not in (None, self._told.get(trial.trial_uid))]
        left = set(ledger.lapsed(study.uid)) if begun else set()
        return [trial for trial in begun if trial.trial_uid not in left]

    def share_once(self, store: Store, study: StudyRecord) -> None:
        """Share the UI's view of the study early, so that links open while it is searched."""
        if not self._is_shared:
            share(store, study)
            self._is_shared = True

    def tell(self, store: Store, study: StudyRecord, trial: TrialRecord) -> None:
        """Show the trial's last point."""
        store.follow(running_run(study, trial, round(1000 * time.time())))
        place = _place(trial)
        assert place is not None  # it is news
        self._told[trial.trial_uid] = place


def share(store: Store, study: StudyRecord) -> str:
    """See that the UI has a view of the study; its key."""
    key, state = shared_view(study.uid, [str(each["name"]) for each in study.identity["space"].get("parameters", ())])
    store.share(key, state)
    return key


def unfinished(trials: Iterable[TrialRecord]) -> list[str]:
    """The uids of the trials that were begun and are not over."""
    return [trial.trial_uid for trial in trials if trial.attempts > 0 and trial.result is None]


def end_abandoned(store: Store, ledger: Ledger, study: StudyRecord, trial_uids: Sequence[str]) -> None:
    """End the runs of these trials unless somebody is at work on the study: whoever takes it up again takes them up too."""
    if store.running(trial_uids) and not is_searched(ledger, study):
        store.end(trial_uids)


def _place(trial: TrialRecord) -> tuple[int, int] | None:
    """The attempt and the epoch that a trial is at; None where there is nothing to tell, or its result is about to come."""
    if trial.result is not None or trial.progress is None or trial.role == "confirmation":
        return None
    epoch = trial.progress[0]
    return None if epoch >= trial.budget_epochs > 0 else (trial.attempts, epoch)
