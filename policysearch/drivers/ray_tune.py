"""The Ray driver: the same tasks, run by Ray Tune on a cluster of one's own or on one started here for the search.

A cluster started here listens on 127.0.0.1 only and ends with the search; one that was there before is left as it was. Ray's own
record of the search is thrown away: the ledger is the truth, so a search under one driver goes on under the other.
"""

import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from policysearch.drivers import Listener, TaskSource
from policysearch.drivers.execution import one_thread_each, usable_cores
from searchspaces.errors import BadInput

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Tune would finish its own bookkeeping first, and say how to restore from it
    "TUNE_WARN_THRESHOLD_S": "60",
}
HERE_ONLY = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # means: listen on 127.0.0.1
# Ray sets this itself, to "token", when it starts a cluster. Set here, it would hang where the caller had imported Ray before.
SET_BY_RAY = ("RAY_AUTH_MODE",)
OBJECT_STORE_BYTES = 128 * 1024**2  # images are mapped from files, so that little goes through it
CONNECT_SECONDS = 10.0
LONGEST_SOCKET_DIRECTORY = 40  # Ray appends up to 66 characters, and 107 is all that a socket's path may have


class RayDriver:
    """Runs tasks as trials of Ray Tune, one core and `gpus_per_trial` of a GPU each.

    `workers` at once: by default, and at most, as many as the cluster has cores. `address` names a cluster: HOST:PORT of its
    head, or "auto" for the one of this machine or of $RAY_ADDRESS; None starts one here. BadInput when nothing answers there.
    """

    def __init__(self, workers: int | None, address: str | None, gpus_per_trial: float) -> None:
        if address == "auto":
            with _environment(False), _cluster(address, 1):
                pass  # met once before a study is made for it
        elif address is not None:
            _require_answer(address)
        self.workers = workers
        self.address = address
        self.gpus_per_trial = gpus_per_trial

    def run(self, source: TaskSource, listener: Listener) -> None:
        """As `Driver.run` says. Raises BadInput when what answers at the address is no cluster."""
        first = source.next_task()
        if first is None:
            return
        here = min(self.workers or usable_cores(), usable_cores())
        with _environment(self.address is None), _cluster(self.address, here) as cores:
            from policysearch.drivers.ray_tune_trials import Conversation, fit

            at_once = max(1, min(self.workers or cores, cores))
            with _directory_for_tune(first.weights_path) as directory, _silent_tune():
                fit(Conversation(first, source, listener), at_once, self.gpus_per_trial, directory)


@contextmanager
def _environment(here: bool) -> Iterator[None]:
    """Inside, Ray's variables are set, for a cluster started `here` also those that it inherits."""
    wanted = dict(QUIET)
    if here:
        wanted.update(HERE_ONLY)
        one_thread_each(wanted)
    before = {name: os.environ.get(name) for name in (*wanted, *SET_BY_RAY)}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _cluster(address: str | None, cores: int) -> Iterator[int]:
    """Connect to a cluster, or start one with so many cores; gives the number of cores it has, and leaves it."""
    import ray

    if ray.is_initialized():
        raise BadInput("driver 'ray': this process is connected to Ray already; call ray.shutdown() first, or use driver 'local'")
    on_termination = signal.getsignal(signal.SIGTERM)
    sockets = _directory_for_sockets() if address is None else None
    loopback = _loopback_only() if address is None else nullcontext()
    try:
        with loopback:
            _connect(ray, address, cores, sockets)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, on_termination)  # Ray has put its own in place
        resources: dict[str, float] = ray.cluster_resources()
        yield int(resources.get("CPU", 1))
    finally:
        ray.shutdown()
        if sockets is not None:
            shutil.rmtree(sockets, ignore_errors=True)


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


def _connect(ray: Any, address: str | None, cores: int, sockets: str | None) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    if address is None:
        here = {"include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES, "_temp_dir": sockets}
        ray.init(address="local", num_cpus=cores, **here, **quiet)
        return
    try:
        ray.init(address=address, **quiet)
    except ConnectionError as error:
        raise _nobody(address, str(error).strip().splitlines()[0]) from error


def _require_answer(address: str) -> None:
    """Raise BadInput when no program answers at HOST:PORT: Ray itself would wait for minutes, and so after the study is made."""
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal() and "/" not in host):
        raise BadInput(
            f"address {address!r}: allowed are 'auto' and HOST:PORT of a Ray cluster's head (`ray start --head` says it)"
        )
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _nobody(address, str(error)) from error


def _nobody(address: str, reason: str) -> BadInput:
    return BadInput(f"address {address!r}: no Ray cluster answers there ({reason}); start one with `ray start --head`")


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


@contextmanager
def _directory_for_tune(weights_path: str) -> Iterator[str]:
    """A directory beside the study's weights, gone afterwards. Only its owner may read it: it holds the ledger's address."""
    study = Path(weights_path).parent.parent
    for left in study.glob("ray-*"):
        shutil.rmtree(left, ignore_errors=True)
    directory = tempfile.mkdtemp(prefix="ray-", dir=study)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _silent_tune() -> Iterator[None]:
    """Tune's log would print the traceback of every lost worker; the driver says it in one line."""
    log = logging.getLogger("ray.tune")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)
