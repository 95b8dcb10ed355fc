"""Being the one process that searches a study, wherever its ledger is: a hold in the ledger, renewed while this process lives.

The home's lock does this among the processes of one home; the hold does it among machines that share a ledger. A holder that dies
leaves its hold to lapse, by the database's clock; one that died on this very machine is found dead and not waited for. Refuses a
study that another process holds. A process that was asleep for longer than its hold may have lost it: `Hold.require` says so.
"""

import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from policysearch.ledger import LEASE_SECONDS, Ledger, StudyHeld, StudyRecord
from searchspaces.errors import BadInput

if TYPE_CHECKING:
    from policysearch.drivers import Event, Listener

RENEWALS_A_LEASE = 3
RELEASE_SECONDS = 2.0


class Hold:
    """A hold on a study; `lost` once another process has it."""

    def __init__(self, ledger: Ledger, study: StudyRecord, fence: int) -> None:
        self._ledger, self._study, self._fence = ledger, study, fence
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="hold", daemon=True)
        self.lost = False
        self._thread.start()

    def require(self) -> None:
        """Raise BadInput when another process has taken the study over."""
        if self.lost:
            raise BadInput(
                f"study {self._study.name!r}: this process was away for so long that another one has taken it over; nothing is"
                " lost, that one goes on"
            )

    def watching(self, listener: "Listener") -> "Listener":
        """The listener, which first raises as `require` does: so a search learns at its next event that it has lost its study."""

        def hear(event: "Event") -> None:
            self.require()
            listener(event)

        return hear

    def release(self) -> None:
        """End the hold. Where the ledger can't be reached nobody waits for it: the hold lapses by itself."""
        self._over.set()
        self._thread.join(RELEASE_SECONDS)

    def _keep(self) -> None:
        while not (self.lost or self._over.wait(LEASE_SECONDS / RENEWALS_A_LEASE)):
            with suppress(BadInput):  # the ledger is away, for everybody; when it is back the hold may still be there
                self.lost = not self._ledger.renew_hold(self._study.uid, self._fence, LEASE_SECONDS)
        with suppress(BadInput):
            self._ledger.release_hold(self._study.uid, self._fence)


@contextmanager
def held(ledger: Ledger, study: StudyRecord) -> Iterator[Hold]:
    """Hold the study inside. Raises BadInput, naming who has it and for how long, when another process does."""
    hold = Hold(ledger, study, _take(ledger, study))
    try:
        yield hold
    finally:
        hold.release()


def is_searched(ledger: Ledger, study: StudyRecord) -> bool:
    """Whether a process holds the study, as far as is known: one that died elsewhere seems to until its hold lapses."""
    holder = ledger.holder(study.uid)
    return holder is not None and not _is_dead(holder[0])


def holder_in_words(owner: str) -> str:
    """An owner for people: which process, and where."""
    host, _, rest = owner.partition(":")
    return f"process {rest.partition(':')[0]} on {host}"


def _take(ledger: Ledger, study: StudyRecord) -> int:
    try:
        return ledger.hold_study(study.uid, _owner(), LEASE_SECONDS)
    except StudyHeld as other:
        if not _is_dead(other.owner):
            raise _refusal(study, other) from None
        dead = other.owner
    try:
        return ledger.hold_study(study.uid, _owner(), LEASE_SECONDS, instead_of=dead)
    except StudyHeld as quicker:
        raise _refusal(study, quicker) from None


def _refusal(study: StudyRecord, other: StudyHeld) -> BadInput:
    return BadInput(
        f"study {study.name!r}: {holder_in_words(other.owner)} is at work on it; wait for it, or stop it and try again"
        f" (if it is dead, in {other.seconds_left:.0f} s)"
    )


def _owner() -> str:
    """Host, process, its start, and a mark of the machine: enough to tell a dead process from another one of its number."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}:{_machine()}"


def _is_dead(owner: str) -> bool:
    """Whether the owner was a process of this machine, since its last start, and is gone. Of others it can't be known."""
    parts = owner.split(":")
    if len(parts) != 4 or (parts[0], parts[3]) != (socket.gethostname(), _machine()) or not parts[3]:
        return False
    return _started(int(parts[1])) != parts[2]


def _started(process: int) -> str:
    """When a process began, in ticks since the machine did; empty without such a process."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    after_name = text.rpartition(")")[2].split()
    return "" if after_name[0] in "ZX" else after_name[19]


def _machine() -> str:
    """A mark of this start of this machine and of the process numbers it gives (containers have their own); empty if unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        numbers = os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
    return hashlib.sha256(f"{boot} {numbers}".encode()).hexdigest()[:12]
