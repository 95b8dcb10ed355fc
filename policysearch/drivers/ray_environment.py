"""Ray's variables while a search runs: what keeps it quiet, where it listens, and how it asks for its token.

They are set around a search and put back after it. Ray reads some of them only when it is imported.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from policysearch.drivers.worker_environment import memory_keeping, one_thread_each

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Tune would finish its own bookkeeping first, and say how to restore from it
    "TUNE_WARN_THRESHOLD_S": "60",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",  # nothing is restored from Tune's record, so it needn't be written
}
WHERE_IT_IS = {"RAY_gcs_rpc_server_reconnect_timeout_s": "86400"}  # after it Ray would end the process; the driver notices sooner
HERE_ONLY = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # means: listen on 127.0.0.1
AUTH_MODE = "RAY_AUTH_MODE"  # Ray sets it itself, to "token", when it starts a cluster here


@contextmanager
def environment(here: bool) -> Iterator[None]:
    """Inside, Ray's variables are set, for a cluster started `here` also those that it inherits."""
    wanted = {**QUIET, **(HERE_ONLY if here else WHERE_IT_IS)}
    if here:
        one_thread_each(wanted)
        wanted |= memory_keeping(os.environ)
    before = {name: os.environ.get(name) for name in (*wanted, AUTH_MODE)}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        read_mode_again()


def read_mode_again() -> None:
    """Have Ray look at RAY_AUTH_MODE again: it does so once, when it is imported, and would hang with what it saw then."""
    if "ray" in sys.modules:
        from ray import _raylet

        getattr(_raylet, "Config").initialize("")  # noqa: B009  # compiled, so unknown to mypy
