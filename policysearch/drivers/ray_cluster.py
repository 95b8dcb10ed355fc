"""A Ray cluster that is there: joined for a search, and left as it was. `ray_here` starts one for a search alone.

Refuses a process that is connected to Ray already, and clusters of another Ray or Python.
"""

import atexit
import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from policysearch.drivers.ray_door import Address, no_answer
from searchspaces.errors import BadInput
from searchspaces.json_text import one_line

LEAVE_SECONDS = 10.0
CLIENT_STARTS = 3  # the process that Ray's client server starts for us sometimes dies of its own fork


@contextmanager
def joined(address: Address) -> Iterator[None]:
    """Connect to the cluster, and leave it."""
    import ray

    require_unconnected(ray)
    on_termination = signal.getsignal(signal.SIGTERM)
    try:
        _connect(ray, address)
        restore(on_termination)
        with silent_raylets(), _never_by_itself():
            yield
    finally:
        _leave(ray)


def _leave(ray: Any) -> None:
    """Disconnect; but from a cluster that is gone that never ends, and then the process must be able to."""
    leaving = threading.Thread(target=ray.shutdown, name="leaving", daemon=True)
    leaving.start()
    leaving.join(LEAVE_SECONDS)
    if leaving.is_alive():
        from ray._private import worker

        atexit.unregister(worker.shutdown)


@contextmanager
def _never_by_itself() -> Iterator[None]:
    """Inside, Ray starts no cluster by itself when a thread still calls it after the driver has left."""
    from ray._private import auto_init_hook

    auto_init_hook.enable_auto_connect = False
    try:
        yield
    finally:
        later = threading.Timer(LEAVE_SECONDS, setattr, (auto_init_hook, "enable_auto_connect", True))
        later.daemon = True
        later.start()


def _connect(ray: Any, address: Address) -> None:
    for start in range(CLIENT_STARTS):
        try:
            ray.init(address=address.for_ray, log_to_driver=False, logging_level=logging.CRITICAL)
            return
        except (ConnectionError, RuntimeError) as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            if address.is_client and "Starting Ray client server failed" in str(error) and start + 1 < CLIENT_STARTS:
                ray.shutdown()
                continue
            if "version mismatch" in str(error).lower():
                raise BadInput(
                    f"address {address.said!r}: {one_line(' '.join(lines), 300)}; install the same Python and Ray here as there"
                ) from error
            raise no_answer(address.said, one_line(lines[-1] if address.is_client else lines[0])) from error


def require_unconnected(ray: Any) -> None:
    """Raise BadInput where this process is connected to a cluster already."""
    if ray.is_initialized():
        raise BadInput("driver 'ray': this process is connected to Ray already; call ray.shutdown() first, or use driver 'local'")


def restore(on_termination: Any) -> None:
    """Put back what SIGTERM did."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, on_termination)  # Ray has put its own in place


@contextmanager
def silent_raylets() -> Iterator[None]:
    """Inside, a node that loses a worker prints no page about it on standard output, which Ray has it do whatever it is told."""
    from ray._private import worker

    before = worker.print_to_stdstream
    worker.print_to_stdstream = lambda *values, **more: None
    try:
        yield
    finally:
        worker.print_to_stdstream = before
