"""What the Ray driver makes of Tune's questions and news; without Ray, on a real ledger."""

from collections.abc import Callable
from pathlib import Path

import pytest
from ray_fixture import ImaginedTasks

from policysearch.drivers import LATER, Event, Later, Task
from policysearch.drivers.execution import ledger_at
from policysearch.drivers.ray_conversation import (
    LAPSE_PATIENCE_SECONDS,
    NODES_PER_TRIAL,
    REFUSALS,
    ROUND_SECONDS,
    TRIES,
    Conversation,
)
from policysearch.ledger import Ledger, sqlite_url
from searchspaces.errors import PolicysearchError
from trials.values import Counts, TrialResult


class Tasks(ImaginedTasks):
    """Says in `log` what it was told and asked, in order; LATER in the place of tasks in `withheld`."""

    log: list[str]
    withheld: int = 0

    def next_task(self) -> Task | Later | None:  # type: ignore[override]
        if self.withheld:
            self.withheld -= 1
            return LATER
        return super().next_task()

    def finished(self, trial_uid: str) -> None:
        self.log.append(f"finished {trial_uid[-1]}")
        super().finished(trial_uid)


class Scene:
    """A conversation over so many tasks, with Tune's part and the workers' played by hand."""

    def __init__(self, directory: Path, count: int, at_once: int = 1) -> None:
        ledger_at.cache_clear()
        self.ledger = Ledger.open(sqlite_url(directory / "ledger.sqlite"))
        self.source = Tasks(self.ledger, count)
        self.source.log = []
        self.now = 0.0
        self.events: list[Event] = []
        first = self.source.next_task()
        assert isinstance(first, Task)
        self.talk = Conversation(first, self.source, self.events.append, at_once, clock=lambda: self.now)

    def begin(self, trial_id: str) -> str:
        config = self.talk.next_config(trial_id)
        assert isinstance(config, dict)
        uid = self.talk._tasks[trial_id].trial_uid
        self.source.log.append(f"given {uid[-1]}")
        self.talk.started(trial_id)
        return uid

    def finish(self, trial_id: str) -> None:
        uid = self.talk._tasks[trial_id].trial_uid
        fence = self.ledger.start_attempt(uid)
        self.ledger.commit_result(TrialResult(uid, "done", score=Counts(1, 2)), fence)
        self.talk.ended(trial_id, None)

    def notes(self) -> list[str]:
        return [event.text for event in self.events if event.kind == "note"]


@pytest.fixture
def scene(tmp_path: Path) -> Callable[..., Scene]:
    return lambda count, at_once=1: Scene(tmp_path, count, at_once)


def test_a_worker_that_is_done_is_given_the_next_task_before_the_books_are_kept(scene: Callable[..., Scene]) -> None:
    played = scene(3)
    played.begin("a")
    played.talk.step()
    played.finish("a")
    played.talk.step()
    played.begin("b")
    played.talk.step()
    assert played.source.log == ["given 0", "given 1", "finished 0"]


def test_the_books_wait_for_one_step_only(scene: Callable[..., Scene]) -> None:
    played = scene(3)
    played.begin("a")
    played.talk.step()
    played.finish("a")
    played.talk.step()
    played.talk.step()
    assert played.source.log == ["given 0", "finished 0"]


def test_a_source_that_has_a_task_later_is_asked_again_when_a_trial_is_over(scene: Callable[..., Scene]) -> None:
    played = scene(2)
    played.begin("a")
    played.source.withheld = 1
    played.talk.step()
    assert played.talk.next_config("b") is LATER
    played.finish("a")
    assert isinstance(played.talk.next_config("b"), dict)
    assert played.source.ends == ["trial00000"]


def test_none_is_said_when_nothing_runs_that_could_come_back(scene: Callable[..., Scene]) -> None:
    played = scene(1)
    played.begin("a")
    assert played.talk.next_config("b") is LATER
    played.finish("a")
    assert played.talk.next_config("b") is None


def test_a_refused_task_goes_to_another_worker_and_is_no_failure(scene: Callable[..., Scene]) -> None:
    played = scene(1)
    uid = played.begin("a")
    played.talk.reported("a", {"refused": "node x: torch 1 there"})
    played.talk.ended("a", None)
    assert played.begin("b") == uid and played.ledger.result(uid) is None
    assert played.notes() == ["node x: torch 1 there; its trials go to other workers"]


