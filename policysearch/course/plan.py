"""What a study will take, told before anything long is trained: trainings, epochs and hours of each stage.

From a rehearsal before there is anything else to go by, and from the study's own trainings after. Counts what is left, so that a
study that goes on tells what is still to come. Estimates; decides nothing but how much time the search leaves to what follows it.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeAlias

from policysearch.course.course import Course
from policysearch.course.planned import ALL_ROLES
from policysearch.course.rehearsing import STEPS
from policysearch.ledger import Role, Standing
from policysearch.rungs import EarlyStopping
from policysearch.setting import Setting
from searchspaces.phrases import counted, duration
from searchspaces.policy_json import digest
from searchspaces.space import RECIPE
from trials.rehearsal import trial_seconds
from trials.values import TrialResult

LONGER = 3  # how many times the budget the long runs of the calibration have
MARGIN = 1.1  # of the time that is kept for what follows the search: it can't be had twice
BASELINES_IN_FINAL = 2
ARMS_TESTED = 2

Pace: TypeAlias = Callable[[int], float]
"""Seconds that a training of so many epochs takes."""


@dataclass(frozen=True)
class Stage:
    """What is left of a stage: the epochs of each of its trainings, and how many images they have for one of the search's.

    `asked` is False for the test where nobody has asked for it.
    """

    name: str
    epochs: tuple[int, ...]
    images: float = 1.0
    asked: bool = True

    def seconds(self, pace: Pace, at_once: int) -> float:
        """How long it takes with so many trainings at once."""
        free = [0.0] * max(1, at_once)
        for epochs in self.epochs:
            heapq.heapreplace(free, free[0] + self.images * pace(epochs))
        return max(free)


@dataclass(frozen=True)
class Plan:
    """What is left of a study: its stages, what trainings take, and how many run at once."""

    stages: tuple[Stage, ...]
    pace: Pace
    at_once: int

    def seconds(self, *names: str) -> float:
        """How long these stages take (none named: all of them), as far as they are asked for."""
        return sum(
            stage.seconds(self.pace, self.at_once) for stage in self.stages if stage.asked and (not names or stage.name in names)
        )

    @property
    def trainings(self) -> int:
        """How many are left."""
        return sum(len(stage.epochs) for stage in self.stages if stage.asked)

    @property
    def epochs(self) -> int:
        """How many they have together."""
        return sum(sum(stage.epochs) for stage in self.stages if stage.asked)

    def table(self) -> list[str]:
        """A line for each stage that has something left."""
        left = [stage for stage in self.stages if stage.epochs]
        cells = [
            (stage.name, counted(len(stage.epochs), "training"), counted(sum(stage.epochs), "epoch"), *self._length(stage))
            for stage in left
        ]
        widths = [max(len(row[column]) for row in cells) for column in range(4)] if cells else []
        return [
            f"  {name:<{widths[0]}}  {trainings:>{widths[1]}}  {epochs:>{widths[2]}}  {length:>{widths[3]}}{more}"
            for name, trainings, epochs, length, more in cells
        ]

    def _length(self, stage: Stage) -> tuple[str, str]:
        return duration(stage.seconds(self.pace, self.at_once)), "" if stage.asked else " more, with --test"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values: what was planned, for who looks later."""
        stages = [
            {
                "name": stage.name,
                "trainings": len(stage.epochs),
                "epochs": sum(stage.epochs),
                "hours": stage.seconds(self.pace, self.at_once) / 3600,
                "asked": stage.asked,
            }
            for stage in self.stages
        ]
        return {"stages": stages, "at_once": self.at_once, "seconds_an_epoch": self.pace(1)}


def plan_left(course: Course, pace: Pace) -> Plan:
    """What is left of the study, at that pace."""
    setting, study = course.setting, course.study
    over = [row for row in course.ledger.standings(course.record.uid, ALL_ROLES) if row.status is not None]
    budget, finals = setting.budget_epochs, bool(study.finalists)
    arms = min(study.finalists, course.trials) + BASELINES_IN_FINAL * (2 if _searches_recipe(course) else 1)
    searched = _searched(course, over)
    free = {digest(policy) for policy in setting.baselines.values()}
    lasting = [row for row in over if not searched or row.digest in free]  # the search may still name other finalists
    stages = (
        Stage("baselines", _left([budget] * len(setting.baselines), over, "baseline")),
        Stage("calibration", _left(_calibration(setting), over, "calibration") if study.calibrate else ()),
        Stage("search", searched),
        Stage("finalists", _left([budget] * arms * study.finalist_seeds, lasting, "finalist") if finals else ()),
        Stage("test", *_tested(course, over)),
    )
    return Plan(stages, pace, course.at_once)


def rehearsed_pace(course: Course, rehearsal: TrialResult) -> Pace:
    """What trainings take, by the rehearsal."""
    assert course.prepared is not None
    images, batch = course.prepared.counts["train"], course.setting.recipe.batch_images
    return lambda epochs: trial_seconds(rehearsal.span_seconds, STEPS, images, batch, epochs)


def measured_pace(rows: Iterable[Standing], setting: Setting) -> Pace | None:
    """What trainings take, by those of the study that are over; None before one is."""
    whole = [row for row in rows if row.status == "done" and row.seconds is not None and row.role != "rehearsal"]
    if not whole:
        return None
    an_epoch = median((row.seconds or 0.0) / max(1, setting.epochs_of(row)) for row in whole)
    return lambda epochs: epochs * an_epoch


