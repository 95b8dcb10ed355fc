"""A whole search: data prepared, study made or taken up again, trials run, best policy written, test set opened if asked for.

The same call goes on with what is unfinished and repeats nothing that is in the ledger. Refuses to search a study that another
process is searching, and whatever would leave a study that nobody can finish.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from policysearch.campaign import Campaign, Setting
from policysearch.conclusion import disclose_test, still_to_test, write_policy
from policysearch.drivers import Driver, Event, Listener
from policysearch.drivers.execution import usable_cores
from policysearch.enqueued import count_in, for_study, not_run_twice, read_policies
from policysearch.home import Home
from policysearch.kept_weights import KeptWeights
from policysearch.ledger import Figure, Ledger, StudyRecord, TrialRecord
from policysearch.samplers import make_sampler
from policysearch.selection import winner
from policysearch.study import MACHINE_PARTS, Study, check_same
from searchspaces.engines.fused.keeping import anything_kept
from searchspaces.errors import BadInput, NoTrialSucceeded
from searchspaces.families import find_family
from searchspaces.families.fixed import baselines
from searchspaces.policy import Policy
from searchspaces.policy_json import digest
from searchspaces.spaces import DIGIT_BASE, PHOTO_BASE, build_space
from searchspaces.words import counted
from trials.data import Prepared, prepare
from trials.recipes import check_recipe, default_recipe
from trials.run import run_trial
from trials.values import DataRef, Recipe, TrialSpec

if TYPE_CHECKING:
    from types import FrameType

BASES = {"photos": PHOTO_BASE, "digits": DIGIT_BASE}
GPUS_PER_TRIAL = 0.25  # the small net fills no GPU
PREPARING_NOTE_SECONDS = 5.0
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


def search(study: Study, trials: int, listener: Listener, test: bool) -> Outcome:
    """Run the study until it has `trials` searched trials; `Study.run` says the rest."""
    deadline = None if study.max_hours is None else time.monotonic() + 3600 * study.max_hours
    home = Home.locate(study.home).make()
    find_family(study.space)  # before images are prepared, which may take long
    enqueued = read_policies(study.enqueue)
    with _termination_interrupts(), home.keeping_kernels():
        prepared = prepare(study.source(), home.root, _preparing(listener))
        if test and prepared.heldout is None:
            raise BadInput(f"data {study.data}: it has no test set to open; give one that has, or search without --test")
        ledger = Ledger.open(home.ledger_url)
        setting, name, identity, known = _wished(study, prepared, ledger)
        setting, notes = _with_enqueued(setting, enqueued, prepared)
        sampler = make_sampler(study.sampler, setting.space, study.seed)
        driver = _driver(study, setting.recipe)
        with home.lock(name) as directory:
            record = ledger.create_study(name, identity)
            beside = len(setting.baselines) + count_in(ledger.trials(record.uid), setting.enqueued)
            listener(Event("ready", total=trials + beside, text=name))
            notes = (*prepared.notes, *setting.space.notes, *notes)
            for note in notes:
                listener(Event("note", text=note))
            weights, claim = KeptWeights(directory / "weights"), ledger.claim(record.uid)
            keep = still_to_test(claim)
            campaign = Campaign(ledger, record, setting, sampler, weights, trials, listener, deadline, keep)
            if campaign.finished_before:
                listener(Event("note", text=f"finished before, and not run again: {counted(campaign.finished_before, 'trial')}"))
            campaign.tell_finished()
            if setting.recipe.device == "cpu" and not anything_kept():
                listener(Event("note", text=COMPILING))
            driver.run(campaign, listener)
            best = _winner(campaign.stopped, study.max_hours, ledger.trials(record.uid))
            weights.sweep({best.trial_uid, *keep})
            for uid in keep if claim else [best.trial_uid]:
                _restore_weights(ledger.trial(uid), setting.data, weights, listener)
            path = write_policy(home, ledger, record)
        if test:
            disclose_test(home, ledger, record)
        ended = _ending(campaign.stopped, study.max_hours, trials)
        return _outcome(home, ledger, record, path, known, (*notes, *ended))


def _wished(study: Study, prepared: Prepared, ledger: Ledger) -> tuple[Setting, str, dict[str, Any], bool]:
    """The study's setting, name and identity, and whether the ledger knows it. Raises before there is anything to regret."""
    setting = _setting(study, prepared, default_recipe())
    name = study.name_for(study.identity(prepared, setting), prepared.name)
    known = ledger.study(name)
    if known is not None:
        setting = replace(setting, recipe=_as_it_began(setting.recipe, known))
    identity = study.identity(prepared, setting)
    if known is not None:
        check_same(known, identity)
    check_recipe(setting.recipe)
    return setting, name, identity, known is not None


