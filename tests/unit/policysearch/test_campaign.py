"""The campaign: the order of tasks, what an interrupted search leaves, which weights stay, when it stops."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from search_fixture import FREE, Study

from policysearch.drivers import LATER, Event, Later, Task
from policysearch.selection import winner
from searchspaces.policy import Base, Policy
from trials.values import Counts, DataRef, TrialResult, TrialSpec


def take(asked: Task | Later | None) -> Task:
    assert isinstance(asked, Task)
    return asked


def labels(study: Study) -> list[str]:
    return [trial.label for trial in study.ledger.trials(study.study.uid)]


def kept(study: Study) -> set[str]:
    return {file.stem for file in study.weights_folder.iterdir()}


def test_baselines_come_first_and_trials_are_in_the_ledger_before_they_are_given_out(tmp_path: Path) -> None:
    study = Study(tmp_path)
    campaign = study.campaign(2)
    for expected in ("none", "flip+crop", "trivialaugment-wide", "randaugment(2,9)", "uniformaugment"):
        task = take(campaign.next_task())
        assert study.ledger.trial(task.trial_uid).label == expected
    assert study.ledger.trial(take(campaign.next_task()).trial_uid).role == "trial"
    take(campaign.next_task())
    assert campaign.next_task() is None and campaign.next_task() is None
    assert campaign.stopped is None
    assert [trial.number for trial in study.ledger.trials(study.study.uid)] == list(range(FREE + 2))


def enqueue(study: Study, **policies: Policy) -> None:
    study.setting = replace(study.setting, enqueued=policies)


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
def test_enqueued_policies_come_after_the_baselines_and_samplers_do_not_see_them(tmp_path: Path, sampler: str) -> None:
    study, plain = Study(tmp_path / "with"), Study(tmp_path / "without")
    cell = {"ops": 2, "level": 15}
    enqueue(study, first=Policy(Base(hflip=0.25)), second=study.setting.space.decode(cell))
    assert study.run(study.campaign(3, sampler)) == FREE + 5
    trials = study.ledger.trials(study.study.uid)
    assert [(trial.role, trial.label) for trial in trials[FREE : FREE + 2]] == [("enqueued", "first"), ("enqueued", "second")]
    assert [trial.role for trial in trials[FREE + 2 :]] == ["trial"] * 3
    assert cell not in [trial.params for trial in trials[FREE + 2 :]], "no policy is run twice"
    assert plain.run(plain.campaign(3, sampler)) == FREE + 3


def test_an_enqueued_policy_is_run_once_whatever_it_was_called_before(tmp_path: Path) -> None:
    study = Study(tmp_path)
    assert study.run(study.campaign(2)) == FREE + 2
    searched = study.ledger.trials(study.study.uid)[FREE]
    policies = {"again": study.setting.space.decode(searched.params), "new": Policy(Base(hflip=1))}
    enqueue(study, **policies, baseline=study.setting.baselines["flip+crop"])
    assert study.run(study.campaign(2)) == 1
    enqueue(study, other=policies["new"])
    assert study.run(study.campaign(2)) == 0
    assert labels(study)[-1] == "new"


def test_an_enqueued_policy_that_was_left_is_finished_even_when_not_asked_for_again(tmp_path: Path) -> None:
    study = Study(tmp_path)
    enqueue(study, mine=Policy(Base(hflip=0.25)))
    first = study.campaign(1)
    tasks = [take(first.next_task()) for _ in range(FREE + 1)]
    for task in tasks[:FREE]:
        study.finish(first, task, 40)
    enqueue(study)
    again = study.campaign(1)
    assert take(again.next_task()).trial_uid == tasks[FREE].trial_uid
    assert study.ledger.trial(take(again.next_task()).trial_uid).role == "trial"
    assert again.next_task() is None


def test_an_enqueued_policy_may_win(tmp_path: Path) -> None:
    study = Study(tmp_path)
    enqueue(study, mine=Policy(Base(hflip=0.25)))
    study.run(study.campaign(2), wrong=lambda number: 10 if number == FREE else 50)
    assert winner(study.ledger.trials(study.study.uid)).label == "mine"


def test_a_task_is_the_whole_trial(tmp_path: Path) -> None:
    study = Study(tmp_path)
    task = take(study.campaign(1).next_task())
    spec = TrialSpec.from_dict(task.spec)
    assert spec.data == study.setting.data and spec.seed == 3 and spec.budget_epochs == 1 and spec.recipe == study.setting.recipe
    assert Task(**json.loads(json.dumps(task.to_dict()))) == task
    assert task.ledger_url == study.ledger.url


def test_another_search_finishes_what_was_left_first_and_repeats_nothing(tmp_path: Path) -> None:
    study = Study(tmp_path)
    first = study.campaign(4)
    tasks = [take(first.next_task()) for _ in range(FREE + 2)]
    for task in tasks[1 : FREE + 1]:
        study.finish(first, task, 40)
    again = study.campaign(4)
    left = [take(again.next_task()).trial_uid for _ in range(4)]
    assert left[:2] == [tasks[0].trial_uid, tasks[-1].trial_uid]
    assert again.next_task() is None
    assert len(labels(study)) == FREE + 4 and len(set(left)) == 4


def test_a_finished_study_has_no_task_left(tmp_path: Path) -> None:
    study = Study(tmp_path)
    assert study.run(study.campaign(3)) == FREE + 3
    assert study.run(study.campaign(3)) == 0
    assert study.run(study.campaign(5)) == 2


def test_fewer_trials_than_were_planned_leave_the_rest_alone(tmp_path: Path) -> None:
    study = Study(tmp_path)
    first = study.campaign(6)
    tasks = [take(first.next_task()) for _ in range(FREE + 6)]
    for task in tasks[: FREE + 2]:  # the baselines and two searched ones
        study.finish(first, task, 40)
    assert study.run(study.campaign(3)) == 1


def test_failed_trials_count_and_are_told_with_their_reason(tmp_path: Path) -> None:
    study = Study(tmp_path)
    campaign = study.campaign(1)
    task = take(campaign.next_task())
    study.ledger.commit_result(TrialResult(task.trial_uid, "failed", error="loss is nan"))
    campaign.finished(task.trial_uid)
    assert study.events == [Event("failed", task.trial_uid, text="loss is nan", label="none", budget_epochs=1, role="baseline")]
    again = study.campaign(1)
    study.events.clear()
    again.tell_finished()
    assert study.events == [Event("failed", task.trial_uid, text="loss is nan", label="none", budget_epochs=1, role="baseline")]
    assert study.run(campaign) == FREE
    assert study.run(study.campaign(1)) == 0


def test_only_the_best_weights_stay(tmp_path: Path) -> None:
    study = Study(tmp_path)
    errors = [60, 40, 50, 45, 30, 35]
    campaign = study.campaign(3)
    for number, wrong in enumerate(errors):
        study.finish(campaign, take(campaign.next_task()), wrong)
        best = winner(study.ledger.trials(study.study.uid))
        assert best.number == errors.index(min(errors[: number + 1]))
        assert kept(study) == {best.trial_uid}


def test_equal_errors_are_decided_by_log_loss_then_by_number(tmp_path: Path) -> None:
    study = Study(tmp_path)
    campaign = study.campaign(3)
    for log_loss in (31.0, 30.0, 30.0, 32.0, 30.5, 30.0):
        study.finish(campaign, take(campaign.next_task()), 40, log_loss_sum=log_loss)
    assert winner(study.ledger.trials(study.study.uid)).number == 1
    assert kept(study) == {study.ledger.trials(study.study.uid)[1].trial_uid}


def test_what_a_killed_search_left_is_swept_away(tmp_path: Path) -> None:
    study = Study(tmp_path)
    campaign = study.campaign(1)
    tasks = [take(campaign.next_task()) for _ in range(4)]
    for task, wrong in zip(tasks[:3], (60, 40, 50), strict=True):
        study.finish(campaign, task, wrong)
    Path(tasks[0].weights_path).write_bytes(b"not yet deleted when the search was killed")
    Path(tasks[3].weights_path).write_bytes(b"renamed, but the result was never committed")
    (study.weights_folder / ".x.pt.abc").write_bytes(b"half written")
    study.campaign(1)
    assert kept(study) == {tasks[1].trial_uid}


def test_weights_that_a_look_at_the_test_set_claimed_stay(tmp_path: Path) -> None:
    study = Study(tmp_path)
    campaign = study.campaign(0)
    claimed = take(campaign.next_task())
    study.finish(campaign, claimed, 50)
    again = study.campaign(0, keep=[claimed.trial_uid])
    better = take(again.next_task())
    study.finish(again, better, 20)
    study.finish(again, take(again.next_task()), 30)
    assert kept(study) == {claimed.trial_uid, better.trial_uid}


@pytest.mark.parametrize(("left_seconds", "starts"), [(9.0, False), (11.0, True)])
def test_no_trial_starts_that_cannot_end_in_time(tmp_path: Path, left_seconds: float, starts: bool) -> None:
    study = Study(tmp_path)
    now = [1000.0]
    campaign = study.campaign(5, deadline=2000.0, clock=lambda: now[0])
    for seconds in (1.0, 10.0, 100.0):
        study.finish(campaign, take(campaign.next_task()), 40, seconds=seconds)
    now[0] = 2000.0 - left_seconds
    assert (campaign.next_task() is not None) == starts
    assert campaign.stopped == (None if starts else "time")


@pytest.mark.parametrize(("left_seconds", "answer"), [(9.0, None), (15.0, LATER), (21.0, "a task")])
def test_a_task_asked_for_ahead_begins_when_the_one_before_is_over(tmp_path: Path, left_seconds: float, answer: object) -> None:
    """A driver has its next task ready: it would take ten seconds more, after the ten of the one that has just begun."""
    study, now = Study(tmp_path), [1000.0]
    campaign = study.campaign(5, deadline=2000.0, clock=lambda: now[0])
    study.finish(campaign, take(campaign.next_task()), 40, seconds=10.0)
    running = take(campaign.next_task())
    now[0] = 2000.0 - left_seconds
    campaign.started(running.trial_uid)
    asked = campaign.next_task()
    assert ("a task" if isinstance(asked, Task) else asked) == answer
    assert campaign.stopped == (None if answer else "time")
    if answer is LATER:
        now[0] += 4  # it was quicker than expected
        study.finish(campaign, running, 40, started=True, seconds=10.0)
        assert isinstance(campaign.next_task(), Task)


def test_what_was_given_out_and_has_not_begun_takes_its_time_too(tmp_path: Path) -> None:
    study, now = Study(tmp_path), [1000.0]
    campaign = study.campaign(9, deadline=2000.0, clock=lambda: now[0])
    for _ in range(3):
        study.finish(campaign, take(campaign.next_task()), 40, seconds=10.0)
    first, second = (take(campaign.next_task()) for _ in range(2))
    campaign.started(first.trial_uid)
    campaign.started(second.trial_uid)  # so there are two workers
    now[0] = 1975.0
    study.finish(campaign, first, 40, started=True, seconds=10.0)
    study.finish(campaign, second, 40, started=True, seconds=10.0)
    begun = [take(campaign.next_task()) for _ in range(4)]
    assert campaign.next_task() is LATER, "two begin at once, two ten seconds later, and the fifth would end in thirty"
    assert len(begun) == 4


def test_short_trainings_are_given_out_where_long_ones_would_be_late(tmp_path: Path) -> None:
    study, now = Study(tmp_path), [1000.0]
    study.setting = replace(study.setting, budget_epochs=9, rungs=(1, 3, 9))
    campaign = study.campaign(9, deadline=2000.0, clock=lambda: now[0])
    for _ in range(FREE - 1):
        study.finish(campaign, take(campaign.next_task()), 40, seconds=90.0)
    now[0] = 1985.0
    assert campaign.next_task() is None and campaign.stopped == "time", "the last baseline takes ninety seconds"
    now[0] = 1000.0
    study.finish(campaign, take(campaign.next_task()), 40, seconds=90.0)
    now[0] = 1985.0
    task = take(campaign.next_task())
    assert task.spec["budget_epochs"] == 1
    study.finish(campaign, task, 40, seconds=10.0)
    now[0] = 1991.0
    assert campaign.next_task() is None and campaign.stopped == "time"


def test_a_resumed_search_knows_how_long_trials_take(tmp_path: Path) -> None:
    study = Study(tmp_path)
    first = study.campaign(5)
    study.finish(first, take(first.next_task()), 40, seconds=100.0)
    assert study.campaign(5, deadline=99.0, clock=lambda: 0.0).next_task() is None
    assert study.campaign(5, deadline=101.0, clock=lambda: 0.0).next_task() is not None


def test_before_any_trial_is_over_only_the_deadline_itself_counts(tmp_path: Path) -> None:
    study = Study(tmp_path)
    assert study.campaign(1, deadline=10.0, clock=lambda: 9.0).next_task() is not None
    assert study.campaign(1, deadline=10.0, clock=lambda: 10.5).next_task() is None


def test_prepared_data_may_have_moved_since_a_trial_was_planned(tmp_path: Path) -> None:
    study = Study(tmp_path)
    take(study.campaign(1).next_task())
    study.setting = replace(study.setting, data=DataRef(str(tmp_path / "elsewhere"), "0" * 64))
    assert take(study.campaign(1).next_task()).spec["data"]["directory"] == str(tmp_path / "elsewhere")


def test_the_listener_hears_what_was_finished_before(tmp_path: Path) -> None:
    study = Study(tmp_path)
    study.run(study.campaign(1), wrong=lambda number: 40 + number)
    study.events.clear()
    study.campaign(1).tell_finished()
    assert [(event.kind, event.wrong, event.total, event.label) for event in study.events[:2]] == [
        ("finished", 40, 100, "none"),
        ("finished", 41, 100, "flip+crop"),
    ]
    assert len(study.events) == FREE + 1


def test_scores_that_are_counts_alone_have_no_log_loss_and_ties_go_to_the_earlier(tmp_path: Path) -> None:
    study = Study(tmp_path)
    campaign = study.campaign(2)
    for wrong in (30, 20, 20, 40, 20):
        task = take(campaign.next_task())
        campaign.started(task.trial_uid)
        study.ledger.start_attempt(task.trial_uid)
        study.ledger.commit_result(TrialResult(task.trial_uid, "done", score=Counts(wrong, 100)))
        campaign.finished(task.trial_uid)
    assert winner(study.ledger.trials(study.study.uid)).number == 1
    study.events.clear()
    study.campaign(2).tell_finished()
    assert [event.wrong for event in study.events] == [30, 20, 20, 40, 20]


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_the_same_search_again_tries_the_same_policies(tmp_path: Path, sampler: str, ahead: bool) -> None:
    runs = []
    for name in ("one", "two"):
        study = Study(tmp_path / name, "photometric")
        study.run(study.campaign(14, sampler), lambda number: 20 + 37 * number % 61, ahead)
        runs.append([trial.params for trial in study.ledger.trials(study.study.uid)])
    assert runs[0] == runs[1] and len(runs[0]) == FREE + 14


def counting(plain: Callable[..., Any], name: str, calls: list[str]) -> Callable[..., Any]:
    def counted(*given: Any) -> Any:
        calls.append(name)
        return plain(*given)

    return counted


def test_planning_costs_the_same_however_many_trials_there_were(tmp_path: Path) -> None:
    """Counted, not timed: what a task costs in calls to the ledger does not grow, nor does it read all trials again."""
    study = Study(tmp_path, "photometric")
    study.run(study.campaign(20))
    campaign, calls = study.campaign(30), list[str]()
    for name in ("trials", "standings", "trial", "result", "add_trial"):
        plain = getattr(study.ledger, name)
        setattr(study.ledger, name, counting(plain, name, calls))
    task = take(campaign.next_task())
    study.ledger.commit_result(TrialResult(task.trial_uid, "failed", error="made to fail"))
    campaign.finished(task.trial_uid)
    assert "trials" not in calls and "standings" not in calls
    assert len(calls) <= 5
