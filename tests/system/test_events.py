"""What `--json` prints: every line of real runs against the documented form; and what `--quiet` leaves."""

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from search_fixture import FREE, SEARCH_ALONE_OPTIONS, without_mirror, write_bars

from policysearch.cli import INTERRUPTED, run
from policysearch.cli.app import cli
from policysearch.cli.events import KEYS, MORE, VERSION, JsonLines
from policysearch.cli.tally import Tally
from policysearch.drivers import Event

PAGE = Path(__file__).parents[2] / "docs" / "watching.md"
Type = Callable[..., tuple[int, str, str]]
WHOLE = (
    "epoch",
    "epochs",
    "wrong",
    "total",
    "trainings",
    "trainings_epochs",
    "done",
    "parts",
    "exit_code",
    "trainings_over",
    "trainings_failed",
)


@pytest.fixture
def typed(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Type:
    """Types a command in this process, with a home of its own; gives exit code, output and complaints."""
    monkeypatch.setenv("POLICYSEARCH_HOME", str(tmp_path / "home"))
    without_mirror(monkeypatch)

    def type_in(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(cli, [str(word) for word in words])
        return (code, *capsys.readouterr())

    return type_in


def checked(out: str) -> list[dict[str, Any]]:
    """The events of an output in which every line is one, as docs/watching.md has them."""
    events = [json.loads(line) for line in out.splitlines()]
    for event in events:
        assert set(event) == {*KEYS, *MORE[event["kind"]]}, event
        assert event["version"] == VERSION
        assert datetime.fromisoformat(event["time"]).utcoffset() == timedelta(0)
        for name in WHOLE:
            assert event.get(name) is None or type(event[name]) is int, (name, event)
        if event["kind"] in ("started", "epoch", "finished", "failed"):
            assert event["uid"] and event["label"] and event["role"] and event["study"] and event["epochs"]
        if event["kind"] in ("epoch", "finished") and event["role"] not in ("rehearsal", "confirmation"):
            assert 0 <= event["wrong"] <= event["total"] and 0 < event["epoch"] <= event["epochs"]
    assert [event["kind"] for event in events].index("end") == len(events) - 1
    assert [event["time"] for event in events] == sorted(event["time"] for event in events)
    return events


def of_kind(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["kind"] == kind]


def test_the_page_says_what_the_program_does() -> None:
    page = PAGE.read_text()
    rows = re.findall(r"^\| `(\w+)` \| (?:`(\w+)` \| )?(.+) \|$", page, re.MULTILINE)
    assert {key: text for key, more, text in rows if not more} == KEYS
    told: dict[str, dict[str, str]] = {kind: {} for kind in MORE}
    for kind, key, text in rows:
        if key:
            told[kind][key] = text
    assert told == MORE


def test_every_line_of_a_played_search_is_an_event() -> None:
    out = io.StringIO()
    lines = JsonLines(Tally(5), out)
    told: Any = {"label": "level=3", "role": "trial", "budget_epochs": 5}
    for event in (
        Event("note", text="preparing images: 1 of 2"),
        Event("ready", total=2, epoch=10, epochs_before=5, text="birds"),
        Event("stage", total=2, text="search"),
        Event("finished", "old", 5, 3, 20, label="level=2", role="trial", seconds=1.5),
        Event("started", "a", **told),
        Event("epoch", "a", 1, 9, 20),
        Event("failed", "a", text="line one\nline two", seconds=2.0, **told),
        Event("started", "r", label="rehearsal", role="rehearsal", budget_epochs=1),
        Event("epoch", "r", 1, 9, 20),
        Event("progress", epoch=3, total=40, text="looking"),
    ):
        lines.hear(event)
    lines.tell_end(0, None)
    note, study, _, old, _, epoch, failed, _, rehearsed, looking, end = checked(out.getvalue())
    assert (note["study"], study["study"], study["text"]) == (None, "birds", "study birds: 2 trainings, 10 epochs in all")
    assert (old["before"], old["seconds"], failed["before"], failed["seconds"]) == (True, 1.5, False, 2.0)
    assert [epoch[name] for name in ("label", "role", "epoch", "epochs", "wrong", "total")] == ["level=3", "trial", 1, 5, 9, 20]
    assert (failed["text"], rehearsed["wrong"], rehearsed["epochs"]) == ("line one\nline two", None, 1)
    assert [looking[name] for name in ("text", "done", "parts", "uid", "label", "total")] == ["looking", 3, 40, None, None, None]
    assert (end["trainings_over"], end["trainings_failed"]) == (2, 1)


@pytest.mark.slow
def test_every_line_of_a_real_search_is_an_event(typed: Type, tmp_path: Path) -> None:
    search = ("search", "--data", write_bars(tmp_path / "bars.npz"), "--trials", 2, "--epochs", 2, "--study", "bars")
    alone = (*search, *SEARCH_ALONE_OPTIONS)
    code, out, err = typed(*alone, "--json")
    assert (code, err) == (0, "")
    events = checked(out)
    (study,), (verdict,), end = of_kind(events, "study"), of_kind(events, "verdict"), events[-1]
    assert (study["study"], study["trainings"], study["trainings_epochs"], study["gpus"]) == (
        "bars",
        FREE + 2,
        2 * (FREE + 2),
        0.0,
    )
    finished = of_kind(events, "finished")
    assert [event["role"] for event in finished] == ["rehearsal", *["baseline"] * FREE, *["trial"] * 2]
    assert not any(event["before"] for event in finished)
    assert [event["text"] for event in of_kind(events, "stage")] == ["rehearsal", "baselines", "search"]
    assert {event["uid"] for event in of_kind(events, "started")} == {event["uid"] for event in finished}
    assert (verdict["judgement"]["verdict"]["kind"], verdict["test"]) == ("no-finalists", None)
    assert (Path(verdict["directory"]) / "report.html").is_file()
    shown = json.loads(typed("show", "bars", "--json")[1])
    assert verdict["judgement"] == shown["verdict"] and verdict["wrong"] == shown["winner"]["wrong"]
    assert (end["exit_code"], end["trainings_over"], end["trainings_failed"]) == (0, FREE + 2, 0)

    best = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)[0]
    said = subprocess.run([sys.executable, "-c", best], input=out, capture_output=True, text=True, timeout=60)
    assert said.returncode == 0 and f" % wrong: {shown['winner']['label']}" in said.stdout.splitlines()[-1]

    code, plain, _ = typed(*alone)
    assert code == 0 and f"{FREE + 2} trainings were there already" in plain
    assert plain.count("after 2 epochs") == 0, "old trainings are not told one by one"
    code, quiet, err = typed(*alone, "--quiet")
    assert (code, err) == (0, "")
    assert quiet == plain[plain.index("\nThe verdict") :]

    code, out, err = typed(*search, "--epochs", 3, *SEARCH_ALONE_OPTIONS, "--json")
    assert code == 3 and "bars" in err and err.count("\n") == 1
    (end,) = checked(out)
    assert (end["exit_code"], end["text"]) == (3, err.removeprefix("policysearch: ").strip())

    code, out, err = typed("extend", "bars", "--trials", "+1", "--json")
    assert code == 0, err
    events = checked(out)
    assert len(of_kind(events, "started")) == 1
    assert [event["before"] for event in of_kind(events, "finished")] == [True] * (FREE + 2) + [False]
    assert f"{FREE + 2} trainings were there already" in [event["text"] for event in of_kind(events, "note")]


@pytest.mark.slow
def test_the_look_at_the_test_set_is_told_too(typed: Type, tmp_path: Path) -> None:
    search = ("search", "--data", write_bars(tmp_path / "bars.npz"), "--trials", 1, "--epochs", 1, "--study", "bars")
    assert typed(*search, *SEARCH_ALONE_OPTIONS, "--finalist-seeds", 1, "--quiet")[0] == 0
    code, out, err = typed("test", "bars", "--json")
    assert code == 2 and "add --yes" in err and of_kind(checked(out), "end")[0]["exit_code"] == 2
    events = checked(typed("test", "bars", "--yes", "--json")[1])
    assert [event["role"] for event in of_kind(events, "finished")] == ["confirmation"]
    (verdict,) = of_kind(events, "verdict")
    assert verdict["test"]["total"] == 30 and verdict["test"]["state"] == "disclosed"
    again = checked(typed("test", "bars", "--json")[1])
    assert [event["kind"] for event in again] == ["verdict", "end"] and again[0]["test"] == verdict["test"]
    code, quiet, _ = typed("test", "bars", "--quiet")
    assert code == 0 and quiet.startswith("The verdict\n")


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), SystemExit(143), OSError(28, "No space left on device"), ValueError("odd")]
)
def test_whatever_ends_it_the_last_line_says_so(
    error: BaseException, typed: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(self: object, *given: object) -> None:
        print("a library prints something")
        raise error

    monkeypatch.setattr("policysearch.study.Study.run", stopped)
    code = {KeyboardInterrupt: INTERRUPTED, SystemExit: 143, OSError: 2, ValueError: 1}[type(error)]
    try:
        found, out, _ = typed("search", "--data", write_bars(tmp_path / "bars.npz"), "--json")
    except (SystemExit, ValueError):
        found, out = code, capsys.readouterr().out
    (end,) = checked(out)
    assert (found, end["exit_code"]) == (code, code)
    assert end["text"]


@pytest.mark.parametrize("words", [("search", "--data", "nowhere"), ("extend", "nobody", "--trials", "+1"), ("test", "nobody")])
def test_a_wish_that_is_refused_is_an_end(words: tuple[str, ...], typed: Type) -> None:
    code, out, err = typed(*words, "--json")
    (end,) = checked(out)
    assert (code, end["exit_code"]) == (2, 2)
    assert err == f"policysearch: {end['text']}\n"