def test_a_trial_that_ray_gives_up_before_it_starts_goes_to_another_worker_and_is_no_failure(scene: Callable[..., Scene]) -> None:
    played = scene(1)
    uid = played.begin("a")
    played.talk.ended("a", "The actor 6d26 is unavailable: RpcError: Connection refused")
    assert played.ledger.result(uid) is None
    assert played.begin("b") == uid
    played.finish("b")
    played.talk.step()
    assert played.source.ends == [uid] and "unavailable" in played.notes()[0]


def test_when_all_refuse_the_search_ends_with_the_reason(scene: Callable[..., Scene]) -> None:
    played = scene(1)
    for turn in range(REFUSALS):
        played.begin(str(turn))
        played.talk.reported(str(turn), {"refused": "node x: torch 1 there"})
        played.talk.keeping(played.talk.ended, str(turn), None)
    with pytest.raises(PolicysearchError, match="node x: torch 1 there"):
        played.talk.close()
    assert played.ledger.result("trial00000") is None and played.talk.next_config("z") is None


def test_two_lost_workers_fail_a_trial_but_lost_nodes_do_not(scene: Callable[..., Scene]) -> None:
    played = scene(1)
    uid = played.begin("a")
    for _ in range(NODES_PER_TRIAL - 1):
        assert played.talk.lost("a", "the node has died", True)
    played.talk.started("a")
    assert played.talk.lost("a", "killed", False) is (TRIES > 1)
    assert played.ledger.result(uid) is None
    played.talk.started("a")
    assert not played.talk.lost("a", "killed", False)
    result = played.ledger.result(uid)
    assert result is not None and result.error == "its worker was lost 2 times: killed"
    starts = played.source.starts[uid]
    played.talk.started("a")  # the worker that finds the result
    assert played.source.starts[uid] == starts


def test_workers_that_can_not_even_start_end_the_search(scene: Callable[..., Scene]) -> None:
    played = scene(9, at_once=2)
    for turn in range(REFUSALS):
        trial_id = str(turn)
        played.talk.next_config(trial_id)
        played.talk.keeping(played.talk.lost, trial_id, "No module named 'policysearch'", False)
    with pytest.raises(PolicysearchError, match=r"workers: they can't start .*No module named"):
        played.talk.close()


def test_a_trial_that_another_worker_has_is_waited_for(scene: Callable[..., Scene]) -> None:
    played = scene(1)
    uid = played.begin("a")
    fence = played.ledger.start_attempt(uid)
    played.talk.reported("a", {"late": True})
    played.talk.ended("a", None)
    assert played.talk.next_config("b") is LATER
    played.ledger.commit_result(TrialResult(uid, "done", score=Counts(1, 2)), fence)
    played.now += ROUND_SECONDS
    played.talk.step()
    played.talk.step()
    assert played.source.ends == [uid]


def test_a_lapsed_claim_is_patiently_looked_at_and_an_earlier_worker_s_is_not_held_against_it(
    scene: Callable[..., Scene],
) -> None:
    played = scene(2, at_once=2)
    uid = played.talk._stock[0].trial_uid
    played.begin("a")
    played.ledger.start_attempt(uid, lease_seconds=0.0)
    fresh = played.begin("b")
    played.ledger.start_attempt(fresh, lease_seconds=0.0)
    played.talk._attempts[fresh] += 1  # as if that claim had been there before
    played.now += ROUND_SECONDS
    assert played.talk.step() == []
    played.now += LAPSE_PATIENCE_SECONDS + ROUND_SECONDS
    assert played.talk.step() == ["a"]
    assert played.talk.lost("a", "killed", False)
    assert any("gave no sign of life" in note for note in played.notes())


def test_what_the_source_raises_is_kept_and_ends_the_search(scene: Callable[..., Scene]) -> None:
    played = scene(1)
    played.talk.keeping(lambda: 1 / 0)
    assert played.talk.next_config("a") is None
    with pytest.raises(ZeroDivisionError):
        played.talk.close()


def test_when_tune_begins_again_what_was_under_way_is_given_out_again(scene: Callable[..., Scene]) -> None:
    played = scene(2)
    uid = played.begin("a")
    played.talk.begun_again("a node died")
    assert {played.begin("b"), played.begin("c")} == {uid, "trial00001"}


def test_news_of_a_trial_that_is_over_is_none(scene: Callable[..., Scene]) -> None:
    played = scene(2)
    played.begin("a")
    played.finish("a")
    played.talk.started("a")
    played.talk.reported("a", {"epoch": 1, "wrong": 1, "images": 2})
    assert not played.talk.lost("a", "its actor died", with_node=False)
    played.talk.ended("a", "its actor died")
    played.talk.step()
    assert (played.source.log, played.events) == (["given 0", "finished 0"], [])
