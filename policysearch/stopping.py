"""What stops a search in good order: Ctrl-C, a polite kill, a terminal that closes; a second time it stops at once."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
UNSET = (signal.SIG_DFL, signal.default_int_handler)


@contextmanager
def termination_interrupts() -> Iterator[None]:
    """Inside, SIGTERM and a terminal that closes stop a search in good order, as Ctrl-C does; a second signal stops it at once.

    The first raises KeyboardInterrupt, or SystemExit with the exit code that tells the signal. Workers end with this process.
    What the caller has set for a signal, or that it is ignored (as nohup does), stays. Only the main thread may say so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def stop(signum: int, frame: "FrameType | None") -> NoReturn:
        came.append(signum)
        if len(came) > 1:
            with suppress(OSError):
                os.write(2, b"policysearch: stopped at once; the same command goes on from there\n")
            os._exit(128 + signum)
        raise KeyboardInterrupt if signum == signal.SIGINT else SystemExit(128 + signum)

    before = {signum: handler for signum in STOPPING if (handler := signal.getsignal(signum)) in UNSET}
    for signum in before:
        signal.signal(signum, stop)
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
