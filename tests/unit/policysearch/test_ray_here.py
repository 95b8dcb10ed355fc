"""A Ray of one's own that doesn't start: tried again from nothing, said in one line, and nothing of it left. Without Ray."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from policysearch.drivers.ray_here import STARTS, end_children, patiently
from searchspaces.errors import PolicysearchError

SLOW = "The current node timed out during startup. This could happen because the GCS has become overloaded.\nand a page more"


def failing(times: int, log: list[str]) -> Callable[[], int]:
    def start() -> int:
        log.append("start")
        if log.count("start") <= times:
            raise Exception(SLOW)  # a plain one, as Ray's is
        return 2

    return start


def test_a_start_that_fails_is_cleared_away_and_made_again() -> None:
    log: list[str] = []
    assert patiently(failing(2, log), lambda: log.append("end")) == 2
    assert log == ["start", "end", "start", "end", "start"]


def test_a_ray_that_never_starts_is_one_line_with_its_reason() -> None:
    with pytest.raises(PolicysearchError, match=r"timed out during startup.*what is finished is kept") as found:
        patiently(failing(STARTS, []), lambda: None)
    assert "\n" not in str(found.value)


def test_what_was_started_for_it_is_ended_and_nothing_else() -> None:
    waiting = [sys.executable, "-c", "input()"]
    with (
        subprocess.Popen([*waiting, "/tmp/ray-1-ours/session"], stdin=subprocess.PIPE) as ours,
        subprocess.Popen([*waiting, "/tmp/ray-1-other/session"], stdin=subprocess.PIPE) as other,
    ):
        end_children("/tmp/ray-1-ours")
        assert ours.wait(timeout=60) == -9
        assert other.poll() is None
        other.kill()
