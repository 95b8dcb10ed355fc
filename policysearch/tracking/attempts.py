"""Calls to MLflow that may fail without harm: the mirror is behind then, and the search goes on. Raises nothing."""

from collections.abc import Callable
from typing import TypeVar

from policysearch.tracking.target import Target

Answer = TypeVar("Answer")

FAILURES_IN_A_ROW = 2  # after so many a pass gives up: a server that never answers costs two time-outs, not one a trial


class Attempts:
    """It keeps the last failure's reason, and after two in a row makes no more calls."""

    def __init__(self, target: Target) -> None:
        self.reason: str | None = None
        self._target = target
        self._failures = 0

    def made(self, work: Callable[[], Answer]) -> Answer | None:
        """What `work` gives; None when it failed."""
        if self._failures >= FAILURES_IN_A_ROW:
            return None
        try:
            answer = work()
        except Exception as error:  # whatever client, network, database and disk raise: the mirror is behind, the search goes on
            self._failures += 1
            self.reason = self._target.told(error)
            return None
        self._failures = 0
        return answer

    def without_blame(self, work: Callable[[], Answer], what: str) -> tuple[Answer | None, str | None]:
        """As `made`, for what the mirror is whole without: the failure is no reason, but a note that begins with `what`."""
        if self._failures >= FAILURES_IN_A_ROW:
            return None, None
        try:
            return work(), None
        except Exception as error:  # such as a net that torch can't export
            return None, f"{what}: {self._target.told(error)}"
