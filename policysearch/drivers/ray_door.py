"""The door of a Ray cluster: its address, whether anybody answers there, and the token that it may want.

Refuses, in one line and within seconds, addresses where no cluster answers and clusters whose token this account hasn't got: Ray
itself would wait for minutes, or say it in a page.
"""

import os
import socket
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policysearch.drivers.ray_environment import AUTH_MODE, read_mode_again
from searchspaces.errors import BadInput

CONNECT_SECONDS = 10.0
CLIENT = "ray://"
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
        raise no_answer("auto", str(error).strip().splitlines()[0]) from error


def open_door(address: Address) -> str | None:
    """See that a cluster answers and lets us in, with the token where it wants one; a note where it lets in everybody.

    To be called inside `environment`: what it finds out is set there for Ray.
    """
    host, _, port = address.door.rpartition(":")
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise no_answer(address.said, str(error)) from error
    import ray  # noqa: F401  sets up what the next lines read

    protect_token()
    chosen = os.environ.get(AUTH_MODE)
    os.environ[AUTH_MODE] = "disabled"
    read_mode_again()
    answer = _ask(address)
    if chosen is None:
        os.environ.pop(AUTH_MODE)
    else:
        os.environ[AUTH_MODE] = chosen
    read_mode_again()
    if answer == "UNAUTHENTICATED":
        _take_token(address, chosen)
        return None
    if answer != "OK":
        raise no_answer(address.said, answer)
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
    read_mode_again()
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


def protect_token() -> None:
    """Ray writes the token so that everybody may read it; only its owner should."""
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    path = Path(named) if named else Path.home() / ".ray" / "auth_token"
    with suppress(OSError):
        found = path.stat()
        if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) & 0o077:
            path.chmod(0o600)


def no_answer(address: str, reason: str) -> BadInput:
    """What is raised where nothing that is a cluster answers."""
    return BadInput(f"address {address!r}: no Ray cluster answers there ({reason}); start one with `ray start --head`")
