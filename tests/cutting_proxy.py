"""A proxy before a PostgreSQL server that cuts a connection at a COMMIT: before the server gets it, or after it has answered.

Either way the client can't know whether the transaction was recorded.
"""

import contextlib
import socket
import threading
from pathlib import Path
from typing import Literal

Moment = Literal["before", "after"]


class CuttingProxy:
    """Listens on a Unix socket in `directory`, as a server does, and passes on to the server whose socket is in `server`."""

    def __init__(self, directory: Path, server: Path) -> None:
        self.directory = directory
        self.cuts: list[Moment] = []
        self._server = server / ".s.PGSQL.5432"
        self._next: Moment | None = None
        self._lock = threading.Lock()
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(directory / ".s.PGSQL.5432"))
        self._listening.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, moment: Moment) -> None:
        """Cut the next COMMIT."""
        self._next = moment

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._server))
                doomed = threading.Event()
                for one in ((client, server, doomed), (server, client, doomed)):
                    threading.Thread(target=self._pass_on, args=(*one, one[0] is client), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, doomed: threading.Event, is_client: bool) -> None:
        with contextlib.suppress(OSError):
            while received := source.recv(1 << 16):
                if is_client and b"COMMIT" in received:
                    with self._lock:
                        moment, self._next = self._next, None
                    if moment is not None:
                        self.cuts.append(moment)
                    if moment == "before":
                        break
                    if moment == "after":
                        doomed.set()
                elif doomed.is_set():
                    break  # the answer to the COMMIT: it is recorded, and nobody hears of it
                target.sendall(received)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
