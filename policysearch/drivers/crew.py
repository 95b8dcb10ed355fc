"""The local driver's workers at work: who has which task, what their answers mean, and what is done about those that are lost.

One task is kept in stock, so that a worker which is done goes on at once and the books are kept while it trains. A worker that
dies, whose claim on its trial lapses (it was stopped, or swapped out) or that hangs costs its trial one more try in a new worker;
the second loss fails the trial with its reason.
"""

import os
import selectors
import sys
import time
from collections import Counter
from typing import Any

from policysearch.drivers import LATER, Event, Listener, Task, TaskSource
from policysearch.drivers.execution import ledger_at, record_failure
from policysearch.drivers.hired import Worker
from policysearch.drivers.patience import Patience
from policysearch.drivers.worker_environment import memory_keeping, one_thread_each
from policysearch.ledger import LEASE_SECONDS
from searchspaces.errors import PolicysearchError

TRIES = 2
KILLED_STARTS = 5  # in a row; that somebody kills workers while they start says less about this installation than that they end
STOP_SECONDS = 2.0
ROUND_SECONDS = min(2.0, LEASE_SECONDS / 3)


class Crew:
    """The workers at work: who has which task, and what their answers mean."""

    def __init__(
        self, source: TaskSource, listener: Listener, workers: int, gpus: tuple[str, ...], objective: str | None
    ) -> None:
        self._source, self._listener = source, listener
        self._gpus, self._objective = gpus, objective
        self._selector = selectors.DefaultSelector()
        self._workers: set[Worker] = set()
        self._free_places = list(range(workers))
        self._stock: Task | None = None
        self._source_is_empty = False
        self._elsewhere: dict[str, Task] = {}  # trials that a worker of somebody else has taken over
        self._losses: Counter[str] = Counter()
        self._failed_starts = 0
        self._patience = Patience()
        self._next_round_at = time.monotonic() + ROUND_SECONDS
        self._study_uid: str | None = None

    def work(self) -> None:
        """Until the source has no task left and all that were given out are over."""
        self._supply()
        while self._is_busy():
            for key, _ in self._selector.select(max(0.0, self._next_round_at - time.monotonic())):
                if key.data in self._workers:
                    self._hear(key.data)
            if time.monotonic() >= self._next_round_at:
                self._make_round()

    def dismiss(self) -> None:
        """End all workers: at once when they listen, by force when they don't."""
        for worker in self._workers:
            worker.let_go()
        deadline = time.monotonic() + STOP_SECONDS
        for worker in self._workers:
            worker.end(max(0.0, deadline - time.monotonic()))
        self._workers.clear()
        self._selector.close()

    def _is_busy(self) -> bool:
        return bool(self._elsewhere) or any(worker.task for worker in self._workers)

    # Who gets which task.

    def _supply(self) -> None:
        """Give tasks to those who have none, and see that one is in stock."""
        idle = [worker for worker in self._workers if worker.task is None]
        while (idle or self._free_places) and (task := self._stock or self._ask()) is not None:
            self._stock = None
            if idle:
                self._give(idle.pop(), task)
            else:
                self._hire(self._free_places.pop(0), task)
        if self._stock is None and self._is_busy():
            self._stock = self._ask()

    def _ask(self) -> Task | None:
        """The source's next task; None when it has none, now or for good."""
        task = None if self._source_is_empty else self._source.next_task()
        self._source_is_empty = task is None
        if task is LATER and not self._is_busy():
            raise RuntimeError("the source of tasks waits for a trial, and none is running")
        return task if isinstance(task, Task) else None

    def _hire(self, place: int, task: Task) -> None:
        worker = Worker.hire(place, self._environment(place), self._objective)
        self._workers.add(worker)
        self._selector.register(worker.answers, selectors.EVENT_READ, worker)
        self._give(worker, task)

    def _give(self, worker: Worker, task: Task) -> None:
        worker.give(task)
        self._source.started(task.trial_uid)

    def _environment(self, place: int) -> dict[str, str]:
        environment = dict(os.environ)
        one_thread_each(environment)
        environment |= memory_keeping(environment)
        if self._gpus:
            environment["CUDA_VISIBLE_DEVICES"] = self._gpus[place % len(self._gpus)]
        return environment

    # What workers say.

    def _hear(self, worker: Worker) -> None:
        messages = worker.messages()
        if messages is None:
            self._lose(worker, self._patience.hung_at_its_end(worker) or worker.cause_of_death())
            return
        for message in messages:
            if worker not in self._workers:
                break
            self._heed(worker, message)

    def _heed(self, worker: Worker, message: dict[str, Any]) -> None:
        kind = message["kind"]
        if kind == "ready":
            worker.ready, self._failed_starts = True, 0
            return
        assert worker.task is not None, f"a worker without a task says {kind}"
        if kind == "claimed":
            worker.claimed_at = time.monotonic()
        elif kind == "epoch":
            self._listener(Event("epoch", worker.task.trial_uid, message["epoch"], message["wrong"], message["total"]))
        elif kind == "note":
            self._listener(Event("note", worker.task.trial_uid, text=message["text"]))
        elif kind == "lost":
            self._lose(worker, message["reason"], message["ledger"])
        elif kind == "late":
            self._elsewhere[worker.task.trial_uid], worker.task = worker.task, None
            self._supply()
        elif message["broken"]:
            self._replace(worker, worker.task)
        else:
            if message["status"] == "done":  # what fails at once says nothing of the others
                self._patience.learn(worker)
            self._go_on(worker, worker.task)

    def _go_on(self, worker: Worker, done: Task) -> None:
        """The worker first, then the books: it trains while they are kept."""
        following, self._stock, worker.task = self._stock, None, None
        if following is not None:
            worker.give(following)
        self._source.finished(done.trial_uid)
        if following is not None:
            self._source.started(following.trial_uid)
        self._supply()

    # What goes wrong.

    def _make_round(self) -> None:
        """Look after those who can't say that something is wrong with them."""
        self._next_round_at = time.monotonic() + ROUND_SECONDS
        lapsed = self._lapsed()
        for worker in list(self._workers):
            if worker.task is None:
                continue
            if trouble := self._patience.trouble(worker, lapsed):
                self._lose(worker, trouble)
        for uid, task in list(self._elsewhere.items()):
            if ledger_at(task.ledger_url).result(uid) is not None:
                del self._elsewhere[uid]
                self._source.finished(uid)
                self._supply()
            elif uid in lapsed and self._stock is None:
                self._stock = self._elsewhere.pop(uid)
                self._supply()

    def _lapsed(self) -> frozenset[str]:
        """The study's trials whose worker has not renewed its claim in time, by the database's clock."""
        task = next((worker.task for worker in self._workers if worker.task), None) or next(iter(self._elsewhere.values()), None)
        if task is None:
            return frozenset()
        ledger = ledger_at(task.ledger_url)
        if self._study_uid is None:
            self._study_uid = ledger.trial(task.trial_uid).study_uid
        return frozenset(ledger.lapsed(self._study_uid))

    def _lose(self, worker: Worker, reason: str, ledger_trouble: bool = False) -> None:
        task = worker.task
        self._dismiss_one(worker)
        if task is None:  # it had nothing to do; another is hired when there is something
            self._free_places.append(worker.place)
            self._supply()
            return
        self._count_loss(worker, task, reason)
        if ledger_at(task.ledger_url).result(task.trial_uid) is not None:
            self._over(worker.place, task)
        elif self._losses[task.trial_uid] < TRIES:
            text = f"a worker was lost ({reason}); its trial is tried again in a new one"
            self._listener(Event("note", task.trial_uid, text=text))
            self._hire(worker.place, task)
        elif ledger_trouble:  # no fault of the trial: it stays as it is, for when the search goes on
            raise PolicysearchError(reason)
        else:
            record_failure(task, f"its worker was lost {TRIES} times: {reason}")
            self._over(worker.place, task)

    def _replace(self, worker: Worker, done: Task) -> None:
        """The trial has its result, and the worker could run no other."""
        self._listener(Event("note", done.trial_uid, text="a GPU failed in a trial; what comes next there runs in a new process"))
        self._dismiss_one(worker)
        self._over(worker.place, done)

    def _over(self, place: int, task: Task) -> None:
        """A trial has its result and its worker is gone."""
        self._free_places.append(place)
        self._source.finished(task.trial_uid)
        self._supply()

    def _count_loss(self, worker: Worker, task: Task, reason: str) -> None:
        if worker.ready:
            self._losses[task.trial_uid] += 1
            return
        self._failed_starts += 1
        if self._failed_starts >= (KILLED_STARTS if worker.was_killed else TRIES):
            command = f"{sys.executable} -m policysearch.drivers.worker"
            raise PolicysearchError(f"workers: they can't start ({reason}); `{command}` should wait for input: mend what it says")

    def _dismiss_one(self, worker: Worker) -> None:
        self._workers.discard(worker)
        self._selector.unregister(worker.answers)
        worker.process.kill()
        worker.end()
