"""The commands as a person types them: the whole path on a tiny data set, and one line for every wrong wish."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from search_fixture import FREE, NO_MIRROR, SEARCH_ALONE_OPTIONS, Study, without_mirror, write_bars

from policysearch.cli import INTERRUPTED, run
from policysearch.cli.app import COMMANDS, cli
from policysearch.cli.options import spoken
from policysearch.drivers import Task
from policysearch.ledger import ClaimedModel
from searchspaces.policy_json import read_policy_file
from trials.values import Epoch

Type = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Type:
    """Types a command in this process, with a home of its own; gives exit code, output and complaints."""
    monkeypatch.setenv("POLICYSEARCH_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    without_mirror(monkeypatch)

    def type_in(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(cli, [str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return type_in


@pytest.fixture
def refused(typed: Type) -> Callable[..., None]:
    """Types a command that must be refused in one line with all of `parts` in it, and must leave no study."""

    def check(code: int, parts: tuple[str, ...], *words: object) -> None:
        found, out, err = typed(*words)
        assert (found, err.count("\n")) == (code, 1), err
        assert "Traceback" not in out + err
        for part in parts:
            assert part in err
        assert json.loads(typed("status", "--json")[1]) == []

    return check


def image(path: Path, level: int = 100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 20), (level, 0, level)).save(path)
    return path


def tree(root: Path, counts: dict[str, int]) -> Path:
    for folder, images in counts.items():
        for number in range(images):
            image(root / folder / f"{number}.png", 3 * number)
    return root


def test_the_whole_path(typed: Type, tmp_path: Path) -> None:
    search = ("search", "--data", write_bars(tmp_path / "bars.npz"), "--trials", 2, "--epochs", 2, "--study", "bars")
    alone = (*SEARCH_ALONE_OPTIONS, "--finalist-seeds", 1)
    code, out, _ = typed(*search, *alone)
    assert code == 0
    assert f"study bars: {FREE + 2} trainings, {2 * (FREE + 2)} epochs in all" in out
    assert "left out, because they can't change grey images: saturation" in out
    assert re.search(r"The test set is still closed. To open it, once: \S*policysearch test bars$", out, re.MULTILINE)
    directory = tmp_path / "home/studies/bars"
    for place in ("policy.json", "report.html"):
        assert str(directory / place) in out
        assert (directory / place).stat().st_size > 0

    code, again, _ = typed(*search, *alone)
    assert code == 0
    assert result_of(again) == result_of(out), "a finished study prints its result again"

    rehearsal, *trials = json.loads(typed("status", "bars", "--json")[1])
    assert (rehearsal["role"], rehearsal["state"], rehearsal["attempts"]) == ("rehearsal", "done", 1)
    assert [trial["attempts"] for trial in trials] == [1] * (FREE + 2)
    assert {(trial["state"], trial["reason"], trial["total"]) for trial in trials} == {("done", None, 30)}
    shown = json.loads(typed("show", "bars", "--json")[1])
    best = min(trials, key=lambda trial: trial["wrong"])
    assert shown["winner"]["wrong"] == best["wrong"]
    assert shown["test"] is None

    assert "still closed" in (directory / "report.html").read_text()
    code, _, err = typed("test", "bars")
    assert code == 2
    assert "--yes" in err, "there is nobody to ask"
    code, told, err = typed("test", "bars", "--yes")
    assert code == 0, err
    assert "models for the test: 1 training" in told, "the winner alone: without finalists no baseline is named"
    figure = told[told.index("\nThe verdict") + 1 :]
    assert typed("test", "bars") == (0, figure, ""), "the recorded figure needs no question"
    shutil.rmtree(tmp_path / "home/heldout")
    assert typed("test", "bars") == (0, figure, ""), "nor the images"
    assert "still closed" not in (directory / "report.html").read_text()
    assert json.loads(typed("show", "bars", "--json")[1])["test"]["total"] == 30

    exported = tmp_path / "mine.json"
    assert typed("export", "bars", "-o", exported)[0] == 0
    found = read_policy_file(exported)
    assert found.policy == read_policy_file(directory / "policy.json").policy
    tested = found.provenance["test"]
    assert (tested["total"], tested["baseline"], tested["looks_before"], tested["level"]) == (30, None, 0, 0.025)
    assert [(model["arm"], model["wrong"]) for model in tested["models"]] == [("winner", tested["wrong"])]
    assert typed("export", "zoo:trivialaugment-wide", "-o", tmp_path / "zoo.json")[0] == 0
    assert typed("report", "bars", "-o", tmp_path / "page.html")[0] == 0
    code, said, _ = typed("mirror", "bars")
    assert code == 0
    assert f"{FREE + 3} trials of bars are in MLflow" in said, "and the model of the test"


def result_of(out: str) -> str:
    return out[out.index("The best policy found") : out.index("Where things are")]


@pytest.mark.slow
def test_other_wishes_under_a_name_are_refused_with_the_wish(typed: Type, tmp_path: Path) -> None:
    write_bars(tmp_path / "bars.npz")
    wishes = tmp_path / "study.yaml"
    wishes.write_text("data: bars.npz\ntrials: 1\nstudy: bars\nepochs: 1\nno-calibration: true\nfinalists: 0\n")
    assert typed("search", "--config", wishes)[0] == 0
    code, _, err = typed("search", "--epochs", 2, "--config", wishes)
    assert (code, err.count("\n")) == (3, 1)
    assert "epochs was 1, now 2" in err
    wishes.write_text(typed("show", "bars", "--config")[1])
    code, out, err = typed("search", "--config", wishes)
    assert code == 0, err
    assert "The best policy found" in out, "the file that a study gives is of that very study"


def test_wishes_that_can_not_be(refused: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_bars(tmp_path / "bars.npz")
    refused(2, ("nowhere", "neither a folder"), "search", "--data", tmp_path / "nowhere")
    refused(2, ("--data", "empty", "a .npz"), "search", "--data", "")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and doesn't listen; a Ray cluster that happens to run here is not this one
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{nobody.getsockname()[1]}")
        refused(2, ("'auto'", "ray start"), "search", "--data", data, "--driver", "ray", "--address", "auto")
    refused(2, ("space", "'frob'", "randaugment"), "search", "--data", data, "--space", "frob")
    refused(2, ("trials", "0", "1 to"), "search", "--data", data, "--trials", 0)
    refused(2, ("sampler", "'frob'", "tpe"), "search", "--data", data, "--sampler", "frob")
    refused(2, ("driver", "'frob'", "local"), "search", "--data", data, "--driver", "frob")
    refused(2, ("--trials", "frob"), "search", "--data", data, "--trials", "frob")
    refused(2, ("'frob'", "search", "status"), "frob")
    refused(2, ("nosuch", "none yet"), "show", "nosuch")
    refused(2, ("../up", "letters"), "search", "--data", data, "--study", "../up", "--epochs", 1)


def test_folders_that_can_not_be_searched(refused: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused(2, ("empty",), "search", "--data", tmp_path / "empty")
    refused(2, ("cat",), "search", "--data", tree(tmp_path / "one", {"cat": 9}))
    lacking = tree(tmp_path / "lacking", {"train/cat": 9, "train/dog": 9, "test/cat": 5})
    refused(2, ("dog",), "search", "--data", lacking)
    damaged = tree(tmp_path / "damaged", {"cat": 12, "dog": 12})
    short = (damaged / "dog/7.png").read_bytes()[:60]
    (damaged / "dog/7.png").write_bytes(short)
    refused(2, (str(damaged / "dog/7.png"),), "search", "--data", damaged)


def test_labels_out_of_range(refused: Callable[..., None], tmp_path: Path) -> None:
    data = write_bars(tmp_path / "bars.npz")
    arrays = dict(np.load(data))
    arrays["train_labels"][3] = -1
    np.savez(data, **arrays)
    refused(2, ("(train)", "label -1 of image 3"), "search", "--data", data)


def test_reading_makes_nothing(typed: Type, tmp_path: Path) -> None:
    assert typed("status") == (0, f"no study in {tmp_path / 'home'} yet; start with: policysearch demo\n", "")
    assert typed("status", "--json") == (0, "[]\n", "")
    for words in (("show", "bars"), ("status", "bars"), ("test", "bars", "--yes"), ("report", "bars"), ("mirror", "bars")):
        code, _, err = typed(*words)
        assert (code, err.count("\n")) == (2, 1) and "there is none; start one with `policysearch search`" in err
    assert typed("doctor")[0] == 0
    assert not (tmp_path / "home").exists()
    (tmp_path / "home").write_text("")
    code, out, _ = typed("doctor")
    assert code == 0 and "it is no directory" in out


def test_trials_that_are_not_over_are_running_only_while_somebody_searches(typed: Type, tmp_path: Path) -> None:
    made = Study(tmp_path / "home")
    campaign = made.campaign(1)
    first, second = campaign.next_task(), campaign.next_task()
    assert isinstance(first, Task) and isinstance(second, Task)
    made.ledger.start_attempt(first.trial_uid)
    made.ledger.note_progress(first.trial_uid, Epoch(3, 1.0, 25, 100))
    states = [
        (trial["state"], trial["epoch"], trial["error_percent"]) for trial in json.loads(typed("status", "bars", "--json")[1])
    ]
    assert states == [("unfinished", 3, 25.0), ("waiting", 0, None)]
    with made.home.lock("bars"):
        trials = json.loads(typed("status", "bars", "--json")[1])
    assert [trial["state"] for trial in trials] == ["running", "waiting"]
    made.finish(campaign, first, 40)
    assert {frozenset(trial) for trial in json.loads(typed("status", "bars", "--json")[1])} == {frozenset(trials[0])}
    claimed = ClaimedModel(trial_uid=first.trial_uid, label="none", weights_sha256="0" * 64, arm="winner", replicate=1)
    made.ledger.claim_test(made.study.uid, "1", [claimed])
    test = json.loads(typed("show", "bars", "--json")[1])["test"]
    assert (test["state"], test["wrong"], test["looks_by_other_studies_before"]) == ("claimed", None, 0)
    assert "to finish it: policysearch test bars" in typed("show", "bars")[1]


def test_a_home_that_can_not_be_written(typed: Type, tmp_path: Path) -> None:
    data = write_bars(tmp_path / "bars.npz")
    for home in ("/proc/policysearch", data):
        code, _, err = typed("search", "--data", data, "--home", home)
        assert (code, err.count("\n")) == (2, 1), err
        assert str(home) in err
        assert "--home" in err


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"placement": "sideways"}, ("placement", "sideways")),
        ({"extra": 1}, ("extra",)),
        ({"base": None}, ("base",)),
    ],
)
def test_a_policy_file_that_is_not_valid(typed: Type, tmp_path: Path, change: dict[str, object], parts: tuple[str, ...]) -> None:
    file = tmp_path / "policy.json"
    assert typed("export", "zoo:trivialaugment-wide", "-o", file)[0] == 0
    content = json.loads(file.read_text())
    content["policy"] |= change
    file.write_text(json.dumps(content))
    code, _, err = typed("export", file, "-o", tmp_path / "out.json")
    assert (code, err.count("\n")) == (2, 1)
    assert all(part in err for part in (*parts, str(file)))
    assert not (tmp_path / "out.json").exists()


def test_an_exported_pipeline_loads_by_the_line_it_says(typed: Type, tmp_path: Path) -> None:
    code, out, _ = typed("export", "zoo:trivialaugment-wide", "--to", "albumentations", "-o", tmp_path / "it's.json")
    assert code == 0
    line = out.partition("load it with ")[2]
    used = f"import numpy; {line.strip()}; print(transform(image=numpy.zeros((8, 8, 3), 'uint8'))['image'].shape)"
    ran = subprocess.run([sys.executable, "-c", used], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.returncode) == ("(8, 8, 3)\n", 0), ran.stderr


def test_an_export_that_can_not_be_written(refused: Callable[..., None], tmp_path: Path) -> None:
    for form in ("json", "albumentations"):
        to = ("export", "zoo:trivialaugment-wide", "--to", form, "-o")
        refused(2, ("nowhere", "no directory", "-o FILE"), *to, tmp_path / "nowhere/out.json")
        refused(2, ("/proc/out.json", "can't be written"), *to, "/proc/out.json")
    refused(2, ("frob", "albumentations"), "export", "zoo:trivialaugment-wide", "--to", "frob", "-o", tmp_path / "x")


def test_the_commands_told_are_those_a_person_can_type(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "policysearch").write_text("#!/bin/sh\n")
    (tmp_path / "policysearch").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.chdir(tmp_path.parent)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert spoken("ui", None) == "policysearch ui"
    monkeypatch.setenv("PATH", "/nowhere")
    assert spoken("show a", "my home") == f"{tmp_path.name}/policysearch show a --home 'my home'"


def test_every_command_has_help_and_help_comes_in_order(typed: Type) -> None:
    code, out, _ = typed("--help")
    assert code == 0
    places = [out.index(f"\n  {name} ") for name in COMMANDS]
    assert places == sorted(places)
    for name in COMMANDS:
        code, out, _ = typed(name, "--help")
        assert code == 0
        assert "Usage: policysearch" in out


def test_lists_of_what_exists(typed: Type) -> None:
    assert {"randaugment", "photometric"} <= {family["name"] for family in json.loads(typed("spaces", "--json")[1])}
    assert {"rotate", "gamma"} <= {op["name"] for op in json.loads(typed("ops", "--json")[1])}
    facts = json.loads(typed("doctor", "--json")[1])
    assert facts["home"]["directory"].endswith("/home")
    assert facts["engines"]["on the CPU"] == "numba-fused"
    assert "kernels" in facts["engines"]
    zoo = {policy["name"]: policy for policy in json.loads(typed("zoo", "--json")[1])}
    assert zoo["trivialaugment-wide"]["idle_on_grey"] == ["saturation"]
    assert zoo["autoaugment-svhn"]["idle_on_grey"] == []
    assert "arXiv 1805.09501" in zoo["autoaugment-svhn"]["source"]
    said = typed("zoo")[1]
    assert all(f"{name}\n  {policy['summary']}\n  source: {policy['source']}\n" in said for name, policy in zoo.items())
    assert said.count("\n  on grey images nothing comes of: saturation\n") == sum(bool(p["idle_on_grey"]) for p in zoo.values())
    for command in ("spaces", "ops", "doctor", "status"):
        assert typed(command)[0] == 0


def test_a_terminal_that_lacks_a_sign_gets_another(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONIOENCODING": "latin-1:strict", "POLICYSEARCH_HOME": str(tmp_path / "h\u201ctte")}
    words = [sys.executable, "-m", "policysearch", "status"]
    done = subprocess.run(words, env=environment, capture_output=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"h?tte yet; start with" in done.stdout


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on_and_the_same_command_does(tmp_path: Path) -> None:
    data = write_bars(tmp_path / "bars.npz", train=600)
    words = [sys.executable, "-m", "policysearch", "search", "--data", str(data), "--trials", "2", "--epochs", "6"]
    words += SEARCH_ALONE_OPTIONS
    environment = os.environ | NO_MIRROR | {"POLICYSEARCH_HOME": str(tmp_path / "home"), "POLICYSEARCH_ENGINE": "grouped"}
    environment |= {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as search:
        assert search.stdout is not None
        while "% wrong after" not in search.stdout.readline():
            assert search.poll() is None, "it ended before a trial had finished"
        search.send_signal(signal.SIGINT)
        asked = time.monotonic()
        _, err = search.communicate(timeout=250)
        assert search.returncode == INTERRUPTED
        assert time.monotonic() - asked < 120
    assert "the same command goes on from there" in err
    assert "Traceback" not in err
    before = _attempts(environment)
    assert subprocess.run(words, env=environment, capture_output=True, timeout=250).returncode == 0
    after = _attempts(environment)
    finished = {uid: trial for uid, trial in before.items() if trial[1] == "done"}
    assert finished
    assert finished == {uid: after[uid] for uid in finished}, "a finished trial was run again"
    assert [state for _, state in after.values()] == ["done"] * (1 + FREE + 2), "the rehearsal too"


def _attempts(environment: dict[str, str]) -> dict[str, tuple[int, str]]:
    def read(*words: str) -> list[dict[str, object]]:
        said = subprocess.run([sys.executable, "-m", "policysearch", *words, "--json"], env=environment, capture_output=True)
        found: list[dict[str, object]] = json.loads(said.stdout)
        return found

    study = str(read("status")[0]["study"])
    return {str(trial["trial_uid"]): (int(str(trial["attempts"])), str(trial["state"])) for trial in read("status", study)}
