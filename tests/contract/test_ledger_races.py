"""Many processes on one ledger, some of them killed in the middle: one stored value, nothing lost, nothing half."""

import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url

from policysearch.ledger import Ledger, sqlite_url
from trials.values import Epoch, Score, TrialResult

RACER = Path(__file__).with_name("ledger_racer.py")
Racer = subprocess.Popen[str]


@contextmanager
def racers(role: str, url: str, players: int, studies: Sequence[str]) -> Iterator[list[Racer]]:
    """Processes that have loaded everything and go when they leave the gate together."""
    commands = [[sys.executable, str(RACER), role, url, str(player), *studies] for player in range(players)]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for command in commands]
    try:
        for racer in started:
            assert racer.stdout is not None and racer.stdout.readline() == "ready\n"
        for racer in started:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        yield started
    finally:
        for racer in started:
            racer.kill()
            racer.communicate()


def acknowledged(racer: Racer) -> list[tuple[str, str, int]]:
    """(player's word, uid, value) of every whole line; a killed one's last line may be cut."""
    output, _ = racer.communicate(timeout=120)
    lines = output.split("\n")[:-1]
    return [(word, uid, int(value) if value.isdigit() else -1) for word, uid, value in map(str.split, lines)]


def require_sound(url: str) -> None:
    path = make_url(url).database
    if url.startswith("sqlite"):
        connection = sqlite3.connect(str(path))
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        connection.close()


def test_eight_processes_agree_on_a_new_ledger_and_on_each_result(new_ledger_url: str) -> None:
    with racers("commit", new_ledger_url, 8, ["race"]) as started:
        heard = [acknowledged(racer) for racer in started]
        assert [racer.returncode for racer in started] == [0] * 8
    ledger = Ledger(new_ledger_url)
    (study,) = ledger.studies()
    trials = ledger.trials(study.uid)
    assert [(trial.number, trial.attempts) for trial in trials] == [(number, 8) for number in range(6)]
    stored = {trial.trial_uid: trial.result.score.wrong for trial in trials if trial.result and trial.result.score}
    assert len(stored) == 6
    assert all({uid: value for _, uid, value in lines} == stored for lines in heard)
    require_sound(new_ledger_url)


def test_killed_writers_leave_no_half_result(new_ledger_url: str) -> None:
    ledger = Ledger.open(new_ledger_url)
    study = ledger.create_study("killed", {})
    dice = random.Random(new_ledger_url.startswith("sqlite"))
    heard: dict[str, int] = {}
    with racers("write", new_ledger_url, 3, [study.uid]) as started:
        while sum(trial.result is not None for trial in ledger.trials(study.uid)) < 6:  # all but one a writer are acknowledged
            time.sleep(0.05)
        for racer in started:
            time.sleep(dice.uniform(0, 0.4))
            racer.kill()
        for racer in started:
            heard |= {uid: value for _, uid, value in acknowledged(racer)}
    assert len(heard) >= 3, "the writers were killed before they wrote anything"
    require_sound(new_ledger_url)
    results = {trial.trial_uid: trial.result for trial in ledger.trials(study.uid)}
    assert heard.keys() <= {uid for uid, result in results.items() if result is not None}
    for uid, result in results.items():
        if result is not None:
            assert result.score is not None and len(result.epochs) == 100
            assert result.score.wrong == int(uid.removeprefix("uid")) % 200 == heard.get(uid, result.score.wrong)
    assert sum(result is None for result in results.values()) <= 3  # added, then killed: at most one a writer


def test_a_gate_race_with_kills_ends_with_one_figure_a_study(new_ledger_url: str) -> None:
    ledger = Ledger.open(new_ledger_url)
    studies = [ledger.create_study(f"study {number}", {}).uid for number in range(12)]
    dice = random.Random(7)
    with racers("look", new_ledger_url, 5, studies) as started:
        for racer in started[:3]:
            time.sleep(dice.uniform(0, 0.25))
            racer.kill()
        heard = [acknowledged(racer) for racer in started]
        assert [racer.returncode for racer in started[3:]] == [0, 0]
    require_sound(new_ledger_url)
    looks = []
    for study in studies:
        claim = ledger.claim(study)
        assert claim is not None  # the survivors saw to it
        if claim.figure is None:  # its claimant was killed, and the survivor that was left asked for another model
            ledger.commit_figure(study, [Score((True,) * 200, ((200, 0), (0, 0)), 0.0)] * 2)
        ended = ledger.claim_test(study, "images", claim.models)
        assert ended.figure is not None and ended.models == claim.models
        looks.append(claim.looks_before)
        for lines in heard:
            for word, uid, value in lines:
                assert uid != study or word == "refused" or value == ended.figure.wrong
    assert sorted(looks) == list(range(12))  # each claim counted those before it, exactly
    refusals = [line for lines in heard for line in lines if line[0] == "refused"]
    assert refusals and len(refusals) < sum(map(len, heard))


def test_a_transaction_that_dies_before_its_commit_never_was(tmp_path: Path) -> None:
    ledger = Ledger.open(sqlite_url(tmp_path / "ledger.sqlite"))
    study = ledger.create_study("dies", {})
    ledger.add_trial(study.uid, 0, "trial", "", {}, "digest", "", {"trial_uid": "uid"})
    code = (
        "import os, signal, sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('BEGIN IMMEDIATE')\n"
        "connection.execute(\"INSERT INTO result (trial_uid, status, body) VALUES ('uid', 'failed', '{}')\")\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path / "ledger.sqlite"]).returncode == -9
    assert ledger.result("uid") is None
    result = TrialResult("uid", "done", (Epoch(1, 0.5, 0, 1),), Score((True,), ((1,),), 0.1))
    assert ledger.commit_result(result) == result
