"""Where a trial's time goes: seconds by name, on the monotonic clock.

On a GPU the host runs ahead of the device, so the spans there say where the host waited, unless `synchronise` makes it wait at
both ends of each.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Spans:
    """Adds up the seconds spent under each name; names may nest (`total` holds the others).

    `synchronise` is called before a span begins and when it has ended well: what waits for the device where times must be true.
    """

    def __init__(self, synchronise: Callable[[], None] = lambda: None) -> None:
        self.seconds: dict[str, float] = {}
        self._synchronise = synchronise

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Adds the time until the block ends, however it ends, to `name`."""
        self._synchronise()
        start = time.monotonic()
        try:
            yield
            self._synchronise()
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - start
