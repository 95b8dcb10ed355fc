"""The local driver: a few worker processes on this machine, kept from trial to trial, fed over pipes.

Workers are fresh interpreters (`python -m`), so a calling script needs no main guard. A worker that dies costs its trial one more
try in a new worker; the second loss fails the trial with its reason. No worker outlives `run`.
"""

import contextlib
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from policysearch.drivers import Event, Listener, Task, TaskSource
from policysearch.drivers.execution import one_thread_each, record_failure
from searchspaces.errors import PolicysearchError

TRIES = 2
STOP_SECONDS = 2.0


class LocalDriver:
    """Runs tasks in `workers` processes; `gpus` are the devices they share out in turn, as CUDA_VISIBLE_DEVICES names them."""

    def __init__(self, workers: int, gpus: tuple[str, ...] = ()) -> None:
        self.workers = workers
        self.gpus = gpus

    def run(self, source: TaskSource, listener: Listener) -> None:
        """As `Driver.run` says. Raises PolicysearchError when workers can't even start."""
        crew = _Crew(source, listener, self.gpus)
        try:
            crew.work(self.workers)
        finally:
            crew.dismiss()


def visible_gpus() -> tuple[str, ...]:
    """The GPUs of this process, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return tuple(named.split(",")) if named else tuple(str(place) for place in range(torch.cuda.device_count()))


@dataclass(eq=False)
class _Worker:
    """A process and the task it has; `ready` once it has answered for the first time, `tail` the rest of a line not yet whole."""

    process: subprocess.Popen[bytes]
    errors: IO[bytes]
    place: int
    task: Task
    ready: bool = False
    tail: bytes = b""

    def give(self, task: Task) -> None:
        self.task = task
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it is dead; the end of its answers will say so
            self.process.stdin.write(json.dumps(task.to_dict()).encode() + b"\n")
            self.process.stdin.flush()

    @property
    def answers(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def last_words(self) -> str:
        """The last line on its standard error, or nothing."""
        self.errors.seek(0, os.SEEK_END)
        self.errors.seek(max(0, self.errors.tell() - 4096))
        lines = self.errors.read().decode("utf-8", errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""

    def close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout, self.errors):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


class _Crew:
    """The workers at work: who has which task, and what their answers mean."""

    def __init__(self, source: TaskSource, listener: Listener, gpus: tuple[str, ...]) -> None:
        self._source, self._listener, self._gpus = source, listener, gpus
        self._selector = selectors.DefaultSelector()
        self._workers: set[_Worker] = set()
        self._losses: Counter[str] = Counter()
        self._failed_starts = 0

    def work(self, workers: int) -> None:
        for place in range(workers):
            task = self._source.next_task()
            if task is None:
                break
            self._hire(place, task)
        while self._workers:
            for key, _ in self._selector.select():
                self._hear(key.data)

    def dismiss(self) -> None:
        """End all workers: at once when they listen, by force when they don't."""
        for worker in self._workers:
            with contextlib.suppress(OSError):
                assert worker.process.stdin is not None
                worker.process.stdin.close()
        deadline = time.monotonic() + STOP_SECONDS
        for worker in self._workers:
            try:
                worker.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            worker.close()
        self._workers.clear()
        self._selector.close()

    def _hire(self, place: int, task: Task) -> None:
        errors = tempfile.TemporaryFile()  # noqa: SIM115  it lives as long as the worker, and _Worker.close closes it
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "policysearch.drivers.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=self._environment(place),
            process_group=0,  # so that a terminal's Ctrl-C reaches the driver alone, which then ends the workers in good order
        )
        worker = _Worker(process, errors, place, task)
        self._workers.add(worker)
        self._selector.register(worker.answers, selectors.EVENT_READ, worker)
        self._source.started(task.trial_uid)
        worker.give(task)

    def _environment(self, place: int) -> dict[str, str]:
        environment = dict(os.environ)
        one_thread_each(environment)
        if self._gpus:
            environment["CUDA_VISIBLE_DEVICES"] = self._gpus[place % len(self._gpus)]
        return environment

    def _hear(self, worker: _Worker) -> None:
        received = os.read(worker.answers.fileno(), 1 << 16)
        if not received:
            self._lose(worker, self._cause_of_death(worker))
            return
        for message in _messages(worker, received):
            if worker not in self._workers:
                break
            self._heed(worker, message)

    def _heed(self, worker: _Worker, message: dict[str, Any]) -> None:
        uid = worker.task.trial_uid
        if message["kind"] == "ready":
            worker.ready, self._failed_starts = True, 0
        elif message["kind"] == "epoch":
            self._listener(Event("epoch", uid, message["epoch"], message["wrong"], message["total"]))
        elif message["kind"] == "lost":
            self._lose(worker, message["reason"])
        else:
            self._source.finished(uid)
            self._go_on(worker)

    def _go_on(self, worker: _Worker) -> None:
        """Give the worker the next task, or let it go."""
        task = self._source.next_task()
        if task is None:
            self._release(worker)
            return
        self._source.started(task.trial_uid)
        worker.give(task)

    def _lose(self, worker: _Worker, reason: str) -> None:
        self._release(worker)
        uid = worker.task.trial_uid
        if worker.ready:
            self._losses[uid] += 1
        else:
            self._failed_starts += 1
        if self._failed_starts >= TRIES:
            command = f"{sys.executable} -m policysearch.drivers.worker"
            raise PolicysearchError(f"workers: they can't start ({reason}); `{command}` should wait for input: mend what it says")
        if self._losses[uid] < TRIES:
            self._listener(Event("note", uid, text=f"a worker was lost ({reason}); its trial is tried again in a new one"))
            self._hire(worker.place, worker.task)
            return
        record_failure(worker.task, f"its worker was lost {TRIES} times: {reason}")
        self._source.finished(uid)
        task = self._source.next_task()
        if task is not None:
            self._hire(worker.place, task)

    def _release(self, worker: _Worker) -> None:
        self._workers.discard(worker)
        self._selector.unregister(worker.answers)
        worker.process.kill()
        worker.process.wait()
        worker.close()

    def _cause_of_death(self, worker: _Worker) -> str:
        code = worker.process.wait()
        how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        words = worker.last_words()
        return f"{how}: {words}" if words else how


def _messages(worker: _Worker, received: bytes) -> Iterator[dict[str, Any]]:
    *lines, worker.tail = (worker.tail + received).split(b"\n")
    for line in lines:
        yield json.loads(line)
