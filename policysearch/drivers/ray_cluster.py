"""The cluster that a search runs on: one that is started here for it, or one that is there, joined and left.

A cluster started here listens on 127.0.0.1 only and ends with the search; one that was there before is left as it was. Refuses
a process that is connected to Ray already, and clusters of another Ray or Python.
"""

import atexit
import logging
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from policysearch.drivers.ray_door import Address, no_answer, protect_token
from searchspaces.errors import BadInput
from searchspaces.json_text import one_line

OBJECT_STORE_BYTES = 128 * 1024**2  # images are mapped from files, so that little goes through it
LEAVE_SECONDS = 10.0
LONGEST_SOCKET_DIRECTORY = 40  # Ray appends up to 66 characters, and 107 is all that a socket's path may have
CLIENT_STARTS = 3  # the process that Ray's client server starts for us sometimes dies of its own fork


@contextmanager
def own_cluster(cores: int) -> Iterator[int]:
    """Start a cluster with so many cores; gives how many it has, and ends it."""
    import ray

    _require_unconnected(ray)
    on_termination = signal.getsignal(signal.SIGTERM)
    sockets = _directory_for_sockets()
    here: dict[str, Any] = {"include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES, "_temp_dir": sockets}
    try:
        with _loopback_only():
            ray.init(address="local", num_cpus=cores, log_to_driver=False, logging_level=logging.CRITICAL, **here)
        protect_token()
        _restore(on_termination)
        with _silent_raylets():
            yield int(ray.cluster_resources().get("CPU", 1))
    finally:
        ray.shutdown()
        if sockets is not None:
            shutil.rmtree(sockets, ignore_errors=True)


@contextmanager
def joined(address: Address) -> Iterator[None]:
    """Connect to the cluster, and leave it."""
    import ray

    _require_unconnected(ray)
    on_termination = signal.getsignal(signal.SIGTERM)
    try:
        _connect(ray, address)
        _restore(on_termination)
        with _silent_raylets(), _never_by_itself():
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


def _require_unconnected(ray: Any) -> None:
    if ray.is_initialized():
        raise BadInput("driver 'ray': this process is connected to Ray already; call ray.shutdown() first, or use driver 'local'")


def _restore(on_termination: Any) -> None:
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, on_termination)  # Ray has put its own in place


@contextmanager
def _loopback_only() -> Iterator[None]:
    """Inside, what `HERE_ONLY` says holds for a Ray imported before it was said, too: Ray reads the variable at its import."""
    from ray._private import ray_constants

    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


@contextmanager
def _silent_raylets() -> Iterator[None]:
    """Inside, a node that loses a worker prints no page about it on standard output, which Ray has it do whatever it is told."""
    from ray._private import worker

    before = worker.print_to_stdstream
    worker.print_to_stdstream = lambda *values, **more: None
    try:
        yield
    finally:
        worker.print_to_stdstream = before


def _directory_for_sockets() -> str | None:
    """A directory of our own for Ray's session, to be removed; None where its path is too long for Ray's sockets.

    Its name holds the number of this process, so that what a killed one left can be told, and is removed now.
    """
    for left in Path(tempfile.gettempdir()).glob("ray-[0-9]*-*"):
        number = left.name.split("-")[1]
        if number.isdecimal() and not _is_alive(int(number)):
            shutil.rmtree(left, ignore_errors=True)
    directory = tempfile.mkdtemp(prefix=f"ray-{os.getpid()}-")
    if len(directory) <= LONGEST_SOCKET_DIRECTORY:
        return directory
    Path(directory).rmdir()
    return None


def _is_alive(number: int) -> bool:
    try:
        os.kill(number, 0)  # asks, and does nothing
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        pass
    return True
