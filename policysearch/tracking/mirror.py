"""The outbox: brings an MLflow store up to date with the ledger, one study at a time.

Kill it anywhere and run it again: a run is looked up by its tags before it is made, and a trial is marked as copied only when
MLflow has all of it. It raises nothing when MLflow is away: it says what is still missing, and why.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from policysearch.ledger import Ledger, StudyRecord, TrialRecord
from policysearch.tracking.attempts import Attempts
from policysearch.tracking.closing import Closing, clear, close
from policysearch.tracking.data_sets import data_name
from policysearch.tracking.links import View
from policysearch.tracking.live import Live, end_abandoned, unfinished
from policysearch.tracking.runs import MIRRORED, trial_run
from policysearch.tracking.store import Store, find_view
from policysearch.tracking.target import Target
from searchspaces.errors import BadInput
from trials.failpoints import reach


@dataclass(frozen=True)
class Shipped:
    """Where MLflow stands after a pass: so many finished trials are there as `runs`, so many are missing, and why if known.

    After a closing pass `view` says where the UI shows them, and `notes` what else there is to say, as of a model.
    """

    runs: int
    behind: int
    reason: str | None = None
    view: View | None = field(default=None, compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)

    @staticmethod
    def read(told: dict[str, Any]) -> "Shipped":
        """What `asdict` made JSON values of."""
        view = told["view"]
        return Shipped(**{**told, "view": view and View.read(view), "notes": tuple(told["notes"])})


def mirror_study(
    ledger: Ledger,
    study_name: str,
    target: Target,
    study_directory: Path,
    closing: bool = True,
    rebuild: bool = False,
    register: str | None = None,
    live: Live | None = None,
) -> Shipped:
    """Copy to MLflow what it lacks of a study; raises only BadInput, for a study that isn't there.

    While a search runs, `closing=False` copies the trials that finished since, and with `live` the last epoch of those under way.
    At its end, `closing=True` looks at all trials anew (so that a store that was wiped is filled again), ends the runs of those
    that nobody is at work on any more, writes the study's summary, shares a view of it with the UI, gives the best ones their
    policy and, where `<study_directory>/pictures/<trial_uid>.png` exists, their picture, and logs the winner's net as a model.
    With `rebuild` all that MLflow has of the study is put away first and made anew; with `register` the winner's model becomes a
    version of the registered model of that name.
    """
    study = ledger.study(study_name)
    if study is None:
        raise BadInput(f"study {study_name!r}: not in this ledger; `policysearch status` lists what there is")
    with _one_at_a_time(study_directory):
        trials = ledger.trials(study.uid, roles=MIRRORED)
        over = [trial for trial in trials if trial.result is not None]
        known = set() if closing else ledger.mirrored(study.uid, target.label)
        missing = [trial for trial in over if trial.trial_uid not in known]
        news = live.news(ledger, study, trials) if live else []
        left = unfinished(trials) if closing else []
        if not (missing or news or left):
            return Shipped(len(over), 0)
        attempts = Attempts(target)
        store = attempts.made(partial(Store.open, target, experiment_of(study, target), study.uid, with_finished=bool(missing)))
        if store is None:
            return Shipped(len(known), len(missing), attempts.reason)
        cleared = attempts.made(partial(clear, store, study)) if rebuild else None
        if rebuild and cleared is None:
            return Shipped(0, len(missing), attempts.reason)
        behind = [trial for trial in missing if not attempts.made(partial(_copy, ledger, study, trial, target, store))]
        if live:
            attempts.made(partial(live.share_once, store, study))
            for trial in news:
                attempts.made(partial(live.tell, store, study, trial))
        attempts.made(partial(end_abandoned, store, ledger, study, left))
        if not (closing and over):
            return Shipped(len(over) - len(behind), len(behind), attempts.reason)
        view, notes = close(Closing(ledger, study, over, store, study_directory), attempts, register)
        notes = (cleared, *notes) if cleared else notes
        return Shipped(len(over) - len(behind), len(behind), attempts.reason, view, notes)


def experiment_of(study: StudyRecord, target: Target) -> str:
    """The experiment that holds the study's runs: the one the user named, else one for each data set."""
    return target.experiment or f"policysearch/{data_name(study)}"


def find_study(study: StudyRecord, target: Target) -> View | None:
    """Where the UI shows the study; None where MLflow has nothing of it yet. BadInput, in one line, where it can't be asked."""
    try:
        return find_view(target, experiment_of(study, target), study)
    except Exception as error:  # as in a pass: whatever client, network and database raise
        raise BadInput(f"MLflow at {target.shown_uri}: {target.told(error)}") from error


def _copy(ledger: Ledger, study: StudyRecord, trial: TrialRecord, target: Target, store: Store) -> bool:
    assert trial.result is not None
    if not store.has(trial.trial_uid):
        store.put(trial_run(study, trial, trial.result))
    reach("mirrored_not_marked")
    ledger.mark_mirrored(trial.trial_uid, target.label)
    return True


@contextmanager
def _one_at_a_time(study_directory: Path) -> Iterator[None]:
    """Two passes over one study at once could both make the run that neither found; the second waits for the first."""
    study_directory.mkdir(parents=True, exist_ok=True)
    with (study_directory / "mirror.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
