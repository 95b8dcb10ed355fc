"""Studies whose trainer is a function of the user's own: a plain script, killed and called again; what comes after a search."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from search_fixture import FREE, SEARCH_ALONE, write_bars

from policysearch import Study, load_policy
from policysearch.cli import run
from policysearch.cli.app import cli
from policysearch.home import Home
from policysearch.ledger import Ledger, TrialRecord
from searchspaces.errors import BadInput, NoTrialSucceeded, StudyMismatch

TRIALS = 4

# No main guard, and a witness that knows nothing of ledgers: each call leaves a line when it begins and one when it ends.
SCRIPT = """
import json, os, sys, time
from pathlib import Path
from policysearch import Study

place, name, trials, how = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])

def say(word, trial):
    with (place / "witness").open("a") as file:
        file.write(f"{word} {trial} {os.getpid()}\\n")

def train(context):
    say("begun", context.trial_uid)
    for epoch in range(1, context.budget_epochs + 1):
        context.report(epoch, 40 - epoch, 100)
        time.sleep(how["pause"])
    say("done", context.trial_uid)
    return 20 + 3 * context.params.get("ops", 5) + context.params.get("level", 0), 100

wishes = json.loads(sys.argv[5])
study = Study(objective=train, epochs=2, name=name, home=place / "home", workers=2, sampler="random", **wishes)
outcome = study.run(trials=trials)
print(json.dumps([outcome.winner.label, outcome.resumed]))
"""


def start(place: Path, trials: int = TRIALS, pause: float = 0.0) -> "subprocess.Popen[str]":
    script = place / "scripts" / "mine.py"
    script.parent.mkdir(exist_ok=True)
    script.write_text(SCRIPT)
    words = [sys.executable, str(script), str(place), "own", str(trials), json.dumps({"pause": pause}), json.dumps(SEARCH_ALONE)]
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": root}
    return subprocess.Popen(
        words, cwd="/", env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def said(place: Path) -> "Counter[tuple[str, str]]":
    lines = (place / "witness").read_text().splitlines() if (place / "witness").exists() else []
    return Counter((word, trial) for word, trial, _ in map(str.split, lines))


def trials_of(home: Path, name: str = "own") -> tuple[TrialRecord, ...]:
    ledger = Ledger(Home(home).ledger_url)
    study = ledger.study(name)
    assert study is not None
    return ledger.trials(study.uid)


@pytest.mark.slow
def test_a_plain_script_is_killed_and_goes_on_with_nothing_lost_and_nothing_repeated(tmp_path: Path) -> None:
    first = start(tmp_path, pause=0.3)
    give_up_at = time.monotonic() + 120
    # Two workers: of three that are done one was recorded, since its worker has gone on.
    while sum(count for (word, _), count in said(tmp_path).items() if word == "done") < 3:
        assert first.poll() is None and time.monotonic() < give_up_at, first.communicate()
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    over = {trial.trial_uid for trial in trials_of(tmp_path / "home") if trial.result}
    assert 0 < len(over) < FREE + TRIALS

    second = start(tmp_path)
    out, errors = second.communicate(timeout=200)
    assert second.returncode == 0, errors
    trials = trials_of(tmp_path / "home")
    assert json.loads(out) == [min(trials, key=wrong).label, True]
    assert len(trials) == FREE + TRIALS and all(trial.result and trial.result.status == "done" for trial in trials)
    assert {trial.spec["objective"] for trial in trials} == {"mine:train"}
    counts = said(tmp_path)
    assert all(counts["begun", uid] == 1 for uid in over), "what was recorded is not run again"
    assert all(counts["done", trial.trial_uid] >= 1 for trial in trials)
    assert sum(counts.values()) <= 2 * (FREE + TRIALS) + 4, "only what was under way is run again"


def wrong(trial: TrialRecord) -> Any:
    assert trial.result is not None and trial.result.score is not None
    return trial.result.score.wrong, trial.number


def test_a_function_of_a_module_beside_the_script_runs_from_any_directory(tmp_path: Path) -> None:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "my_parts.py").write_text("WRONG = 7\n")
    (scripts / "my_trainer.py").write_text("import my_parts\n\ndef fn(context):\n    return my_parts.WRONG, 10\n")
    (scripts / "main.py").write_text(
        "import sys\nfrom policysearch import Study\nfrom my_trainer import fn\n"
        "outcome = Study(objective=fn, home=sys.argv[1], name='own', workers=1, calibrate=False, finalists=0).run(trials=1)\n"
        "print([trial.result.score.wrong for trial in outcome.trials])\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    words = [sys.executable, str(scripts / "main.py"), str(tmp_path / "home")]
    ended = subprocess.run(words, cwd="/", env=environment, capture_output=True, text=True, timeout=200)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == str([7] * (FREE + 1))


def by_level(context: Any) -> Any:
    level = context.params.get("level", 0)
    if level == 27:
        raise ValueError("too strong")
    context.report(1, 50, 100, train_loss=1.0)
    return [place % 100 >= level for place in range(100)]


def always_fails(context: Any) -> Any:
    return 0.25


def own(home: Path, **wishes: Any) -> Study:
    usual: dict[str, Any] = {"objective": by_level, "sampler": "grid", "epochs": 1, "home": home, "name": "own", "workers": 2}
    return Study(**usual | SEARCH_ALONE | wishes)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which every cell of RandAugment was tried by a function; the strongest level fails."""
    home = tmp_path_factory.mktemp("home")
    own(home).run(trials=15)
    return home


