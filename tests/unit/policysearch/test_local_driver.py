"""What the local driver makes of its source's answers and of its workers', with objectives that take no time."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from poisoned_trainer import poisoned
from search_fixture import command_of

from policysearch.drivers import LATER, Event, Later, Task
from policysearch.drivers.local import LocalDriver, visible_gpus
from policysearch.ledger import Ledger, sqlite_url
from policysearch.packing import pack
from trials.values import Counts, TrialResult


@dataclass
class Source:
    """Answers that were fixed beforehand, in order; LATER as often as is asked until a trial is over."""

    ledger: Ledger
    answers: list[Task | Later]
    happened: list[str] = field(default_factory=list)

    def next_task(self) -> Task | Later | None:
        if not self.answers:
            return None
        if self.answers[0] is LATER:
            return LATER
        task = self.answers.pop(0)
        assert isinstance(task, Task)
        self.happened.append(f"asked {task.trial_uid}")
        return task

    def started(self, trial_uid: str) -> None:
        self.happened.append(f"started {trial_uid}")

    def finished(self, trial_uid: str) -> None:
        assert self.ledger.result(trial_uid) is not None
        self.happened.append(f"finished {trial_uid}")
        if self.answers and self.answers[0] is LATER:
            self.answers.pop(0)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.open(sqlite_url(tmp_path / "ledger.sqlite"))


def tasks(ledger: Ledger, count: int, limit_seconds: float | None = None) -> list[Task]:
    """Tasks named a, b, c, ..., in the ledger."""
    study, made = ledger.create_study("pretended", {}), []
    for number in range(count):
        uid = chr(ord("a") + number)
        spec: dict[str, Any] = {"trial_uid": uid, "params": {}, "seed": 1, "budget_epochs": 1, "data": None, "policy": {}}
        ledger.add_trial(study.uid, number, "trial", uid, {}, uid, "", spec)
        made.append(
            Task(spec, ledger.url, str(Path(ledger.url.removeprefix("sqlite:///")).parent / "weights" / uid), limit_seconds)
        )
    return made


def quick(context: Any) -> tuple[int, int]:
    """A trial of no length."""
    context.report(1, 3, 10)
    return 3, 10


def run(
    source: Source, fn: Callable[..., Any] = quick, workers: int = 1, hear: Callable[[Event], None] | None = None
) -> list[Event]:
    """Run the source to its end; what the listener heard."""
    events: list[Event] = []

    def listen(event: Event) -> None:
        events.append(event)
        if hear is not None:
            hear(event)

    LocalDriver(workers, objective=pack(fn)).run(source, listen)
    return events


def test_the_next_task_is_ready_before_the_trial_under_way_is_over(ledger: Ledger) -> None:
    source = Source(ledger, list(tasks(ledger, 3)))
    run(source)
    happened = source.happened
    assert happened.index("asked b") < happened.index("finished a") < happened.index("started b")
    assert happened.index("asked c") < happened.index("finished b")
    assert [line for line in happened if line.startswith("finished")] == ["finished a", "finished b", "finished c"]


def test_a_worker_waits_where_the_next_task_depends_on_a_trial_under_way(ledger: Ledger) -> None:
    first, second, third = tasks(ledger, 3)
    source = Source(ledger, [first, LATER, second, third])
    run(source, workers=2)
    assert source.happened.index("finished a") < source.happened.index("asked b")
    assert all(ledger.result(uid) is not None for uid in "abc")


def test_a_source_that_waits_for_nothing_is_a_defect_and_not_waited_for(ledger: Ledger) -> None:
    with pytest.raises(RuntimeError, match="waits for a trial"):
        run(Source(ledger, [LATER]))


def test_no_worker_is_started_where_there_is_nothing_to_do(ledger: Ledger) -> None:
    assert run(Source(ledger, [])) == []


def test_a_trial_that_another_worker_has_taken_over_is_waited_for(ledger: Ledger) -> None:
    """Its own result comes late; the one of the last attempt counts, and ends the trial."""
    source = Source(ledger, list(tasks(ledger, 2)))
    theirs = TrialResult("a", "done", score=Counts(7, 10))
    fences: list[int] = []

    def hear(event: Event) -> None:
        if event.kind == "epoch" and event.trial_uid == "a" and not fences:
            fences.append(ledger.start_attempt("a", "another:1"))
        if event.kind == "epoch" and event.trial_uid == "b":
            ledger.commit_result(theirs, fences[0])

    def slow(context: Any) -> tuple[int, int]:
        context.report(1, 3, 10)
        time.sleep(0.5)
        return 3, 10

    run(source, slow, hear=hear)
    assert ledger.result("a") == theirs
    assert [late.trial_uid for late in ledger.late_results(ledger.studies()[0].uid)] == ["a"]
    assert source.happened[-1] == "finished a" and "finished b" in source.happened


def test_a_worker_that_was_killed_after_its_commit_costs_no_second_attempt(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLICYSEARCH_FAILPOINT", "after_commit=kill")
    source = Source(ledger, list(tasks(ledger, 2)))
    events = run(source)
    assert [ledger.trial(uid).attempts for uid in "ab"] == [1, 1]
    assert [event for event in events if event.kind == "note"] == []
    assert [line for line in source.happened if line.startswith("started")] == ["started a", "started b"]


def _hang(context: Any, flag: str) -> tuple[int, int]:
    import time
    from pathlib import Path

    if not Path(flag).exists():
        Path(flag).touch()
        time.sleep(600)
    return 3, 10


def test_a_trial_beyond_its_limit_is_tried_again(ledger: Ledger, tmp_path: Path) -> None:
    source = Source(
        ledger, list(tasks(ledger, 1, limit_seconds=3.0))
    )  # the second try has to end within it on a busy machine too
    events = run(source, partial(_hang, flag=str(tmp_path / "hung")))
    notes = [event.text for event in events if event.kind == "note"]
    assert len(notes) == 1 and "longer than the 3 s that a trial may take" in notes[0]
    assert ledger.result("a") is not None and ledger.trial("a").attempts == 2


def test_what_has_become_usual_is_the_limit_of_tasks_given_out_before_anybody_knew(ledger: Ledger, tmp_path: Path) -> None:
    """Ten times the slowest that succeeded, for as many epochs; what failed at once says nothing."""
    from policysearch.drivers.patience import Patience

    task, limited = tasks(ledger, 1)[0], tasks(ledger, 1, limit_seconds=7.0)[0]
    assert Patience().limit(task) is None
    patience = Patience(slowest_epoch_seconds=60.0)
    assert patience.limit(task) == 600.0
    assert patience.limit(replace(task, spec={**task.spec, "budget_epochs": 3})) == 1800.0
    assert patience.limit(limited) == 7.0


def test_what_the_listener_raises_ends_the_workers(ledger: Ledger) -> None:
    def interrupt(event: Event) -> None:
        if event.kind == "epoch":
            os.kill(os.getpid(), signal.SIGINT)

    def endless(context: Any) -> tuple[int, int]:
        context.report(1, 3, 10)
        time.sleep(600)
        return 3, 10

    with pytest.raises(KeyboardInterrupt):
        run(Source(ledger, list(tasks(ledger, 1))), endless, hear=interrupt)
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    assert not any(b"drivers.worker" in command_of(int(pid)) for pid in children)


def test_an_objective_that_can_not_be_had_ends_the_search_with_its_reason(ledger: Ledger) -> None:
    from searchspaces.errors import PolicysearchError

    driver = LocalDriver(1, objective="not a packed function")
    with pytest.raises(PolicysearchError, match="can't start"):
        driver.run(Source(ledger, list(tasks(ledger, 1))), lambda event: None)


def test_a_gpu_that_fails_ends_that_trial_alone_and_the_next_runs_in_a_new_process(ledger: Ledger, tmp_path: Path) -> None:
    source = Source(ledger, list(tasks(ledger, 3)))
    events = run(source, partial(poisoned, notes=str(tmp_path / "pids")))
    results = [ledger.result(uid) for uid in "abc"]
    assert [result.status for result in results if result] == ["failed", "done", "done"]
    assert results[0] is not None and "CUDA error: device-side assert triggered" in (results[0].error or "")
    assert [ledger.trial(uid).attempts for uid in "abc"] == [1, 1, 1]
    first, second, third = (tmp_path / "pids").read_text().split()
    assert first != second == third
    assert [event.text for event in events if event.kind == "note"] == [
        "a GPU failed in a trial; what comes next there runs in a new process"
    ]
    assert source.happened[-1] == "finished c"


def _seen(context: Any, folder: str) -> tuple[int, int]:
    """Which GPUs the trial may use, while the others run; and what its process was told of memory."""
    import os
    import time
    from pathlib import Path

    told = [os.environ[name] for name in ("CUDA_VISIBLE_DEVICES", "MALLOC_TRIM_THRESHOLD_")]
    (Path(folder) / f"{context.directory.name}").write_text(" ".join(told))
    while len(list(Path(folder).iterdir())) < 4:
        time.sleep(0.02)
    return 3, 10


def test_workers_share_out_the_gpus_that_are_visible_in_turn_and_keep_memory(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-5,3")
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    (tmp_path / "seen").mkdir()
    driver = LocalDriver(4, visible_gpus(), pack(partial(_seen, folder=str(tmp_path / "seen"))))
    driver.run(Source(ledger, list(tasks(ledger, 4))), lambda event: None)
    assert sorted(file.read_text() for file in (tmp_path / "seen").iterdir()) == [
        f"{gpu} {256 * 1024**2}" for gpu in ("3", "3", "GPU-5", "GPU-5")
    ]


def test_trials_over_several_gpus_get_groups_of_them() -> None:
    from policysearch.wished import in_groups

    assert in_groups(("0", "1", "GPU-2", "3", "4"), 2) == ("0,1", "GPU-2,3")
    assert in_groups(("0", "1"), 1) == ("0", "1") and in_groups(("0",), 2) == ()
