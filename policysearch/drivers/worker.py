"""A worker of the local driver: `python -m policysearch.drivers.worker`.

Takes lines of JSON from standard input: first {"objective": TEXT or null}, what its trials run in place of a training, then
tasks. Answers in lines of JSON on standard output: `ready`, `claimed` (the trial is this worker's), `epoch`, `note` (a sentence
for the user), `done` (the result is in the ledger; `broken` says whether this process can't go on), `late` (another worker has
the trial now) or `lost` (there is no result, and why; `ledger` says whether that is the ledger's trouble).

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
from collections.abc import Callable
from typing import Any, NoReturn, TextIO

from trials.failpoints import reach

PARENT_CHECK_SECONDS = 1.0


def main() -> None:
    """Serve until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a terminal that closes tells the driver, who ends its workers in good order
    answers = _private_stdout()
    tasks: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_watch, args=(tasks, os.getppid()), daemon=True).start()
    objective = _prepared(tasks.get()["objective"])
    _answer(answers, {"kind": "ready"})
    while True:
        _serve(tasks.get(), objective, answers)


def _private_stdout() -> TextIO:
    """Standard output for the answers alone; whatever else prints goes to standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1, encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


def _prepared(packed: str | None) -> Callable[..., Any] | None:
    """Import what takes long before the first task; the objective, where there is one."""
    import policysearch.drivers.execution  # noqa: F401

    if packed is None:
        import trials.run  # noqa: F401

        return None
    from policysearch.packing import receive

    return receive(packed)


def _watch(tasks: "queue.SimpleQueue[dict[str, Any]]", parent: int) -> NoReturn:
    """Pass the lines on, and end the process as soon as nobody is left to work for."""
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


def _serve(values: dict[str, Any], objective: Callable[..., Any] | None, answers: TextIO) -> None:
    from policysearch.drivers import Task
    from policysearch.drivers.execution import LedgerAway, broke_its_process, execute
    from policysearch.ledger import Superseded

    def claimed() -> None:
        _answer(answers, {"kind": "claimed"})

    def tell(epoch: Any) -> None:
        _answer(answers, {"kind": "epoch", "epoch": epoch.number, "wrong": epoch.wrong, "total": epoch.total})

    def note(text: str) -> None:
        _answer(answers, {"kind": "note", "text": text})

    try:
        result = execute(Task(**values), tell, objective, on_claim=claimed, on_note=note)
    except Superseded:
        _answer(answers, {"kind": "late"})
    except LedgerAway as away:
        _answer(answers, {"kind": "lost", "reason": str(away), "ledger": True})
    except Exception as error:  # whatever it is, the driver must hear of it rather than wait
        _answer(answers, {"kind": "lost", "reason": f"{type(error).__name__}: {error}", "ledger": False})
    else:
        _answer(answers, {"kind": "done", "status": result.status, "broken": broke_its_process(result)})
        reach("after_report")


def _answer(answers: TextIO, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
