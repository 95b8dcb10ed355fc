"""The rehearsal: a few steps of the policy that costs most, before anything is trained.

It tells how long the study will take, and finds out in seconds what a long training would fail of: too little memory, above all.
Refuses to begin a study whose rehearsal fails; the same command tries it again.
"""

from policysearch.course.chain import Stages
from policysearch.course.course import Course
from policysearch.course.planned import PlannedTraining
from policysearch.setting import Setting
from searchspaces.errors import NoTrialSucceeded
from searchspaces.policy import Policy
from searchspaces.views import SEARCHED, views_count, views_met
from trials.values import TrialResult

STEPS = 20


def rehearse(course: Course) -> Stages[TrialResult | None]:
    """Rehearse unless an earlier run has; the rehearsal's result. None for a user's own trainer, which can't be stopped."""
    if course.setting.objective is not None:
        return None
    before = course.trained("rehearsal")
    done = [trial.result for trial in before if trial.result is not None and trial.result.status == "done"]
    if done:
        return done[-1]
    plan = _plan(course.setting, attempt=len(before))
    course.begin("rehearsal", 1)
    yield (source := course.planned([plan]))
    (record,) = source.records()
    result = None if record is None else record.result
    if result is not None and result.status == "failed":
        raise NoTrialSucceeded(f"rehearsal: {STEPS} steps of {plan.words} failed: {result.error}; then search again")
    return result


def _plan(setting: Setting, attempt: int) -> PlannedTraining:
    """A rehearsal that failed is no result of the study: it is tried again as another replicate."""
    end = {parameter.name: parameter.ends[1] for parameter in setting.space.parameters}
    if SEARCHED in end:  # choices have no order: what is timed are those that cost most
        end[SEARCHED] = max(views_met(setting.space, setting.recipe.views).split(","), key=views_count)
    upper, overrides = setting.space.decode(end), setting.overrides(end)
    policy, where = upper, f"the upper end of {setting.space.name}"
    for label, baseline in setting.baselines.items():
        if _steps(baseline) > _steps(policy):
            policy, where = baseline, label
    return PlannedTraining(
        role="rehearsal",
        label=f"rehearsal, {STEPS} steps",
        policy=policy,
        epochs=1,
        params=setting.space.check(end) if policy is upper else {},
        overrides=overrides,
        replicate=attempt,
        budget_steps=STEPS,
        words=where,
    )


def _steps(policy: Policy) -> int:
    return max((len(branch.steps) for branch in policy.branches), default=0)
