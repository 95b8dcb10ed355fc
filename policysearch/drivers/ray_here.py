"""The Ray cluster that a driver starts here for one search: on 127.0.0.1 only, and gone with the search.

A machine that is very busy can be too slow for Ray's own limits: its parts wait half a minute for one another when they start,
and a second for one another when they end. So a start that fails is made again, from nothing; when that fails too it is said in
one line; and what a search has come to is not lost because Ray's end is slow.
"""

import atexit
import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from policysearch.drivers.ray_cluster import require_unconnected, restore, silent_raylets
from policysearch.drivers.ray_door import protect_token
from searchspaces.errors import PolicysearchError
from searchspaces.json_text import one_line

OBJECT_STORE_BYTES = 128 * 1024**2  # images are mapped from files, so that little goes through it
LONGEST_SOCKET_DIRECTORY = 40  # Ray appends up to 66 characters, and 107 is all that a socket's path may have
STARTS = 3


@contextmanager
def own_cluster(cores: int) -> Iterator[int]:
    """Start a cluster with so many cores; gives how many it has, and ends it. PolicysearchError where Ray can't be started."""
    import ray

    require_unconnected(ray)
    sockets = _directory_for_sockets()
    try:
        found = patiently(lambda: _start(ray, cores, sockets), lambda: _end(ray, sockets))
        with silent_raylets():
            yield found
    finally:
        _end(ray, sockets)
        if sockets is not None:
            shutil.rmtree(sockets, ignore_errors=True)


def patiently(start: Callable[[], int], end: Callable[[], None]) -> int:
    """What `start` gives; where it fails, `end` clears away what is left of it, and it is tried again. At most `STARTS` times."""
    for left in reversed(range(STARTS)):
        try:
            return start()
        except Exception as error:  # Ray raises plain Exceptions too: "The current node timed out during startup"
            if not left:
                lines = str(error).strip().splitlines() or [type(error).__name__]
                raise PolicysearchError(
                    f"driver 'ray': Ray could not be started here in {STARTS} tries ({one_line(lines[0], 200)}); if the machine"
                    " is busy, search again when it is less so, or with driver local: what is finished is kept"
                ) from error
            end()
    raise AssertionError("there is a last try")


def _start(ray: Any, cores: int, sockets: str | None) -> int:
    on_termination = signal.getsignal(signal.SIGTERM)
    here: dict[str, Any] = {"include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES, "_temp_dir": sockets}
    try:
        with _loopback_only():
            ray.init(address="local", num_cpus=cores, log_to_driver=False, logging_level=logging.CRITICAL, **here)
    finally:
        restore(on_termination)
    protect_token()
    return int(ray.cluster_resources().get("CPU", 1))


def _end(ray: Any, sockets: str | None) -> None:
    """End the cluster, or what there is of it: of one that didn't start Ray itself knows nothing any more."""
    try:
        ray.shutdown()
    except Exception:  # it is ended all the same, and at its exit the process must not try again, with a page on why it can't
        from ray._private import worker

        atexit.unregister(worker.shutdown)
    if sockets is not None:
        end_children(sockets)


def end_children(mark: str) -> None:
    """Kill the processes that this one has started and whose command line has `mark` in it."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):  # it may end while we look
            parent = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1]
            if int(parent) == os.getpid() and mark.encode() in (folder / "cmdline").read_bytes():
                os.kill(int(folder.name), signal.SIGKILL)


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
