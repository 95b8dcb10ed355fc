"""The Ray driver on clusters that were there before it: doors and tokens, shares of a GPU, from inside and outside, jobs, and
losses.

The clusters are real, of one machine, each in a process group of its own; the trials are imagined.
"""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from ray_fixture import ENOUGH, RAY, SEARCH_SECONDS, Head, begin, head, outcome, search, witnessed
from search_fixture import FREE, NO_MIRROR, SEARCH_ALONE_OPTIONS, write_bars

from policysearch.ledger import Ledger, sqlite_url
from searchspaces.errors import PolicysearchError

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LEASE_SECONDS = 2


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    """A head that wants its token, with four cores and what it takes for a GPU."""
    directory = tmp_path_factory.mktemp("h")
    token = directory / "token"
    with head(directory, 4, "--num-gpus=1", token=token, POLICYSEARCH_LEASE_SECONDS=str(LEASE_SECONDS), **NO_MIRROR) as found:
        yield found


def in_ledger(directory: Path) -> dict[str, int]:
    """Attempts of the trials that are done."""
    ledger = Ledger(sqlite_url(directory / "ledger.sqlite"))
    trials = ledger.trials(ledger.studies()[0].uid)
    return {trial.trial_uid: trial.attempts for trial in trials if trial.result is not None and trial.result.status == "done"}


def under_way(directory: Path) -> int:
    """How many trials have been begun."""
    begun = 0
    with suppress(PolicysearchError):  # it is not there yet, or half made
        ledger = Ledger(sqlite_url(directory / "ledger.sqlite"))
        begun = sum(bool(trial.attempts) for study in ledger.studies() for trial in ledger.trials(study.uid))
    return begun


def plain(environment: dict[str, str], **variables: str) -> dict[str, str]:
    """The environment without anything said of authentication."""
    return {name: value for name, value in environment.items() if not name.startswith("RAY_AUTH")} | variables


def test_four_trials_share_a_gpu_and_no_worker_imports_torch(guarded: Head, tmp_path: Path) -> None:
    process = begin(tmp_path, guarded.environment, address=guarded.address, gpus=0.25, seconds=100.0)
    while under_way(tmp_path) < 4:
        assert process.poll() is None
        time.sleep(0.1)
    (tmp_path / ENOUGH).touch()
    told = outcome(process)
    seen = witnessed(tmp_path / "witness")
    assert told["error"] is None and len(in_ledger(tmp_path)) == 8 and told["without"] == []
    assert {trial["gpus"] for trial in seen} == {"0"}
    assert not any(trial["torch"] for trial in seen)
    assert max(sum(a["began"] <= b["began"] < a["ended"] for a in seen) for b in seen) == 4, "four at once, and no fifth"


def test_it_searches_from_outside_of_the_cluster(guarded: Head, tmp_path: Path) -> None:
    told = search(tmp_path, guarded.environment, address=guarded.client, workers=2)
    assert told["error"] is None and told["notes"] == []
    assert sorted(told["ends"]) == sorted(in_ledger(tmp_path)) and len(told["ends"]) == 8 and told["without"] == []


def test_what_is_refused_before_a_search_from_outside_is_said_in_one_line(guarded: Head, tmp_path: Path) -> None:
    told = search(
        tmp_path,
        guarded.environment,
        address=guarded.client,
        gpus=0.25,
        ledger=sqlite_url(tmp_path / "l"),
        data={"directory": str(tmp_path / "nowhere"), "fingerprint": "0" * 64},
    )
    assert "nowhere" in told["error"] and "\n" not in told["error"]


@pytest.mark.parametrize("from_outside", [False, True])
def test_a_cluster_whose_token_is_missing_or_another_refuses_within_seconds(
    guarded: Head, tmp_path: Path, from_outside: bool
) -> None:
    address = guarded.client if from_outside else guarded.address
    began = time.monotonic()
    nothing = search(tmp_path, plain(guarded.environment, HOME=str(tmp_path)), address=address)
    wrong = search(tmp_path, plain(guarded.environment, RAY_AUTH_TOKEN="0" * 64), address=address)
    off = search(tmp_path, plain(guarded.environment, RAY_AUTH_MODE="disabled"), address=address)
    assert "wants its token, and there is none here; copy ~/.ray/auth_token" in nothing["error"]
    assert "refuses the one that is here" in wrong["error"]
    assert "RAY_AUTH_MODE is 'disabled' here; unset it" in off["error"]
    assert time.monotonic() - began < 120, "Ray itself would have taken a minute and more for each"


def test_a_token_that_is_there_is_sent_unasked_and_only_its_owner_may_read_it(guarded: Head, tmp_path: Path) -> None:
    token = tmp_path / "auth_token"
    token.write_text("f" * 64)
    token.chmod(0o644)
    told = search(tmp_path, plain(guarded.environment, RAY_AUTH_TOKEN_PATH=str(token)), address=guarded.address, count=2)
    assert told["error"] is None and told["notes"] == []
    assert stat.S_IMODE(token.stat().st_mode) == 0o600


