"""A worker of the local driver: `python -m policysearch.drivers.worker`.

Takes tasks from standard input, one JSON line each, and answers on standard output, one JSON line each: `ready`, `epoch`, `done`
(the result is in the ledger) or `lost` (it isn't, and why).

It never outlives its driver: when standard input ends or the parent is gone it exits at once, even in the middle of a trial. It
ignores Ctrl-C, which is the driver's to decide about. Nothing but the answers can reach standard output.
"""

import json
import os
import queue
import select
import signal
import sys
import threading
from typing import Any, NoReturn, TextIO

PARENT_CHECK_SECONDS = 1.0


def main() -> None:
    """Serve until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = _private_stdout()
    tasks: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_watch, args=(tasks, os.getppid()), daemon=True).start()
    import trials.run  # noqa: F401  what takes long to import is there before the first task

    _answer(answers, {"kind": "ready"})
    while True:
        _serve(tasks.get(), answers)


def _private_stdout() -> TextIO:
    """Standard output for the answers alone; whatever else prints goes to standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1, encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


def _watch(tasks: "queue.SimpleQueue[dict[str, Any]]", parent: int) -> NoReturn:
    """Pass the tasks on, and end the process as soon as nobody is left to work for."""
    pending = b""
    while os.getppid() == parent:
        readable, _, _ = select.select([0], [], [], PARENT_CHECK_SECONDS)
        if not readable:
            continue
        received = os.read(0, 1 << 16)
        if not received:
            break
        *lines, pending = (pending + received).split(b"\n")
        for line in lines:
            tasks.put(json.loads(line))
    os._exit(0)


def _serve(values: dict[str, Any], answers: TextIO) -> None:
    from policysearch.drivers import Task
    from policysearch.drivers.execution import execute

    task = Task(**values)

    def tell(epoch: Any) -> None:
        _answer(answers, {"kind": "epoch", "epoch": epoch.number, "wrong": epoch.wrong, "total": epoch.total})

    try:
        execute(task, tell)
    except Exception as error:  # whatever it is, the driver must hear of it rather than wait
        _answer(answers, {"kind": "lost", "reason": f"{type(error).__name__}: {error}"})
    else:
        _answer(answers, {"kind": "done"})


def _answer(answers: TextIO, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
