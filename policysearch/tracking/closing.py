"""The end of a closing pass: what is said of a study as a whole, beside the runs of its trials.

The summary with its verdict, the test error of the models that had one, the files of the best, the view that links open, the
winner's model. All of it may be done again and changes nothing then. Raises nothing: what fails is a reason or a note.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from policysearch.ledger import Figure, Ledger, StudyRecord, TrialRecord
from policysearch.ledger.records import SEARCHED
from policysearch.tracking.attempts import Attempts
from policysearch.tracking.links import COMPARED, View, shared_key
from policysearch.tracking.live import share
from policysearch.tracking.models import clear_models, log_winner, register
from policysearch.tracking.runs import trial_run
from policysearch.tracking.store import Store
from policysearch.tracking.summary import best_of, study_run

if TYPE_CHECKING:
    from policysearch.judgement import Judgement

BEST_WITH_FILES = 3


@dataclass(frozen=True)
class Closing:
    """A study whose trials are `over`, and the store that shall be told of it."""

    ledger: Ledger
    study: StudyRecord
    over: list[TrialRecord]
    store: Store
    study_directory: Path


def close(closing: Closing, attempts: Attempts, register_as: str | None = None) -> tuple[View | None, tuple[str, ...]]:
    """Tell all this; where the UI shows it, and what is to be said of the winner's model."""
    from policysearch.judgement import judge

    study, store, claim = closing.study, closing.store, closing.ledger.claim(closing.study.uid)
    judgement, figure = judge(closing.ledger, study), claim.figure if claim else None
    attempts.made(partial(store.put, study_run(study, closing.over, figure, judgement)))
    _tell_tests(closing, attempts, figure)
    for trial in _with_files(closing.over, judgement):
        attempts.made(partial(_attach, closing, trial, judgement))
    attempts.made(partial(share, store, study))
    model_id, note = attempts.without_blame(partial(_log_model, closing, judgement), "the winner is not among the models")
    notes = [note] if note else []
    if register_as is not None:
        notes.append(_registered(store, attempts, model_id, register_as))
    return attempts.made(partial(store.view, shared_key(study.uid), model_id)), tuple(notes)


def clear(store: Store, study: StudyRecord) -> str:
    """Put away all that MLflow has of the study and nothing else, to be made anew; says what was done."""
    clear_models(store, study)
    return f"{store.clear()} runs of before are in MLflow's bin (State: Deleted), until `mlflow gc` empties it"


def _tell_tests(closing: Closing, attempts: Attempts, figure: Figure | None) -> None:
    tested = {model["trial_uid"] for model in figure.models} if figure else set()
    for trial in closing.over:
        if trial.trial_uid in tested and trial.result is not None:
            attempts.made(partial(closing.store.put, trial_run(closing.study, trial, trial.result, figure)))


def _with_files(over: list[TrialRecord], judgement: "Judgement") -> list[TrialRecord]:
    """The best of the search, all that a link may compare, and the winner.

    MLflow's comparison has an error in place of its files where the first run has some and another has none.
    """
    best = best_of([trial for trial in over if trial.role in SEARCHED], BEST_WITH_FILES)
    judged = [] if judgement.winner_trial is None else [judgement.winner_trial]
    return list({trial.trial_uid: trial for trial in (*best, *_compared(over), *judged)}.values())


def _compared(over: list[TrialRecord]) -> list[TrialRecord]:
    """The searched trials of the lowest errors, as many as a link compares, and those that are equal to the last of them."""
    scored = [(trial.result.score, trial) for trial in over if trial.role == "trial" and trial.result is not None]
    errors = [(score.wrong / score.total, trial) for score, trial in scored if score is not None]
    most = sorted(error for error, _ in errors)[:COMPARED]
    return [trial for error, trial in errors if error <= most[-1]]


def _attach(closing: Closing, trial: TrialRecord, judgement: "Judgement") -> None:
    """The policy as a file that `load_policy` reads, written anew each time, and the picture if somebody has drawn one."""
    drawn = closing.study_directory / "pictures" / f"{trial.trial_uid}.png"
    with _policy_file(closing, trial, judgement) as policy:
        closing.store.attach(trial.trial_uid, policy, anew=True)  # the verdict may be another one by now
        if drawn.is_file():
            picture = policy.with_name("augmented.png")
            picture.write_bytes(drawn.read_bytes())
            closing.store.attach(trial.trial_uid, picture)


def _log_model(closing: Closing, judgement: "Judgement") -> str | None:
    """The winner's net as a model, where one is kept; its id."""
    from policysearch.tracking.winner_net import find_net

    net = find_net(closing.ledger, closing.study, judgement, closing.study_directory)
    if net is None or judgement.winner_trial is None:
        return None
    with _policy_file(closing, judgement.winner_trial, judgement) as policy:
        return log_winner(closing.store, closing.ledger, closing.study, net, policy, judgement)


def _registered(store: Store, attempts: Attempts, model_id: str | None, name: str) -> str:
    """Register the winner; what came of it."""
    if model_id is None:
        return f"nothing is registered as {name!r}: no net of the winner is kept here"
    version, note = attempts.without_blame(partial(register, store, model_id, name), f"nothing is registered as {name!r}")
    return note or f"the winner is version {version} of the registered model {name!r}"


@contextmanager
def _policy_file(closing: Closing, trial: TrialRecord, judgement: "Judgement") -> Iterator[Path]:
    """The trial's policy with its provenance, in a folder for the time being."""
    from policysearch.provenance import provenance  # these bring torch, which only the closing pass waits for
    from searchspaces.policy_json import policy_from_dict, write_policy_file

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.json"
        origin = provenance(closing.ledger, closing.study, trial, judgement)
        write_policy_file(path, policy_from_dict(trial.spec["policy"]), origin)
        yield path