def tell_plan(course: Course, rehearsal: TrialResult | None = None, before: Collection[str] = ()) -> None:
    """Say, once a run, what is left of the study, and what `max_hours` leaves room for; the first plan becomes a fact of it.

    Where stages are named in `before`, it is said if anything is left of those.
    """
    rows = course.ledger.standings(course.record.uid, ALL_ROLES)
    pace = measured_pace(rows, course.setting) or (None if rehearsal is None else rehearsed_pace(course, rehearsal))
    if course.plan_told or pace is None:
        return
    plan = plan_left(course, pace)
    noted = course.ledger.note_fact(course.record.uid, "plan", plan.to_dict())
    if not plan.trainings or (before and not any(stage.epochs for stage in plan.stages if stage.name in before)):
        return
    course.plan_told = True
    first = noted == plan.to_dict()
    together = f", {course.at_once} at once" if course.at_once > 1 else ""
    course.note(f"{'planned' if first else 'left of the plan'}: about {duration(plan.seconds())} of training{together}")
    for line in plan.table():
        course.note(line)
    _tell_hours(course, plan)


def reserve_seconds(course: Course) -> float:
    """What the search is to leave of the time for finalists and test; 0 where that would leave nothing to the search."""
    pace = measured_pace(course.ledger.standings(course.record.uid, ALL_ROLES), course.setting)
    if course.deadline is None or pace is None:
        return 0.0
    reserve = MARGIN * plan_left(course, pace).seconds("finalists", "test")
    return reserve if course.clock() + reserve < course.deadline else 0.0


def test_reserve_seconds(course: Course) -> float:
    """What the finalists are to leave of the time for the test, where that is asked for."""
    pace = measured_pace(course.ledger.standings(course.record.uid, ALL_ROLES), course.setting)
    return 0.0 if course.deadline is None or pace is None else MARGIN * plan_left(course, pace).seconds("test")


def time_for_test(course: Course) -> bool:
    """Whether there is time left for what the test still needs; where there isn't, the user is told."""
    needed = test_reserve_seconds(course) / MARGIN
    if course.deadline is None or course.clock() + needed <= course.deadline:
        return True
    wished = f"max_hours {course.study.max_hours:g}"
    course.note(f"{wished}: the test set stays closed, for its models need about {duration(needed)}; search again to go on")
    return False


def _tell_hours(course: Course, plan: Plan) -> None:
    if course.deadline is None:
        return
    wished, there = f"max_hours {course.study.max_hours:g}", course.deadline - course.clock()
    names = [stage.name for stage in plan.stages if stage.name != "search" and stage.asked and stage.epochs]
    others = plan.seconds(*names) if names else 0.0
    search = plan.seconds("search")
    if others + search <= there:
        return
    listed = " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
    if others >= there:
        course.note(
            f"{wished}: {listed} alone need about {duration(others)}, so this run comes to no verdict; it trains what fits,"
            " and the same command goes on from there"
        )
        return
    trials = sum(len(stage.epochs) for stage in plan.stages if stage.name == "search")
    room = int(trials * (there - others) / search)
    needed = f"{listed} need about {duration(others)}, " if names else ""
    course.note(f"{wished}: {needed}{duration(there - others)} are left for about {counted(room, 'trial')} of {trials}")


def _left(wanted: list[int], over: Iterable[Standing], *roles: Role) -> tuple[int, ...]:
    """The epochs of those of the wanted trainings that are not over."""
    done = Counter(row.budget_epochs for row in over if row.role in roles)
    return tuple((Counter(wanted) - done).elements())


def _searched(course: Course, over: list[Standing]) -> tuple[int, ...]:
    setting = course.setting
    cells = setting.space.cells()
    policies = course.trials if cells is None else min(course.trials, len(cells))
    wanted = _by_rung(setting.early_stopping, policies) + [setting.budget_epochs] * len(setting.enqueued)
    return _left(wanted, over, "trial", "enqueued")


def _calibration(setting: Setting) -> list[int]:
    """The epochs of what calibrates: two baselines longer, one again, and all that do anything by each cheaper rung."""
    budget, doing = setting.budget_epochs, sum(label != "none" for label in setting.baselines)
    return [LONGER * budget] * 2 + [budget] + [epochs for epochs in setting.early_stopping.rungs[:-1] for _ in range(doing)]


def _by_rung(stopping: EarlyStopping, policies: int) -> list[int]:
    """The epochs of the trainings that so many policies are likely to come to, as `expected_trials` counts them."""
    return [
        epochs
        for place, epochs in enumerate(stopping.rungs)
        for _ in range(max(1, policies // stopping.eta**place) if policies else 0)
    ]


def _tested(course: Course, over: list[Standing]) -> tuple[tuple[int, ...], float, bool]:
    """The epochs of the models that are to be tested, how many images they have for one of the search's, and if it is wished."""
    counts = None if course.prepared is None else course.prepared.counts
    if counts is None or course.prepared is None or course.prepared.heldout is None or course.setting.objective is not None:
        return (), 1.0, False
    if course.ledger.claim(course.record.uid) is not None:  # all models that there will be are trained
        return (), 1.0, course.test
    wanted = [course.setting.budget_epochs] * ARMS_TESTED * course.study.finalist_seeds
    images = sum(count for split, count in counts.items() if split != "test") / counts["train"]
    return _left(wanted, over, "confirmation"), images, course.test


def _searches_recipe(course: Course) -> bool:
    space = course.setting.space
    return any(name.startswith(RECIPE) for name in (*(parameter.name for parameter in space.parameters), *space.fixed))
