"""The search itself: policies suggested, trained and compared, in the time that finalists and test leave to it."""

from policysearch.campaign import Campaign
from policysearch.course.chain import Stages
from policysearch.course.course import Course
from policysearch.course.plan import reserve_seconds
from policysearch.enqueued import count_in
from policysearch.rung_orders import rung_orders
from policysearch.rungs import expected_trials
from policysearch.samplers import make_sampler
from policysearch.selection import short_trials
from policysearch.setting import Setting
from searchspaces.spaces import few_trials_note


def search_policies(course: Course) -> Stages[None]:
    """Run the campaign; where time or the space end it before all trials are run, the user is told."""
    setting, study = course.setting, course.study
    sampler = make_sampler(study.sampler, setting.space, study.seed, setting.recipe)
    for note in (*sampler.notes, *few_and_short(setting, course.trials)):
        course.note(note)
    deadline = None if course.deadline is None else course.deadline - reserve_seconds(course)
    campaign = Campaign(
        *(course.ledger, course.record, setting, sampler, course.weights, course.trials, course.listener),
        *(deadline, course.keep | course.finalists, course.clock),
    )
    enqueued = count_in(course.ledger.standings(course.record.uid), setting.enqueued)
    course.begin("search", enqueued + expected_trials(setting.early_stopping, course.trials))
    campaign.tell_finished(besides=["baseline"])
    yield campaign
    for note in (*_ending(course, campaign.stopped), *_stopped_early(course)):
        course.notes.append(note)


def few_and_short(setting: Setting, trials: int) -> tuple[str, ...]:
    """What is to be said of so many trials in such a space, and of the epochs they may train for."""
    few, (*shorter, full) = few_trials_note(setting.space, trials), setting.early_stopping.rungs
    rungs = (
        f"early stopping: each policy trains for {', '.join(map(str, shorter))} epochs first, each time from the start; the best"
    )
    if setting.by != "epochs":
        parts = " and ".join(setting.early_stopping.in_words(epochs) for epochs in shorter)
        rungs = f"early stopping: each policy trains {full} epochs on {parts} first, each time from the start; the best"
    whole = f"{full} epochs" if setting.by == "epochs" else "the whole"
    rungs += f" 1 in {setting.eta} go on, at last to {whole}, and only those can win"
    return (*((few,) if few else ()), *((rungs,) if shorter else ()))


def _ending(course: Course, stopped: str | None) -> tuple[str, ...]:
    if stopped == "space":
        return (f"the space has no other policy: {course.trials} were asked for, and all there are were tried",)
    if stopped == "time":
        hours = f"max_hours ({course.study.max_hours:g})"
        return (f"the search was stopped by {hours}: another trial would not have ended in time; search again to go on",)
    return ()


def _stopped_early(course: Course) -> tuple[str, ...]:
    """How many policies didn't get all epochs, if any."""
    stopped = sum(how == "stopped" for how in short_trials(course.ledger.standings(course.record.uid)).values())
    told = (f"early stopping: policies that were stopped before they had all epochs: {stopped}",) if stopped else ()
    return (*told, *(f"early stopping: {rung.sentence}" for rung in rung_orders(course.ledger, course.record)))