def _setting(study: Study, prepared: Prepared, recipe: Recipe) -> Setting:
    base = BASES[prepared.domain]
    return Setting(
        space=build_space(study.space, prepared.channels, base),
        baselines=baselines(prepared.channels, base),
        recipe=recipe,
        data=DataRef(str(prepared.directory), prepared.fingerprint),
        seed=study.seed,
        budget_epochs=study.epochs,
    )


def _with_enqueued(setting: Setting, policies: Mapping[str, Policy], prepared: Prepared) -> tuple[Setting, tuple[str, ...]]:
    """The setting with the policies that the user enqueued, on the study's own base, and notes on those that are run anyway."""
    placed = for_study(policies, prepared.channels, BASES[prepared.domain])
    known = {digest(policy): f"the baseline {label}" for label, policy in setting.baselines.items()}
    once, notes = not_run_twice(placed, known)
    return replace(setting, enqueued=once), notes


def _as_it_began(recipe: Recipe, known: StudyRecord) -> Recipe:
    """The recipe with what the first machine decided: a study is not trained in two precisions."""
    began = known.identity["recipe"]
    return replace(recipe, **{part: began[part] for part in MACHINE_PARTS})


def _driver(study: Study, recipe: Recipe) -> Driver:
    share = (study.gpus_per_trial or GPUS_PER_TRIAL) if recipe.device == "cuda" else 0.0
    if study.driver == "ray":
        from policysearch.drivers.ray_tune import RayDriver

        return RayDriver(study.workers, study.address, share)
    from policysearch.drivers.local import LocalDriver, visible_gpus

    gpus = visible_gpus() if share else ()
    room = int(len(gpus) / share + 1e-9) if gpus else usable_cores()
    return LocalDriver(min(study.workers or usable_cores(), usable_cores(), room), gpus)


def _restore_weights(trial: TrialRecord, data: DataRef, weights: KeptWeights, listener: Listener) -> None:
    """Train a finished trial again when its weights were taken away; its result stands, and the new weights must be the same."""
    assert trial.result is not None
    if weights.is_sound(trial.trial_uid, trial.result.weights_sha256):
        return
    text = f"the weights of {trial.label} are missing or changed; training it again to restore them"
    listener(Event("note", trial.trial_uid, text=text))
    path = weights.path(trial.trial_uid)
    result = run_trial(TrialSpec.from_dict(trial.spec | {"data": asdict(data)}), lambda epoch: None, path)
    if result.weights_sha256 != trial.result.weights_sha256:
        path.unlink(missing_ok=True)
        lost = result.error or "came out otherwise on this machine; the study can't be tested here, its validation figures stand"
        listener(Event("note", trial.trial_uid, text=f"the weights of {trial.label} {lost}"))


def _winner(stopped: str | None, max_hours: float | None, trials: tuple[TrialRecord, ...]) -> TrialRecord:
    if stopped == "time" and not any(trial.result for trial in trials):
        raise NoTrialSucceeded(f"max_hours {max_hours:g}: over before a trial could finish; give more and search again")
    return winner(trials)


def _ending(stopped: str | None, max_hours: float | None, trials: int) -> tuple[str, ...]:
    if stopped == "space":
        return (f"the space has no other policy: {trials} were asked for, and all there are were tried",)
    if stopped == "time":
        return (f"stopped by max_hours ({max_hours:g}): another trial would not have finished in time; search again to go on",)
    return ()


def _outcome(home: Home, ledger: Ledger, study: StudyRecord, path: Path, resumed: bool, notes: tuple[str, ...]) -> Outcome:
    trials, claim = ledger.trials(study.uid), ledger.claim(study.uid)
    free = tuple(trial for trial in trials if trial.role == "baseline")
    return Outcome(study.name, winner(trials), free, trials, path, claim.figure if claim else None, resumed, notes)


def _preparing(listener: Listener) -> Callable[[int, int], None]:
    """Notes about the preparing of images, where it takes long."""
    noted = time.monotonic()

    def progress(done: int, total: int) -> None:
        nonlocal noted
        if time.monotonic() - noted > PREPARING_NOTE_SECONDS:
            noted = time.monotonic()
            listener(Event("note", text=f"preparing images: {done:,} of {total:,}"))

    return progress


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
