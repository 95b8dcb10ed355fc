"""A whole study end to end on tiny images: plan, calibration, search, finalists, test and verdict; and the same one killed
between its stages and in the midst of them, which trains nothing twice and comes to the same.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from search_fixture import write_bars

from policysearch.course.planned import ALL_ROLES
from policysearch.home import Home
from policysearch.ledger import Ledger

SCRIPT = """
import json, os, signal, sys
from policysearch import Study
from policysearch.cli.tally import Tally

home, data, kill_at = sys.argv[1:4]
heard, tally = {"finished": 0}, Tally(2)

def hear(event):
    tally.hear(event)
    heard["finished"] += event.kind == "finished"
    at = event.text if event.kind == "stage" else str(heard["finished"]) if event.kind == "finished" else None
    if at == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)

study = Study(
    data, epochs=2, home=home, name="whole", sampler="random", workers=2, any_budget=True, finalists=1, finalist_seeds=2
)
outcome = study.run(trials=2, listener=hear, test=True)
verdict = outcome.judgement.verdict
counted = (tally.standing(), tally.left_in_words())
print(json.dumps([verdict.kind, outcome.winner.label, list(outcome.notes), outcome.resumed, *counted]))
"""
TRAININGS = {"rehearsal": 1, "baseline": 5, "calibration": 3, "trial": 2, "finalist": 6}


def run(home: Path, data: Path, kill_at: str = "") -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    words = [sys.executable, "-c", SCRIPT, str(home), str(data), kill_at]
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=900)


def rows(home: Path) -> list[tuple[Any, ...]]:
    ledger = Ledger(Home(home).ledger_url)
    (study,) = ledger.studies()
    found = []
    for trial in ledger.trials(study.uid, ALL_ROLES):
        assert trial.result is not None and trial.result.score is not None
        how = (trial.spec["split"], trial.spec["replicate"], trial.budget_epochs)
        found.append((trial.role, trial.label, *how, trial.result.score.wrong))
    return sorted(found)


def attempts(home: Path) -> int:
    ledger = Ledger(Home(home).ledger_url)
    (study,) = ledger.studies()
    return sum(trial.attempts for trial in ledger.trials(study.uid, ALL_ROLES))


@pytest.mark.slow
def test_a_study_killed_between_and_in_its_stages_comes_to_what_it_would_have_and_trains_nothing_twice(tmp_path: Path) -> None:
    data = write_bars(tmp_path / "bars.npz")
    whole = run(tmp_path / "whole", data)
    assert whole.returncode == 0, whole.stderr
    kind, winner, notes, resumed, standing, left = json.loads(whole.stdout)
    assert not resumed
    assert any(note.startswith("planned: about ") for note in notes)
    kills = ("12", "models for the test")
    for kill_at in kills:
        assert run(tmp_path / "killed", data, kill_at).returncode == -9, kill_at
    last = run(tmp_path / "killed", data)
    assert last.returncode == 0, last.stderr
    assert json.loads(last.stdout)[:2] == [kind, winner]
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")
    count = Counter(role for role, *_ in rows(tmp_path / "whole"))
    assert {role: count[role] for role in TRAININGS} == TRAININGS
    assert count["confirmation"] in (2, 4), "one arm alone where a baseline won"
    assert attempts(tmp_path / "whole") == count.total()
    ended = "models for the test: {0} of {0}, {1} of {1} in all".format(count["confirmation"], count.total() - 1)
    assert standing.startswith(ended) and left == "about 0 s left", "what was planned is what was trained, the rehearsal aside"
    assert json.loads(last.stdout)[4].startswith(ended), "and so where most of it was there already"
    assert attempts(tmp_path / "killed") <= count.total() + 2, "two workers at most were at work at one kill within a stage"
    again = run(tmp_path / "killed", data)
    assert json.loads(again.stdout)[:4:3] == [kind, True]
    assert attempts(tmp_path / "killed") <= count.total() + 2
