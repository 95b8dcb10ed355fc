"""Enqueued policies in a real search: they are trained, may win, and are no part of what the study is."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from search_fixture import FREE, SEARCH_ALONE, SEARCH_ALONE_OPTIONS, write_bars

from dashboards.queries import read_study
from policysearch import Study
from policysearch.cli import searching
from policysearch.cli.app import cli
from policysearch.cli.ending import print_ending
from policysearch.drivers import Event
from policysearch.home import Home
from policysearch.ledger import Ledger
from searchspaces.errors import BadInput
from searchspaces.policy import Policy
from searchspaces.policy_json import write_policy_file


@pytest.fixture
def wishes(tmp_path: Path) -> dict[str, Any]:
    """A search of one policy on tiny grey images."""
    wishes: dict[str, Any] = {
        "data": str(write_bars(tmp_path / "bars.npz")),
        "epochs": 1,
        "home": str(tmp_path / "home"),
        "workers": 1,
    }
    return {**wishes, **SEARCH_ALONE}


def test_enqueued_policies_are_trained_once_and_the_study_stays_the_same(wishes: dict[str, Any], tmp_path: Path) -> None:
    write_policy_file(tmp_path / "mine.json", Policy(), {})
    enqueue = ["zoo:fast-autoaugment-svhn", "zoo:trivialaugment-wide", str(tmp_path / "mine.json")]
    events = list[Event]()
    first = Study(**wishes, enqueue=enqueue).run(1, events.append)
    assert [trial.role for trial in first.trials] == [*["baseline"] * FREE, "enqueued", "trial"]
    enqueued = first.trials[FREE]
    assert enqueued.label == "zoo:fast-autoaugment-svhn" and enqueued.result is not None
    assert enqueued.result.score is not None, enqueued.result.error
    assert next(event.total for event in events if event.kind == "ready") == FREE + 2
    same = [note for note in first.notes if note.startswith("enqueued")]
    assert len(same) == 2 and "zoo:trivialaugment-wide is the same policy as the baseline trivialaugment-wide" in same[0]
    assert "mine.json is the same policy as the baseline none" in same[1]

    Study(**wishes, enqueue=enqueue).run(1, events.append)
    again = Study(**wishes).run(1, events.append)
    assert [event.total for event in events if event.kind == "ready"] == [FREE + 2] * 3, (
        "what was enqueued before is counted, once"
    )
    assert again.resumed and again.study == first.study and again.trials == first.trials


def test_the_command_line_takes_several_and_shows_their_role(
    wishes: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    conducted = list[Study]()
    monkeypatch.setattr(searching, "conduct", lambda study, trials, test, how, **others: conducted.append(study))
    names = ("zoo:randaugment-svhn-core", "zoo:fast-autoaugment-svhn")
    options = [item for name in names for item in ("--enqueue", name)]
    given = [item for name in ("data", "epochs", "home", "workers") for item in (f"--{name}", str(wishes[name]))]
    assert CliRunner().invoke(cli, ["search", *given, *options, *SEARCH_ALONE_OPTIONS, "--study", "bars"]).exit_code == 0
    assert conducted[0].enqueue == names

    conducted[0].run(1)
    status = CliRunner().invoke(cli, ["status", "bars", "--json", "--home", wishes["home"]])
    listed = [(trial["role"], trial["label"]) for trial in json.loads(status.output)]
    assert [role for role, _ in listed] == ["rehearsal", *["baseline"] * FREE, "enqueued", "enqueued", "trial"]
    assert listed[-3:-1] == [("enqueued", name) for name in names]
    show = CliRunner().invoke(cli, ["show", "bars", "--home", wishes["home"]])
    assert all(f"  enqueued      {name}: " in show.output for name in names)
    print_ending(read_study(Ledger(Home.locate(wishes["home"]).ledger_url), "bars"), wishes["home"])
    shown = capsys.readouterr().out
    assert all(f"  enqueued  {name}" in shown or f"  best      {name}" in shown for name in names)


def test_a_source_that_is_none_is_refused_before_anything_is_prepared(wishes: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="zoo: no policy is called 'randaugment'"):
        Study(**wishes, enqueue=["zoo:randaugment"]).run(1)
    assert not (tmp_path / "home" / "data").exists() or not list((tmp_path / "home" / "data").iterdir())
