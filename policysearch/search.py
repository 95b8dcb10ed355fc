"""A whole study: data prepared, study made or taken up again, its stages run in order, policy written, test set opened if wished.

The same call goes on with what is unfinished and repeats nothing that is in the ledger. Refuses to search a study that another
process is searching, and whatever would leave a study that nobody can finish.
"""

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from policysearch.conclusion import still_to_test, write_policy
from policysearch.confirming import confirm_and_disclose
from policysearch.course.calibrating import judge_budget, train_baselines, train_plainest
from policysearch.course.chain import Chain, Stages
from policysearch.course.course import Course
from policysearch.course.finals import train_finalists
from policysearch.course.labels import look_at_labels
from policysearch.course.plan import plan_left, tell_plan, time_for_test
from policysearch.course.planned import ALL_ROLES
from policysearch.course.rehearsing import rehearse
from policysearch.course.restoring import restore_weights
from policysearch.course.searching import search_policies
from policysearch.drivers import Driver, Event, Listener
from policysearch.drivers.execution import usable_cores
from policysearch.enqueued import read_policies
from policysearch.extending import extension
from policysearch.holding import held
from policysearch.home import Home
from policysearch.judgement import Judgement, judge
from policysearch.kept_weights import note_place, place_of, require_place
from policysearch.ledger import SEARCHED, Figure, Ledger, StudyRecord, TrialRecord
from policysearch.nets import check_net
from policysearch.room import in_words, make_room
from policysearch.samplers import make_sampler
from policysearch.selection import best_trial
from policysearch.stopping import termination_interrupts
from policysearch.study import Study
from policysearch.wished import Wished, driver_for, prepared_images, wished
from searchspaces.engines.choosing import fused_here
from searchspaces.engines.fused.keeping import anything_kept
from searchspaces.errors import BadInput, NoTrialSucceeded, PolicysearchError
from searchspaces.families import find_family
from searchspaces.phrases import counted
from trials.compiling import compiled_beside

COMPILING = "the first trial waits while the augmentation kernels are compiled, once for this machine: about half a minute"


@dataclass(frozen=True)
class Outcome:
    """What a study came to so far. `trials` are those among which its search chose, by number: baselines and failed ones too.

    `judgement` is what can be said of the winner: the verdict, its finalists, and all that it rests on. `figure` is the test
    figure, if this study's has ever been disclosed; `policy_path` the policy's file, which is written where a policy is
    recommended; `resumed` says whether the study was there before; `notes` are sentences for the user.
    """

    study: str
    judgement: Judgement
    baselines: tuple[TrialRecord, ...]
    trials: tuple[TrialRecord, ...]
    policy_path: Path
    figure: Figure | None
    resumed: bool
    notes: tuple[str, ...]

    @property
    def winner(self) -> TrialRecord:
        """The trial of the search whose policy is recommended. Raises PolicysearchError where the budget is too short for one."""
        if self.judgement.winner_trial is None:
            raise PolicysearchError(f"study {self.study!r}: no policy is recommended: {self.judgement.verdict.sentence}")
        return self.judgement.winner_trial


def search(study: Study, trials: int, listener: Listener, test: bool, extend: str | None = None) -> Outcome:
    """Run the study until it has `trials` searched trials, or what `extend` says; `Study.run` and `Study.extend` say the rest."""
    deadline = None if study.max_hours is None else time.monotonic() + 3600 * study.max_hours
    home = Home.locate(study.home, study.storage).make()
    find_family(study.space_wish)  # before images are prepared, which may take long
    require_place(study.checkpoints)
    check_net(study)
    enqueued = read_policies(study.enqueue)
    with termination_interrupts(), home.keeping_kernels():
        prepared = prepared_images(study, home.root, listener, test)
        ledger = Ledger.open(home.ledger_url)
        if prepared is not None and (removed := make_room(home, ledger)):
            listener(Event("note", text=in_words(removed)))
        wish = wished(study, prepared, ledger, enqueued)
        make_sampler(
            study.sampler, wish.setting.space, study.seed, wish.setting.recipe
        )  # or refuse the wish before there is a study
        driver = driver_for(study, wish.setting)
        record, trials, notes = _study_in_ledger(study, wish, ledger, home, trials, extend)
        note_place(ledger, record, study.checkpoints)
        if prepared is not None:
            ledger.note_fact(record.uid, "duplicates", dict(prepared.leaks))  # counts alone, for who tells of the study later
        with home.lock(record.name) as directory, held(ledger, record) as hold:
            course = Course(
                *(study, home, ledger, record, wish.setting, prepared, directory, hold.watching(listener), trials, test),
                *(_at_once(study, driver), deadline, frozenset(still_to_test(ledger.claim(record.uid)))),
                place=place_of(ledger, record, directory),
            )
            course.sweep_trainings()
            with _kernels_compiled_beside(course, _tell_what_stands(course, notes)):
                _run(course, driver)
            _conclude(course)
        if test and course.stopped is None and time_for_test(course):
            confirm_and_disclose(home, ledger, record, driver, listener, study.finalist_seeds)
        return _outcome(course, wish.known is not None)