def test_where_no_cluster_answers_one_line_says_so(tmp_path: Path) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        for address in ("127.0.0.1:1", f"127.0.0.1:{listening.getsockname()[1]}", "ray://127.0.0.1:1"):
            told = search(tmp_path, dict(os.environ), address=address)
            assert "no Ray cluster answers there" in told["error"] and "\n" not in told["error"], address
    assert "allowed are 'auto', HOST:PORT" in search(tmp_path, dict(os.environ), address="somewhere")["error"]


def test_a_worker_that_is_killed_costs_its_trial_one_more_try(guarded: Head, tmp_path: Path) -> None:
    process = begin(tmp_path, guarded.environment, address=guarded.address, workers=1, count=3, seconds=3.0)
    os.kill(first_worker(tmp_path), signal.SIGKILL)
    (tmp_path / ENOUGH).touch()
    told = outcome(process)
    assert len(in_ledger(tmp_path)) == 3 and max(in_ledger(tmp_path).values()) == 2
    assert any("a worker was lost" in note for note in told["notes"])


def test_a_worker_that_sleeps_loses_its_trial_and_the_search_goes_on(guarded: Head, tmp_path: Path) -> None:
    process = begin(tmp_path, guarded.environment, address=guarded.address, workers=1, count=3, seconds=3.0)
    sleeper = first_worker(tmp_path)
    os.kill(sleeper, signal.SIGSTOP)
    (tmp_path / ENOUGH).touch()
    told = outcome(process)
    with suppress(ProcessLookupError):
        os.kill(sleeper, signal.SIGCONT)
    assert len(in_ledger(tmp_path)) == 3 and max(in_ledger(tmp_path).values()) == 2
    assert any("gave no sign of life" in note for note in told["notes"])


def first_worker(directory: Path) -> int:
    """The process that has a trial in hand, once one has finished another."""
    give_up_at = time.monotonic() + 120
    while True:
        ledger_file = directory / "ledger.sqlite"
        ended = {trial["uid"] for trial in witnessed(directory / "witness")}  # written down before it is recorded
        if ended and ledger_file.exists():
            ledger = Ledger(sqlite_url(ledger_file))
            for trial in ledger.trials(ledger.studies()[0].uid):
                if trial.attempts and trial.result is None and trial.trial_uid not in ended:
                    assert trial.owner is not None
                    return int(trial.owner.rpartition(":")[2])
        assert time.monotonic() < give_up_at, "no trial has begun"
        time.sleep(0.02)


def test_when_the_head_is_gone_one_line_says_so_and_the_same_search_goes_on_elsewhere(guarded: Head, tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    with head(tmp_path / "first", 2) as lost:
        process = begin(tmp_path, lost.environment, address=lost.address, count=12, seconds=1.0)
        first_worker(tmp_path)
        lost.end()
        told = outcome(process, 120)
    assert "the Ray cluster's head is gone; what was finished is kept" in told["error"]
    assert told["notes"] == [note for note in told["notes"] if "asks for no token" in note or "was lost" in note]
    before = in_ledger(tmp_path)
    assert 0 < len(before) < 12
    told = search(tmp_path, guarded.environment, address=guarded.address, count=12, seconds=0.1)
    assert told["error"] is None and len(in_ledger(tmp_path)) == 12
    assert {uid: in_ledger(tmp_path)[uid] for uid in before} == before, "what was finished was not run again"


def test_a_job_submitted_from_another_directory_searches(guarded: Head, tmp_path: Path) -> None:
    """As docs/cluster.md says, with a real training on tiny images."""
    elsewhere, home = tmp_path / "elsewhere", tmp_path / "home"
    elsewhere.mkdir()
    write_bars(elsewhere / "bars.npz")
    policysearch = str(Path(sys.executable).with_name("policysearch"))
    wishes = ["--data", "bars.npz", "--trials", "1", "--epochs", "1", "--driver", "ray", "--address", "auto", "--study", "job"]
    entry = ["--", policysearch, "search", *wishes, "--home", str(home), "--sampler", "random", *SEARCH_ALONE_OPTIONS]
    command = [RAY, "job", "submit", "--address", guarded.dashboard, "--working-dir", str(elsewhere), *entry]
    environment = guarded.environment | {"PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, timeout=SEARCH_SECONDS, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    ledger = Ledger(sqlite_url(home / "ledger.sqlite"))
    (study,) = ledger.studies()
    results = [trial.result for trial in ledger.trials(study.uid)]
    assert study.name == "job" and len(results) == FREE + 1 and all(result and result.status == "done" for result in results)
