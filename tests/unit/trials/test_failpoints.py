"""Fail points: asleep without the variable, deadly with it, and never for a place that isn't there."""

import os
import signal
import subprocess
import sys

import pytest

from trials.failpoints import VARIABLE, reach

SCRIPT = "from trials.failpoints import reach\nfor _ in range(20):\n    reach('after_commit')\nprint('alive')"


def run(rules: str) -> int:
    return subprocess.run([sys.executable, "-c", SCRIPT], env=os.environ | {VARIABLE: rules}, capture_output=True).returncode


def test_a_point_that_is_named_kills_and_others_do_not() -> None:
    assert run("after_commit=kill") == run("gate_claimed=kill after_commit=kill:1:3") == -signal.SIGKILL
    assert run("gate_claimed=kill") == run("after_commit=kill:0:1") == run("") == 0


def test_unknown_places_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError):
        reach("nowhere")
    monkeypatch.setenv(VARIABLE, "nowhere=kill")
    with pytest.raises(ValueError, match="no point 'nowhere'; there are before_claim"):
        reach("after_commit")