def _run(course: Course, driver: Driver) -> None:
    """All stages, in one run of the driver where its workers are here: they stay from the first to the last."""
    if course.study.address is None:
        driver.run(Chain(_stages(course)), course.listener)
        return
    # What is done between the stages takes a while, and a driver that is silent for long counts as gone on a cluster.
    for part in (_opening(course), _main_part(course)):
        driver.run(Chain(part), course.listener)


def _stages(course: Course) -> Stages[None]:
    yield from _opening(course)
    yield from _main_part(course)


def _opening(course: Course) -> Stages[None]:
    """Until it is known what the study will take, what keeps labels, and whether its budget is long enough."""
    rehearsal, opening = (yield from rehearse(course)), ("baselines", "calibration")
    tell_plan(course, rehearsal, opening)
    if course.plainest_first:
        yield from train_plainest(course)
        tell_plan(course, rehearsal, opening)
        look_at_labels(course)
    yield from train_baselines(course)


def _main_part(course: Course) -> Stages[None]:
    """From the baselines to the finalists."""
    if course.stopped is None and not course.study.trim:
        look_at_labels(course)
    if course.stopped is None:
        judge_budget(course)
    if course.stopped is None:
        tell_plan(course)
        yield from search_policies(course)
        yield from train_finalists(course)


def _tell_what_stands(course: Course, notes: tuple[str, ...]) -> bool:
    """Say that the study stands, what its wishes mean, what earlier runs have finished; whether its kernels are missing."""
    over = [row for row in course.ledger.standings(course.record.uid, ALL_ROLES) if row.status and row.role != "rehearsal"]
    left = plan_left(course, lambda epochs: 0.0)
    before = sum(row.budget_epochs for row in over)
    trainings, epochs = left.trainings + len(over), left.epochs + before
    course.listener(Event("ready", total=trainings, epoch=epochs, epochs_before=before, text=course.record.name))
    for note in notes:
        course.note(note)
    if over:
        course.listener(
            Event("note", text=f"{counted(len(over), 'training')} {'was' if len(over) == 1 else 'were'} there already")
        )
    ours = course.setting.objective is None and course.setting.recipe.device == "cpu"
    missing = bool(ours and left.trainings and not anything_kept())
    if missing:
        course.listener(Event("note", text=COMPILING))
    return missing


def _kernels_compiled_beside(course: Course, missing: bool) -> AbstractContextManager[None]:
    """Workers take some seconds to start, and need the kernels of ops before those of nets: neither has to wait."""
    return compiled_beside() if missing and course.study.address is None and fused_here() else nullcontext()


def _conclude(course: Course) -> None:
    """Keep the weights that may still be wanted, and write the policy, unless the budget is too short to recommend one."""
    ledger, record = course.ledger, course.record
    best = _best(course)
    course.weights.sweep({best.trial_uid, *course.keep, *course.finalists})
    course.sweep_trainings()
    if course.stopped == "budget":
        return
    for uid in sorted(course.keep) or [best.trial_uid]:
        if (trial := ledger.trial(uid)).role in SEARCHED:
            restore_weights(trial, course.setting, course.weights, course.listener)
    write_policy(course.home, ledger, record)


def _at_once(study: Study, driver: Driver) -> int:
    """How many trials run together; on a cluster that is met later what was wished for, or one."""
    wanted: int | None = getattr(driver, "workers", study.workers)
    return wanted or (1 if study.address else usable_cores())


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


def _best(course: Course) -> TrialRecord:
    if course.deadline is not None and not any(row.status for row in course.ledger.standings(course.record.uid)):
        hours = f"max_hours {course.study.max_hours:g}"
        raise NoTrialSucceeded(f"{hours}: over before a trial could finish; give more and search again")
    return best_trial(course.ledger, course.record.uid)


def _outcome(course: Course, resumed: bool) -> Outcome:
    ledger, study = course.ledger, course.record
    trials, claim = ledger.trials(study.uid), ledger.claim(study.uid)
    free = tuple(trial for trial in trials if trial.role == "baseline")
    path = course.home.study_directory(study.name) / "policy.json"
    figure = claim.figure if claim else None
    return Outcome(study.name, judge(ledger, study), free, trials, path, figure, resumed, tuple(course.notes))
