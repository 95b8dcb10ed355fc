"""How the driver reaches a Ray cluster that is there, with its token, and what Ray is told wherever it runs.

The cluster is left as it was (`ray_here` starts one for a search). Refuses, in one line and within seconds, addresses where no
cluster answers and clusters whose token this account hasn't got: Ray itself would wait for minutes, or say it in a page.
"""

import atexit
import logging
import os
import signal
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policysearch.drivers.worker_environment import memory_keeping, one_thread_each
from searchspaces.errors import BadInput
from searchspaces.json_text import one_line

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
CONNECT_SECONDS = 10.0
LEAVE_SECONDS = 10.0
CLIENT = "ray://"
CLIENT_STARTS = 3  # the process that Ray's client server starts for us sometimes dies of its own fork
OPEN = (
    "the Ray cluster asks for no token: whoever reaches its ports can run programs on it; "
    "start it with RAY_AUTH_MODE=token on every machine"
)


@dataclass(frozen=True)
class Address:
    """Where a cluster's door is: HOST:PORT of its head, or of its client server."""

    said: str
    door: str
    is_client: bool

    @staticmethod
    def read(said: str) -> "Address":
        """From `auto`, HOST:PORT or ray://HOST:PORT. BadInput for anything else, and where `auto` finds nothing."""
        if said == "auto":
            door = _of_this_machine()
            if not door.startswith(CLIENT):
                return Address(said, door, False)
        else:
            door = said
        is_client = door.startswith(CLIENT)
        host, _, port = door.removeprefix(CLIENT).rpartition(":")
        if not (host and port.isdecimal() and "/" not in host):
            raise BadInput(
                f"address {said!r}: allowed are 'auto', HOST:PORT of a Ray cluster's head (`ray start --head` says it), and"
                " ray://HOST:10001 from a machine outside of the cluster"
            )
        return Address(said, f"{host}:{port}", is_client)

    @property
    def for_ray(self) -> str:
        """As `ray.init` takes it."""
        return f"{CLIENT}{self.door}" if self.is_client else self.door


def _of_this_machine() -> str:
    from ray._private import services

    try:
        return str(services.canonicalize_bootstrap_address_or_die("auto"))
    except ValueError:
        return os.environ.get("RAY_ADDRESS", "")
    except ConnectionError as error:
        raise _nobody("auto", str(error).strip().splitlines()[0]) from error


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
        _read_mode_again()


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
            raise _nobody(address.said, one_line(lines[-1] if address.is_client else lines[0])) from error


def open_door(address: Address) -> str | None:
    """See that a cluster answers and lets us in, with the token where it wants one; a note where it lets in everybody.

    To be called inside `environment`: what it finds out is set there for Ray.
    """
    host, _, port = address.door.rpartition(":")
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _nobody(address.said, str(error)) from error
    import ray  # noqa: F401  sets up what the next lines read

    protect_token()
    chosen = os.environ.get(AUTH_MODE)
    os.environ[AUTH_MODE] = "disabled"
    _read_mode_again()
    answer = _ask(address)
    if chosen is None:
        os.environ.pop(AUTH_MODE)
    else:
        os.environ[AUTH_MODE] = chosen
    _read_mode_again()
    if answer == "UNAUTHENTICATED":
        _take_token(address, chosen)
        return None
    if answer != "OK":
        raise _nobody(address.said, answer)
    return OPEN


def _take_token(address: Address, chosen: str | None) -> None:
    from ray import _raylet

    refusal = f"address {address.said!r}: the Ray cluster wants its token"
    if chosen is not None and chosen.lower() != "token":
        raise BadInput(f"{refusal}, and {AUTH_MODE} is {chosen!r} here; unset it, or set it to token")
    loader: Any = getattr(_raylet, "AuthenticationTokenLoader").instance()  # noqa: B009  # compiled, so unknown to mypy
    loader.reset_cache()
    cure = "copy ~/.ray/auth_token from the cluster's head to this machine, mode 600, or name its copy with RAY_AUTH_TOKEN_PATH"
    if not loader.has_token(ignore_auth_mode=True):
        raise BadInput(f"{refusal}, and there is none here; {cure}")
    os.environ[AUTH_MODE] = "token"
    _read_mode_again()
    if _ask(address) != "OK":
        raise BadInput(f"{refusal}, and refuses the one that is here; {cure}")


def _ask(address: Address) -> str:
    """What the door says to a harmless question: OK, UNAUTHENTICATED, or why there is no answer."""
    from ray._private.grpc_utils import init_grpc_channel

    channel = init_grpc_channel(address.door, options=(("grpc.enable_http_proxy", 0),))
    try:
        if address.is_client:
            from ray.core.generated import ray_client_pb2, ray_client_pb2_grpc

            messages: Any = ray_client_pb2
            question = messages.ClusterInfoRequest(type=messages.ClusterInfoType.PING)
            ray_client_pb2_grpc.RayletDriverStub(channel).ClusterInfo(question, timeout=CONNECT_SECONDS)
        else:
            channel.unary_unary("/ray.rpc.NodeInfoGcsService/GetClusterId")(b"", timeout=CONNECT_SECONDS)
        return "OK"
    except Exception as error:
        code = getattr(error, "code", None)
        if code is None:
            raise
        name = str(code().name)
        return name if name == "UNAUTHENTICATED" else "what answers there is no Ray"
    finally:
        channel.close()


def answers(address: Address) -> bool:
    """Whether the cluster's head is still there."""
    try:
        return _ask(address) == "OK"
    except Exception:
        return False


def _read_mode_again() -> None:
    """Have Ray look at RAY_AUTH_MODE again: it does so once, when it is imported, and would hang with what it saw then."""
    import sys

    if "ray" in sys.modules:
        from ray import _raylet

        getattr(_raylet, "Config").initialize("")  # noqa: B009  # compiled, so unknown to mypy


def protect_token() -> None:
    """Ray writes the token so that everybody may read it; only its owner should."""
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    path = Path(named) if named else Path.home() / ".ray" / "auth_token"
    with suppress(OSError):
        found = path.stat()
        if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) & 0o077:
            path.chmod(0o600)


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


def _nobody(address: str, reason: str) -> BadInput:
    return BadInput(f"address {address!r}: no Ray cluster answers there ({reason}); start one with `ray start --head`")
