"""Where a trial's time goes: seconds by name, on the monotonic clock.

On a GPU the host runs ahead of the device, so the spans there say where the host waited.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Spans:
    """Adds up the seconds spent under each name; names may nest (`total` holds the others)."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Adds the time until the block ends, however it ends, to `name`."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - start