def test_failures_of_a_function_are_kept_with_their_reason_and_cannot_win(searched: Path) -> None:
    trials = trials_of(searched)
    failed = [trial for trial in trials if trial.result and trial.result.status == "failed"]
    assert {trial.params["level"] for trial in failed} == {27} and len(failed) == 3
    for trial in failed:
        assert trial.result is not None and trial.result.error is not None
        assert trial.result.error.startswith("ValueError: too strong (test_objective_study.py, line ")


def test_bits_of_each_image_are_kept_for_comparisons(searched: Path) -> None:
    by_params = {trial.params.get("level"): trial.result for trial in trials_of(searched)}
    result = by_params[9]
    assert result is not None and result.score is not None and result.score.right is not None
    assert (result.score.wrong, result.score.total, len(result.score.right)) == (9, 100, 100)


def test_what_comes_after_a_search_is_there_too(
    searched: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    given = ("--home", str(searched))
    assert run(cli, ["show", "own", *given]) == 0
    shown = capsys.readouterr().out
    assert "test_objective_study:by_level" in shown and "its own trainer's" in shown
    assert run(cli, ["report", "own", "-o", str(tmp_path / "report.html"), *given]) == 0
    page = (tmp_path / "report.html").read_text()
    assert "The images are the trainer’s own" in page and "no longer where" not in page
    assert "the trainer’s own, 3 channels" in page and "by_level" in page
    assert run(cli, ["export", "own", "-o", str(tmp_path / "policy.json"), *given]) == 0
    assert load_policy(tmp_path / "policy.json").provenance["objective"].endswith("by_level")
    assert run(cli, ["preview", "own", "-o", str(tmp_path / "grid.png"), *given]) == 0
    assert run(cli, ["mirror", "own", *given]) == 0
    assert f"{FREE + 14} trials of own are in MLflow" in capsys.readouterr().out
    assert run(cli, ["test", "own", "--yes", *given]) == 2
    assert "policysearch keeps none to test" in capsys.readouterr().err


def test_the_command_line_can_not_extend_what_it_has_not(searched: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(cli, ["extend", "own", "--trials", "+1", "--home", str(searched)]) == 2
    error = capsys.readouterr().err
    assert "by_level" in error and 'name="own", ...).extend("+50")' in error and error.count("\n") == 1


@pytest.mark.slow
def test_python_extends_it(tmp_path: Path) -> None:
    own(tmp_path).run(trials=2)
    before = trials_of(tmp_path)
    outcome = own(tmp_path).extend("+2")
    assert outcome.study == "own" and [trial.role for trial in outcome.trials] == ["baseline"] * FREE + ["trial"] * 4
    assert outcome.trials[: FREE + 2] == before, "nothing that was over is run again"
    assert len(own(tmp_path).extend(5).trials) == FREE + 5
    assert len(own(tmp_path).run(trials=6).trials) == FREE + 6
    for more in ("+0", "many", 0, "-3"):
        with pytest.raises(BadInput, match="allowed is \\+N, for so many more, or N in all"):
            own(tmp_path).extend(more)
    with pytest.raises(BadInput, match="study 'other': there is none to extend"):
        own(tmp_path, name="other").extend("+2")


def test_another_function_under_the_same_name_is_another_study(searched: Path) -> None:
    with pytest.raises(StudyMismatch, match=r"objective was .*by_level, now .*always_fails"):
        own(searched, objective=always_fails).run(trials=1)


def test_a_function_that_returns_no_counts_leaves_no_winner_and_says_what_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(NoTrialSucceeded, match=r"the objective returned 0\.25: allowed are \(wrong, total\)"):
        own(tmp_path, objective=always_fails).run(trials=1)


def by_budget(context: Any) -> Any:
    context.report(context.budget_epochs, 50, 100)
    return 90 - context.budget_epochs - context.params.get("level", 0), 100


def test_early_stopping_and_a_ledger_elsewhere_are_for_it_too(tmp_path: Path) -> None:
    from policysearch.ledger import sqlite_url

    storage = sqlite_url(tmp_path / "elsewhere.sqlite")
    rungs_wish = "asha:eta=3,min_epochs=3"  # one worker: two may end in another order, and then one more goes on
    study = own(tmp_path / "home", objective=by_budget, epochs=9, early_stopping=rungs_wish, storage=storage, workers=1)
    outcome = study.run(trials=6)
    assert not (tmp_path / "home" / "ledger.sqlite").exists()
    rungs = Counter(trial.budget_epochs for trial in outcome.trials if trial.role == "trial")
    assert rungs == {3: 6, 9: 2}, "of six policies the best third trains for all epochs, from the start"
    assert any("1 in 3 go on, at last to 9 epochs" in note for note in outcome.notes)
    assert any("stopped before they had all epochs: 4" in note for note in outcome.notes)
    assert outcome.winner.budget_epochs == 9
    assert outcome.winner.spec["budget_epochs"] == 9 and wrong(outcome.winner)[0] <= 81 - 15


def with_data(context: Any) -> Any:
    assert context.data.train.images.shape == (60, 1, 13, 13)
    assert not hasattr(context.data, "test") and not list(context.data.directory.glob("test*"))
    predicted = context.data.val.labels * 0
    return predicted == context.data.val.labels


def test_a_study_with_data_hands_its_arrays_to_the_function_and_never_the_test_images(tmp_path: Path) -> None:
    data = write_bars(tmp_path / "bars.npz")
    study = own(tmp_path / "home", objective=with_data, data=data, name=None)
    outcome = study.run(trials=1)
    assert outcome.study.startswith("bars-randaugment-")
    assert outcome.winner.result is not None and outcome.winner.result.score is not None
    assert (outcome.winner.result.score.wrong, outcome.winner.result.score.total) == (20, 30)
    with pytest.raises(BadInput, match="policysearch keeps none to test"):
        study.run(trials=1, test=True)


@pytest.mark.slow
def test_the_same_study_runs_on_ray(tmp_path: Path) -> None:
    here, there = own(tmp_path / "here").run(trials=3), own(tmp_path / "there", driver="ray").run(trials=3)
    assert [wrong(trial) for trial in here.trials] == [wrong(trial) for trial in there.trials]
