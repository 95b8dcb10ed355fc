"""The free baselines, and whether the budget is long enough to tell policies apart at all.

Which policy wins depends on how long one trains. So the plain baseline and a strong one train three times as long too, and the
plain one with a second seed: where their order or gap moves by more than can be resolved, the study says that its budget is too
short and stops, unless it was told to go on with any. `policysearch.judging` has the rule.
"""

from policysearch.course.chain import Stages
from policysearch.course.course import Course
from policysearch.course.plan import LONGER
from policysearch.course.planned import PlannedTraining
from policysearch.judgement import calibration
from policysearch.setting import Setting
from searchspaces.phrases import counted

NOTHING, STRONG = "none", "trivialaugment-wide"
ANY_BUDGET = "any_budget"


def train_plainest(course: Course) -> Stages[None]:
    """The plainest baseline alone, and its weights kept: what keeps labels is looked at before anything else is trained."""
    label, policy = next(iter(course.setting.baselines.items()))
    course.begin("the plainest baseline", 1)
    yield (source := course.planned([course.baseline(label, policy)], keep_weights=True))
    course.stopped = "time" if source.stopped else None


def train_baselines(course: Course) -> Stages[None]:
    """All baselines not trained yet, and what the calibration wants. Weights are kept until the search knows the best one."""
    setting, wishes = course.setting, course.study
    plans = [course.baseline(label, policy) for label, policy in setting.baselines.items()][course.plainest_first :]
    more = [*longer_and_again(course), *at_rungs(course)] if wishes.calibrate else []
    course.begin("baselines and calibration" if more else "baselines", len(plans) + len(more))
    yield (source := course.planned([*plans, *more], keep_weights=True))
    course.stopped = "time" if source.stopped else None
    for trial in course.trained("calibration"):
        course.weights.drop(trial.trial_uid)


def longer_and_again(course: Course) -> list[PlannedTraining]:
    """The trainings of the calibration, which no search is told of."""
    setting = course.setting
    plain = plain_baseline(setting)
    # A trainer of the user's own has one split, so that a finalist's first seed would be this very training.
    second = 1 if setting.objective is None else 1 + course.study.finalist_seeds
    return [
        *(
            course.baseline(f"{label}, {LONGER}x the epochs", setting.baselines[label], role="calibration", epochs=epochs)
            for label in (plain, strong_baseline(setting))
            for epochs in (LONGER * setting.budget_epochs,)
        ),
        course.baseline(f"{plain}, second seed", setting.baselines[plain], role="calibration", replicate=second),
    ]


def at_rungs(course: Course) -> list[PlannedTraining]:
    """The baselines by each cheaper rung of early stopping: what orders them is known of policies that nothing has chosen."""
    stopping = course.setting.early_stopping
    return [
        course.baseline(f"{label}, {stopping.in_words(epochs)}", policy, role="calibration", epochs=epochs)
        for epochs in stopping.rungs[:-1]
        for label, policy in course.setting.baselines.items()
        if label != NOTHING
    ]


def plain_baseline(setting: Setting) -> str:
    """The base alone; "none" where a study's base does nothing."""
    return next((label for label, policy in setting.baselines.items() if policy.base.ops and not policy.ops), NOTHING)


def strong_baseline(setting: Setting) -> str:
    """TrivialAugment's label, which may say that it is cut to what the study allows."""
    return next(label for label in setting.baselines if label.startswith(STRONG))


def judge_budget(course: Course) -> None:
    """Say what the calibration came to; `course.stopped` is "budget" where the study ends by it."""
    if not course.study.calibrate:
        return
    found = calibration(course.ledger, course.record)
    if found is None:
        course.note("the budget could not be calibrated: a training it rests on failed")
        return
    course.note(found.sentence)
    if found.enough:
        return
    if course.study.any_budget or course.ledger.facts(course.record.uid).get(ANY_BUDGET):
        course.ledger.note_fact(course.record.uid, ANY_BUDGET, True)
        course.note("going on all the same, as was wished: the verdict will say so")
        return
    course.stopped = "budget"
    course.note(
        f"no policy is recommended: search with --epochs {found.proposed_epochs}, or with --any-budget to go on with"
        f" {counted(course.setting.budget_epochs, 'epoch')}"
    )
