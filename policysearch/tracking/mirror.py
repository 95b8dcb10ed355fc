"""The outbox: brings an MLflow store up to date with the ledger, one study at a time.

Kill it anywhere and run it again: a run is looked up by its tags before it is made, and a trial is marked as copied only when
MLflow has all of it. It raises nothing when MLflow is away: it says what is still missing, and why.
"""

import fcntl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from policysearch.ledger import Ledger, StudyRecord, TrialRecord
from policysearch.ledger.records import SEARCHED
from policysearch.tracking.runs import MIRRORED, best_of, data_name, study_run, trial_run
from policysearch.tracking.store import Store
from policysearch.tracking.target import Target
from searchspaces.errors import BadInput
from trials.failpoints import reach

if TYPE_CHECKING:
    from policysearch.judgement import Judgement

Answer = TypeVar("Answer")

BEST_WITH_FILES = 3
FAILURES_IN_A_ROW = 2  # after so many a pass gives up: a server that never answers costs two time-outs, not one a trial


@dataclass(frozen=True)
class Shipped:
    """Where MLflow stands after a pass: so many finished trials are there as `runs`, so many are missing, and why if known."""

    runs: int
    behind: int
    reason: str | None = None


def mirror_study(ledger: Ledger, study_name: str, target: Target, study_directory: Path, closing: bool = True) -> Shipped:
    """Copy to MLflow what it lacks of a study; raises only BadInput, for a study that isn't there.

    While a search runs, `closing=False` copies the trials that finished since. At its end, `closing=True` looks at all trials
    anew (so that a store that was wiped is filled again), writes the study's summary, and gives the best three their policy and,
    where `<study_directory>/pictures/<trial_uid>.png` exists, their picture.
    """
    study = ledger.study(study_name)
    if study is None:
        raise BadInput(f"study {study_name!r}: not in this ledger; `policysearch status` lists what there is")
    with _one_at_a_time(study_directory):
        over = [trial for trial in ledger.trials(study.uid, roles=MIRRORED) if trial.result is not None]
        known = set() if closing else ledger.mirrored(study.uid, target.label)
        missing = [trial for trial in over if trial.trial_uid not in known]
        if not missing:
            return Shipped(len(over), 0)
        attempts = _Attempts(target)
        store = attempts.made(partial(Store.open, target, target.experiment or f"policysearch/{data_name(study)}", study.uid))
        if store is None:
            return Shipped(len(known), len(missing), attempts.reason)
        behind = [trial for trial in missing if not attempts.made(partial(_copy, ledger, study, trial, target, store))]
        if closing:
            _close(ledger, study, over, attempts, store, study_directory)
        return Shipped(len(over) - len(behind), len(behind), attempts.reason)


class _Attempts:
    """Calls that may fail without harm. It keeps the last failure's reason, and after two in a row makes no more calls."""

    def __init__(self, target: Target) -> None:
        self.reason: str | None = None
        self._target = target
        self._failures = 0

    def made(self, work: Callable[[], Answer]) -> Answer | None:
        """What `work` gives; None when it failed."""
        if self._failures >= FAILURES_IN_A_ROW:
            return None
        try:
            answer = work()
        except Exception as error:  # whatever client, network, database and disk raise: the mirror is behind, the search goes on
            self._failures += 1
            line = " ".join(f"{type(error).__name__}: {error}".split())
            self.reason = self._target.without_password(line)[:300]
            return None
        self._failures = 0
        return answer


def _close(
    ledger: Ledger, study: StudyRecord, over: list[TrialRecord], attempts: _Attempts, store: Store, study_directory: Path
) -> None:
    """The study's summary with its verdict, the test error of the models that had one, and the files of the best."""
    from policysearch.judgement import judge

    claim, judgement = ledger.claim(study.uid), judge(ledger, study)
    figure = claim.figure if claim else None
    attempts.made(partial(store.put, study_run(study, over, figure, judgement)))
    tested = {model["trial_uid"] for model in figure.models} if figure else set()
    for trial in over:
        if trial.trial_uid in tested and trial.result is not None:
            attempts.made(partial(store.put, trial_run(study, trial, trial.result, figure)))
    best = best_of([trial for trial in over if trial.role in SEARCHED], BEST_WITH_FILES)
    judged = judgement.winner_trial
    if judged is not None and all(trial.trial_uid != judged.trial_uid for trial in best):
        best.append(judged)
    for trial in best:
        attempts.made(partial(_attach, ledger, study, trial, judgement, store, study_directory))


def _copy(ledger: Ledger, study: StudyRecord, trial: TrialRecord, target: Target, store: Store) -> bool:
    assert trial.result is not None
    if not store.has(trial.trial_uid):
        store.put(trial_run(study, trial, trial.result))
    reach("mirrored_not_marked")
    ledger.mark_mirrored(trial.trial_uid, target.label)
    return True


def _attach(
    ledger: Ledger, study: StudyRecord, trial: TrialRecord, judgement: "Judgement", store: Store, study_directory: Path
) -> None:
    """The policy as a file that `load_policy` reads, written anew each time, and the picture if somebody has drawn one."""
    from policysearch.provenance import provenance  # these bring torch, which only the closing pass waits for
    from searchspaces.policy_json import policy_from_dict, write_policy_file

    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder) / "policy.json"
        write_policy_file(policy, policy_from_dict(trial.spec["policy"]), provenance(ledger, study, trial, judgement))
        store.attach(trial.trial_uid, policy, anew=True)  # the verdict may be another one by now
        drawn = study_directory / "pictures" / f"{trial.trial_uid}.png"
        if drawn.is_file():
            picture = Path(folder) / "augmented.png"
            picture.write_bytes(drawn.read_bytes())
            store.attach(trial.trial_uid, picture)


@contextmanager
def _one_at_a_time(study_directory: Path) -> Iterator[None]:
    """Two passes over one study at once could both make the run that neither found; the second waits for the first."""
    study_directory.mkdir(parents=True, exist_ok=True)
    with (study_directory / "mirror.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
