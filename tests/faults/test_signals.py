"""The command line is stopped in the ways that terminals, schedulers and pipes stop things, and goes on by the same command."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from search_fixture import FREE, NO_MIRROR, SEARCH_ALONE_OPTIONS, command_of, lives, processes_below, write_bars

from policysearch.home import Home
from policysearch.ledger import Ledger

pytestmark = pytest.mark.timeout(900)  # many processes are started, one after the other
GONE_SECONDS = 60.0  # a worker that is left alone waits for ever


def close_output(search: "subprocess.Popen[str]") -> None:
    """As `head` does when it has seen enough."""
    assert search.stdout is not None
    search.stdout.close()


def twice(search: "subprocess.Popen[str]") -> None:
    search.send_signal(signal.SIGINT)
    search.send_signal(signal.SIGINT)


STOPS: dict[str, tuple[Callable[["subprocess.Popen[str]"], None], int]] = {
    "SIGTERM": (lambda search: search.send_signal(signal.SIGTERM), 143),
    "SIGHUP": (lambda search: search.send_signal(signal.SIGHUP), 129),
    "closed output": (close_output, 141),
    "Ctrl-C twice": (twice, 130),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", STOPS)
def test_a_search_that_is_stopped_ends_its_workers_says_how_to_go_on_and_keeps_what_is_finished(
    name: str, tmp_path: Path
) -> None:
    stop, code = STOPS[name]
    data, home = write_bars(tmp_path / "bars.npz", train=600), tmp_path / "home"
    words = [sys.executable, "-m", "policysearch", "search", "--data", str(data), "--trials", "2", "--epochs", "6"]
    words += SEARCH_ALONE_OPTIONS
    environment = os.environ | NO_MIRROR | {"POLICYSEARCH_HOME": str(home), "POLICYSEARCH_ENGINE": "grouped"}
    environment |= {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as search:
        assert search.stdout is not None and search.stderr is not None
        while "% wrong after" not in search.stdout.readline():
            assert search.poll() is None, "it ended before a trial had finished"
        below = [pid for pid in processes_below(search.pid) if b"drivers.worker" in command_of(pid)]
        stop(search)
        err = search.stderr.read()
        assert search.wait(60) == code, err
    assert "the same command goes on from there" in err and "Traceback" not in err and "Exception ignored" not in err
    give_up_at = time.monotonic() + GONE_SECONDS
    while any(map(lives, below)):
        assert time.monotonic() < give_up_at, "its workers outlive it"
        time.sleep(0.1)
    ledger = Ledger(Home(home).ledger_url)
    before = [trial for trial in ledger.trials(ledger.studies()[0].uid) if trial.result is not None]
    assert 1 <= len(before) < FREE + 2
    assert subprocess.run(words, env=environment, capture_output=True, timeout=250).returncode == 0
    after = ledger.trials(ledger.studies()[0].uid)
    assert len(after) == FREE + 2 and all(trial in after for trial in before), "a finished trial was run again"


def test_a_signal_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    """As nohup does it: the search must not undo that."""
    from policysearch.stopping import termination_interrupts

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with termination_interrupts():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)
