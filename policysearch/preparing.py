"""What the user hears while images are prepared and compared with each other, which may take minutes."""

import time
from collections.abc import Callable

from policysearch.drivers import Event, Listener

FIRST_NOTE_SECONDS, MOST_NOTE_SECONDS = 5.0, 40.0


def noting(listener: Listener) -> Callable[[str, int, int], None]:
    """Tells the listener what is done and how far it is: after a few seconds, then ever more seldom."""
    noted, patience = time.monotonic(), FIRST_NOTE_SECONDS

    def progress(what: str, done: int, total: int) -> None:
        nonlocal noted, patience
        if time.monotonic() - noted > patience:
            noted, patience = time.monotonic(), min(2 * patience, MOST_NOTE_SECONDS)
            listener(Event("note", text=f"{what}: {done:,} of {total:,}"))

    return progress
