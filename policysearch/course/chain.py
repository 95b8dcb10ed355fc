"""Stages one after the other in one run of a driver, so that workers stay from the first to the last.

A stage is a generator: it yields the sources of what it wants trained, and goes on when all of that is over; what it returns is
what the next stage needs. Between two sources it may read, decide and tell, in the thread that runs the driver.
"""

from collections.abc import Generator
from typing import TypeAlias, TypeVar

from policysearch.drivers import LATER, Later, Task, TaskSource

T = TypeVar("T")
Stages: TypeAlias = Generator[TaskSource, None, T]


class Chain:
    """A `TaskSource` over the sources that a generator yields: each begins when the one before is over, workers and all."""

    def __init__(self, stages: Stages[None]) -> None:
        self._stages = stages
        self._source: TaskSource | None = None
        self._under_way: dict[str, TaskSource] = {}
        self._is_over = False

    def next_task(self) -> Task | Later | None:
        """As `TaskSource.next_task` says; what a stage raises passes through."""
        while not self._is_over:
            task = None if self._source is None else self._source.next_task()
            if isinstance(task, Task):
                assert self._source is not None
                self._under_way[task.trial_uid] = self._source
                return task
            if task is LATER or self._under_way:
                return LATER
            self._source = next(self._stages, None)
            self._is_over = self._source is None
        return None

    def started(self, trial_uid: str) -> None:
        """As `TaskSource.started` says."""
        self._under_way[trial_uid].started(trial_uid)

    def finished(self, trial_uid: str) -> None:
        """As `TaskSource.finished` says."""
        self._under_way.pop(trial_uid).finished(trial_uid)
