"""A whole search: data prepared, study made or taken up again, trials run, best policy written, test set opened if asked for.

The same call goes on with what is unfinished and repeats nothing that is in the ledger. Refuses to search a study that another
process is searching, and whatever would leave a study that nobody can finish.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from policysearch.campaign import Campaign, Setting
from policysearch.conclusion import disclose_test, still_to_test, write_policy
from policysearch.drivers import Event, Listener
from policysearch.enqueued import count_in, read_policies
from policysearch.extending import extension
from policysearch.holding import held
from policysearch.home import Home
from policysearch.kept_weights import KeptWeights
from policysearch.ledger import Figure, Ledger, StudyRecord, TrialRecord
from policysearch.rungs import expected_trials
from policysearch.samplers import make_sampler
from policysearch.selection import best_trial, short_trials, winner
from policysearch.specs import placed
from policysearch.study import Study
from policysearch.wished import Wished, driver_for, prepared_images, wished
from searchspaces.engines.fused.keeping import anything_kept
from searchspaces.errors import BadInput, NoTrialSucceeded
from searchspaces.families import find_family
from searchspaces.spaces import few_trials_note
from searchspaces.words import counted
from trials.run import run_trial
from trials.values import TrialSpec

if TYPE_CHECKING:
    from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
UNSET = (signal.SIG_DFL, signal.default_int_handler)
COMPILING = "the first trial waits while the augmentation kernels are compiled, once for this machine: about half a minute"


@dataclass(frozen=True)
class Outcome:
    """What a search came to. `trials` are all of the study by number, baselines and failed ones included.

    `figure` is the test figure, if this study's has ever been disclosed; `resumed` says whether the study was there before;
    `notes` are sentences for the user.
    """

    study: str
    winner: TrialRecord
    baselines: tuple[TrialRecord, ...]
    trials: tuple[TrialRecord, ...]
    policy_path: Path
    figure: Figure | None
    resumed: bool
    notes: tuple[str, ...]


def search(study: Study, trials: int, listener: Listener, test: bool, extend: str | None = None) -> Outcome:
    """Run the study until it has `trials` searched trials, or what `extend` says; `Study.run` and `Study.extend` say the rest."""
    deadline = None if study.max_hours is None else time.monotonic() + 3600 * study.max_hours
    home = Home.locate(study.home, study.storage).make()
    find_family(study.space_wish)  # before images are prepared, which may take long
    enqueued = read_policies(study.enqueue)
    with _termination_interrupts(), home.keeping_kernels():
        prepared = prepared_images(study, home.root, listener, test)
        ledger = Ledger.open(home.ledger_url)
        wish = wished(study, prepared, ledger, enqueued)
        sampler = make_sampler(study.sampler, wish.setting.space, study.seed, wish.setting.recipe)
        driver = driver_for(study, wish.setting)
        record, trials, notes = _study_in_ledger(study, wish, ledger, home, trials, extend)
        notes = (*notes, *sampler.notes, *_few_and_short(wish.setting, trials))
        with home.lock(record.name) as directory, held(ledger, record) as hold:
            listener = hold.watching(listener)
            beside = len(wish.setting.baselines) + count_in(ledger.standings(record.uid), wish.setting.enqueued)
            listener(Event("ready", total=beside + expected_trials(wish.setting.early_stopping, trials), text=record.name))
            for note in notes:
                listener(Event("note", text=note))
            weights, claim = KeptWeights(directory / "weights"), ledger.claim(record.uid)
            keep = still_to_test(claim)
            campaign = Campaign(ledger, record, wish.setting, sampler, weights, trials, listener, deadline, keep)
            if campaign.finished_before:
                listener(Event("note", text=f"finished before, and not run again: {counted(campaign.finished_before, 'trial')}"))
            campaign.tell_finished()
            if wish.setting.objective is None and wish.setting.recipe.device == "cpu" and not anything_kept():
                listener(Event("note", text=COMPILING))
            driver.run(campaign, listener)
            best = _best(campaign.stopped, study.max_hours, ledger, record)
            weights.sweep({best.trial_uid, *keep})
            for uid in keep if claim else [best.trial_uid]:
                _restore_weights(ledger.trial(uid), wish.setting, weights, listener)
            path = write_policy(home, ledger, record)
        if test:
            disclose_test(home, ledger, record)
        ended = (*_ending(campaign.stopped, study.max_hours, trials), *_stopped_early(ledger, record))
        return _outcome(home, ledger, record, path, wish.known is not None, (*notes, *ended))


def _study_in_ledger(
    study: Study, wish: Wished, ledger: Ledger, home: Home, trials: int, extend: str | None
) -> tuple[StudyRecord, int, tuple[str, ...]]:
    """The study's record, made if need be; how many searched trials it is to have; and all that the user is to be told before."""
    if extend is None:
        home.study_directory(wish.name)  # refuses a name that is no plain file name before anything is recorded under it
        record, more = ledger.create_study(wish.name, wish.identity, study.wishes()), tuple[str, ...]()
    else:
        if wish.known is None:
            raise BadInput(f"study {wish.name!r}: there is none to extend; run it first, or give the name of one there is")
        going_on = extension(ledger, home, wish.known, extend, study.wishes())
        record, trials, more = going_on.record, going_on.trials, going_on.notes
    return record, trials, (*wish.notes, *more)


