"""What the user hears while images are prepared, which may take long."""

import time
from collections.abc import Callable

from policysearch.drivers import Event, Listener

NOTE_SECONDS = 5.0


def noting(listener: Listener) -> Callable[[int, int], None]:
    """Tells the listener how far it is, every few seconds."""
    noted = time.monotonic()

    def progress(done: int, total: int) -> None:
        nonlocal noted
        if time.monotonic() - noted > NOTE_SECONDS:
            noted = time.monotonic()
            listener(Event("note", text=f"preparing images: {done:,} of {total:,}"))

    return progress
