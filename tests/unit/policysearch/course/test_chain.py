"""Stages in one run of a driver: each begins when all of the one before is over, also where a driver asks ahead."""

import pytest

from policysearch.course.chain import Chain, Stages
from policysearch.drivers import LATER, Later, Task
from searchspaces.errors import BadInput


class Listed:
    """A source of named tasks that notes what it is told."""

    def __init__(self, *names: str, told: list[str] | None = None) -> None:
        self.names, self.told = list(names), [] if told is None else told

    def next_task(self) -> Task | Later | None:
        return Task({"trial_uid": self.names.pop(0)}, "", "") if self.names else None

    def started(self, trial_uid: str) -> None:
        self.told.append(f"{trial_uid} started")

    def finished(self, trial_uid: str) -> None:
        self.told.append(f"{trial_uid} over")


def uid(task: Task | Later | None) -> str | None:
    return task.trial_uid if isinstance(task, Task) else None


def test_a_stage_begins_when_all_of_the_one_before_is_over_and_its_own_source_was_told() -> None:
    told: list[str] = []

    def stages() -> Stages[None]:
        yield Listed("a", "b", told=told)
        told.append("decided")
        yield Listed()  # nothing left to do in this one
        yield Listed("c", told=told)

    chain = Chain(stages())
    assert [uid(chain.next_task()), uid(chain.next_task())] == ["a", "b"]
    assert chain.next_task() is LATER
    for name in "ab":
        chain.started(name)
    chain.finished("b")
    assert chain.next_task() is LATER
    assert "decided" not in told
    chain.finished("a")
    assert uid(chain.next_task()) == "c"
    assert chain.next_task() is LATER
    chain.started("c")
    chain.finished("c")
    assert told == ["a started", "b started", "b over", "a over", "decided", "c started", "c over"]
    assert [chain.next_task(), chain.next_task()] == [None, None]


def test_what_a_stage_finds_out_stops_the_run_with_its_own_words() -> None:
    def stages() -> Stages[None]:
        yield Listed("a")
        raise BadInput("out of memory")

    chain = Chain(stages())
    assert uid(chain.next_task()) == "a"
    chain.finished("a")
    with pytest.raises(BadInput, match="out of memory"):
        chain.next_task()


def test_a_stage_without_anything_to_train_runs_all_the_same() -> None:
    went = []

    def stages() -> Stages[None]:
        went.append("through")
        yield from ()

    assert Chain(stages()).next_task() is None
    assert went == ["through"]