def _few_and_short(setting: Setting, trials: int) -> tuple[str, ...]:
    """What is to be said of so many trials in such a space, and of the epochs they may train for."""
    few, (*shorter, full) = few_trials_note(setting.space, trials), setting.early_stopping.rungs
    rungs = (
        f"early stopping: each policy trains for {', '.join(map(str, shorter))} epochs first, each time from the start; the best"
    )
    rungs += f" 1 in {setting.eta} go on, at last to {full} epochs, and only those can win"
    return (*((few,) if few else ()), *((rungs,) if shorter else ()))


def _restore_weights(trial: TrialRecord, setting: Setting, weights: KeptWeights, listener: Listener) -> None:
    """Train a finished trial again when its weights were taken away; its result stands, and the new weights must be the same."""
    assert trial.result is not None
    if setting.objective is not None or weights.is_sound(trial.trial_uid, trial.result.weights_sha256):
        return
    text = f"the weights of {trial.label} are missing or changed; training it again to restore them"
    listener(Event("note", trial.trial_uid, text=text))
    path = weights.path(trial.trial_uid)
    result = run_trial(TrialSpec.from_dict(placed(trial.spec, setting)), lambda epoch: None, path)
    if result.weights_sha256 != trial.result.weights_sha256:
        path.unlink(missing_ok=True)
        lost = result.error or "came out otherwise on this machine; the study can't be tested here, its validation figures stand"
        listener(Event("note", trial.trial_uid, text=f"the weights of {trial.label} {lost}"))


def _best(stopped: str | None, max_hours: float | None, ledger: Ledger, record: StudyRecord) -> TrialRecord:
    if stopped == "time" and not any(row.status for row in ledger.standings(record.uid)):
        raise NoTrialSucceeded(f"max_hours {max_hours:g}: over before a trial could finish; give more and search again")
    return best_trial(ledger, record.uid)


def _ending(stopped: str | None, max_hours: float | None, trials: int) -> tuple[str, ...]:
    if stopped == "space":
        return (f"the space has no other policy: {trials} were asked for, and all there are were tried",)
    if stopped == "time":
        return (f"stopped by max_hours ({max_hours:g}): another trial would not have finished in time; search again to go on",)
    return ()


def _stopped_early(ledger: Ledger, record: StudyRecord) -> tuple[str, ...]:
    """How many policies didn't get all epochs, if any."""
    stopped = sum(how == "stopped" for how in short_trials(ledger.standings(record.uid)).values())
    return (f"early stopping: policies that were stopped before they had all epochs: {stopped}",) if stopped else ()


def _outcome(home: Home, ledger: Ledger, study: StudyRecord, path: Path, resumed: bool, notes: tuple[str, ...]) -> Outcome:
    trials, claim = ledger.trials(study.uid), ledger.claim(study.uid)
    free = tuple(trial for trial in trials if trial.role == "baseline")
    return Outcome(study.name, winner(trials), free, trials, path, claim.figure if claim else None, resumed, notes)


@contextmanager
def _termination_interrupts() -> Iterator[None]:
    """Inside, SIGTERM and a terminal that closes stop a search in good order, as Ctrl-C does; a second signal stops it at once.

    The first raises KeyboardInterrupt, or SystemExit with the exit code that tells the signal. Workers end with this process.
    What the caller has set for a signal, or that it is ignored (as nohup does), stays. Only the main thread may say so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def stop(signum: int, frame: "FrameType | None") -> NoReturn:
        came.append(signum)
        if len(came) > 1:
            with suppress(OSError):
                os.write(2, b"policysearch: stopped at once; the same command goes on from there\n")
            os._exit(128 + signum)
        raise KeyboardInterrupt if signum == signal.SIGINT else SystemExit(128 + signum)

    before = {signum: handler for signum in STOPPING if (handler := signal.getsignal(signum)) in UNSET}
    for signum in before:
        signal.signal(signum, stop)
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
