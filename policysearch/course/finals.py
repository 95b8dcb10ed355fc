"""The finalists: the best searched policies and the two best baselines, trained again with fresh seeds on images of their own.

With a second validation part they are scored on that; with fewer images replicate i trains and is scored on fold i of train and
validation. Where the leading searched policy trains by a recipe of its own, the baselines are trained by that one too. Selects
nothing itself: `policysearch.judging` names who is in it and who wins.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from policysearch.course.chain import Stages
from policysearch.course.course import Course
from policysearch.course.plan import plan_left, test_reserve_seconds
from policysearch.course.planned import Planned, PlannedTraining
from policysearch.judgement import shortlisted
from policysearch.judging import Arm
from searchspaces.policy_json import policy_from_dict

FEWEST_RUNS = 2  # of an arm that is to be compared: one seed has no spread


def train_finalists(course: Course) -> Stages[None]:
    """Train all finalists with all their seeds; what fails is told and left out."""
    if not course.study.finalists:
        course.note("no finalists were wished, so there is no verdict: the figures below chose the policy, and flatter it")
        return
    arms = shortlisted(course.ledger, course.record, course.study.finalists)
    if not arms:
        return
    runs = _seed_by_seed(course, [(arm, arm.overrides, "") for arm in arms])
    reserve = test_reserve_seconds(course)
    _begin(course, "finalists", runs)
    yield (source := course.planned([plan for _, plan in runs], keep_weights=True, reserve=reserve))
    if not _is_over(course, source):
        return
    leading = _leading(runs, source, min(FEWEST_RUNS, course.study.finalist_seeds))
    if leading is None or not leading.overrides:
        return
    free = [arm for arm in arms if arm.role == "baseline"]
    again = _seed_by_seed(course, [(arm, leading.overrides, f" with the recipe of {leading.label}") for arm in free])
    _begin(course, "baselines with the leader's recipe", again)
    yield (source := course.planned([plan for _, plan in again], keep_weights=True, reserve=reserve))
    _is_over(course, source)


def _begin(course: Course, stage: str, runs: Sequence[tuple[Arm, PlannedTraining]]) -> None:
    """Tell of the stage, and of the test after it: with that the study ends, and it has no other finalists than these."""
    test = [
        epochs
        for left in plan_left(course, lambda epochs: 0.0).stages
        if left.name == "test" and left.asked
        for epochs in left.epochs
    ]
    course.begin(stage, len(runs), sum(plan.epochs for _, plan in runs), test)


def _seed_by_seed(course: Course, arms: Sequence[tuple[Arm, Mapping[str, Any], str]]) -> list[tuple[Arm, PlannedTraining]]:
    """All arms with the first seed, then with the second: what is cut short is cut alike for all."""
    seeds = course.study.finalist_seeds
    return [(arm, _run(course, arm, overrides, how, seed)) for seed in range(1, seeds + 1) for arm, overrides, how in arms]


def _run(course: Course, arm: Arm, overrides: Mapping[str, Any], how: str, seed: int) -> PlannedTraining:
    return PlannedTraining(
        role="finalist",
        label=f"finalist {arm.label}{how}, seed {seed} of {course.study.finalist_seeds}",
        policy=policy_from_dict(course.ledger.trial(arm.trial_uid).spec["policy"]),
        epochs=course.setting.budget_epochs,
        params=arm.params if arm.role == "trial" else {},
        overrides=overrides,
        replicate=seed,
        split=split_of(course, seed),
    )


def split_of(course: Course, seed: int) -> str:
    """The images on which a finalist's run of that seed is trained and scored. A trainer of the user's own has but one split."""
    if course.setting.objective is not None or course.prepared is None:
        return "search"
    return "select" if course.prepared.counts.get("select") else f"fold-{seed}"


def _is_over(course: Course, source: Planned) -> bool:
    if not source.stopped:
        return True
    course.stopped = "time"
    hours = f"max_hours ({course.study.max_hours:g})"
    course.note(f"the finalists were stopped by {hours}, so there is no verdict yet; search again to go on")
    return False


def _leading(runs: Sequence[tuple[Arm, PlannedTraining]], source: Planned, fewest: int) -> Arm | None:
    """The searched finalist with the lowest mean error over its runs, of at least `fewest`; of equal ones the first."""
    errors: dict[str, list[float]] = {}
    arms = {arm.key: arm for arm, _ in runs if arm.role != "baseline"}
    for (arm, _), record in zip(runs, source.records(), strict=True):
        score = record.result.score if record is not None and record.result is not None else None
        if arm.key in arms and score is not None:
            errors.setdefault(arm.key, []).append(score.wrong / score.total)
    means = {key: fmean(found) for key, found in errors.items() if len(found) >= fewest}
    return arms[min(means, key=means.__getitem__)] if means else None
