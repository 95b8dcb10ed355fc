"""`policysearch extend`: more policies by the recorded wishes, nothing repeated; a child where the test set was looked at."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from search_fixture import FREE, SEARCH_ALONE, without_mirror, write_bars

from policysearch import Study
from policysearch.cli import run
from policysearch.cli.app import cli
from policysearch.extending import study_again
from policysearch.home import Home
from policysearch.ledger import SEARCHED, Ledger

Type = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Type:
    monkeypatch.setenv("POLICYSEARCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("POLICYSEARCH_ENGINE", "grouped")
    without_mirror(monkeypatch)
    monkeypatch.chdir(tmp_path)

    def type_in(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(cli, [str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return type_in


def trials_of(typed: Type, study: str) -> list[dict[str, Any]]:
    """Those among which the study's search chooses."""
    found: list[dict[str, Any]] = json.loads(typed("status", study, "--json")[1])
    return [trial for trial in found if trial["role"] in SEARCHED]


@pytest.mark.slow
@pytest.mark.timeout(900)  # six searches, and what follows four of them; much longer where the machine is shared
def test_a_study_goes_on_by_its_recorded_wishes_and_a_tested_one_as_its_child(typed: Type, tmp_path: Path) -> None:
    write_bars(tmp_path / "bars.npz")
    (tmp_path / "mine.yaml").write_text("space: randaugment\nparameters:\n  level: {low: 3, high: 15}\n")
    wishes: dict[str, Any] = {
        "data": "bars.npz",
        "space": "mine.yaml",
        "epochs": 1,
        "sampler": "random",
        "name": "bars",
        "workers": 1,
        "finalist_seeds": 1,
    } | SEARCH_ALONE
    first = Study(**wishes).run(trials=2)
    assert any("2 trials for 2 dimensions are few" in note for note in first.notes)
    before = trials_of(typed, "bars")

    # Neither where it was begun nor the space's file is needed any more.
    (tmp_path / "mine.yaml").unlink()
    (tmp_path / "elsewhere").mkdir()
    os.chdir(tmp_path / "elsewhere")
    code, out, err = typed("extend", "bars", "--trials", "+1", "--workers", 1)
    assert code == 0, err
    assert "policies tried so far: 2; wanted: 3" in out and f"{FREE + 2} trainings were there already" in out
    after = trials_of(typed, "bars")
    assert after[:-1] == before and len(after) == FREE + 3 and after[-1]["attempts"] == 1

    assert typed("test", "bars", "--yes")[0] == 0
    code, out, err = typed("extend", "bars", "--trials", "+1", "--workers", 1)
    assert code == 0, err
    assert "the test figure of bars has been disclosed, so it goes on as bars-2, whose own look will count that one" in out
    assert trials_of(typed, "bars") == after, "the parent stays as it was tested"
    child = trials_of(typed, "bars-2")
    assert [(row["label"], row["wrong"]) for row in child[:-1]] == [(row["label"], row["wrong"]) for row in after]
    assert len(child) == FREE + 4
    shown = json.loads(typed("show", "bars-2", "--json")[1])
    assert shown["parent"] == "bars" and shown["test"] is None
    assert "training it again" not in out, "the parent's weights were copied"

    ledger = Ledger(Home(tmp_path / "home").ledger_url)
    record = ledger.study("bars")
    assert record is not None
    again = study_again(record, workers=1).extend(5)
    assert (again.study, len(again.trials)) == ("bars-2", FREE + 5), "the child goes on, and no second one is made"
    code, figure, err = typed("test", "bars-2", "--yes")
    assert code == 0, err
    assert "1 other study of this ledger has looked at these test images before" in " ".join(figure.split())
    assert study_again(record, workers=1).extend("5").study == "bars-3"


@pytest.mark.parametrize("more", ["0", "+0", "-1", "+", "many", "1.5", "+9999999"])
def test_how_many_more_is_said_in_one_way(typed: Type, tmp_path: Path, more: str) -> None:
    wishes = {"data": str(write_bars(tmp_path / "bars.npz")), "space": "randaugment", "image_size": 64, "epochs": 1}
    home = Home(tmp_path / "home").make()
    Ledger.open(home.ledger_url).create_study("bars", {"any": "identity"}, wishes)
    code, _, err = typed("extend", "bars", "--trials=" + more)
    assert code in (2, 3) and err.count("\n") == 1


def test_a_study_of_before_and_one_that_is_not_there(typed: Type, tmp_path: Path) -> None:
    home = Home(tmp_path / "home").make()
    Ledger.open(home.ledger_url).create_study("old", {"any": "identity"})
    code, _, err = typed("extend", "old", "--trials", "+1")
    assert code == 2 and "repeat its search command with more --trials" in err and err.count("\n") == 1
    wishes = {"data": "nowhere:load", "space": "randaugment", "image_size": 64, "epochs": 1}
    Ledger.open(home.ledger_url).create_study("own", {"any": "identity"}, wishes)
    code, _, err = typed("extend", "own", "--trials", "+1")
    assert code == 2 and "because a ledger names it; name it yourself: --data nowhere:load" in err and err.count("\n") == 1
    code, _, err = typed("extend", "own", "--trials", "+1", "--data", "nowhere:load")
    assert code == 2 and "module nowhere can't be imported" in err, "now it is the user's wish"
    code, _, err = typed("extend", "none", "--trials", "+1")
    assert code == 2 and "study 'none': not in" in err


SLEEPY = """
import sys, time
from policysearch import Study

PAUSE_SECONDS = float(sys.argv[2])

def fn(context):
    time.sleep(PAUSE_SECONDS)
    return 1, 2

study = Study(objective=fn, home=sys.argv[1], name="own", workers=1, calibrate=False, finalists=0)
study.run(trials=1, listener=lambda event: print(event.kind, flush=True))
"""


def test_a_second_search_of_a_study_is_refused_and_names_the_first(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SLEEPY)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    words = [sys.executable, str(tmp_path / "mine.py"), str(tmp_path / "home")]
    first = subprocess.Popen([*words, "600"], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout is not None and first.stdout.readline() == "ready\n"
        second = subprocess.run([*words, "0"], env=environment, capture_output=True, text=True, timeout=120)
        assert second.returncode != 0
        assert re.search(rf"study 'own': .*{first.pid}.* is at work on it", second.stderr)
    finally:
        first.terminate()
        first.wait()
