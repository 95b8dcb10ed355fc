"""Who searches a study: one process at a time wherever the ledger is; the dead of this machine are not waited for."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from policysearch import holding
from policysearch.drivers import Event
from policysearch.holding import held, holder_in_words
from policysearch.ledger import Ledger, StudyRecord, sqlite_url
from searchspaces.errors import BadInput

HOLD = """
import sys
from policysearch.holding import held
from policysearch.ledger import Ledger
ledger = Ledger(sys.argv[1])
with held(ledger, ledger.study("birds")):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.open(sqlite_url(tmp_path / "ledger.sqlite"))


@pytest.fixture
def study(ledger: Ledger) -> StudyRecord:
    return ledger.create_study("birds", {})


def holding_process(ledger: Ledger) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", HOLD, ledger.url]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_another_process_is_named_and_one_that_was_killed_is_not_waited_for(ledger: Ledger, study: StudyRecord) -> None:
    process = holding_process(ledger)
    named = rf"'birds': process {process.pid} on .* is at work on it; .*if it is dead, in \d+ s"
    with pytest.raises(BadInput, match=named) as caught, held(ledger, study):
        pass
    assert "\n" not in str(caught.value)
    process.kill()
    process.communicate()
    assert ledger.holder(study.uid) is not None  # its hold has not lapsed yet
    with held(ledger, study):
        pass
    assert ledger.holder(study.uid) is None


def test_a_holder_that_leaves_gives_the_study_back(ledger: Ledger, study: StudyRecord) -> None:
    process = holding_process(ledger)
    process.communicate("")
    assert ledger.holder(study.uid) is None


def test_a_hold_on_another_machine_is_waited_for_even_if_it_has_our_number(ledger: Ledger, study: StudyRecord) -> None:
    host, number, start, _ = holding._owner().split(":")
    for owner in (f"{host}:999999999:1:othermachine", f"elsewhere:{number}:{start}:othermachine", "some words"):
        fence = ledger.hold_study(study.uid, owner, 60)
        with pytest.raises(BadInput, match="is at work on it"), held(ledger, study):
            pass
        ledger.release_hold(study.uid, fence)


def test_a_process_of_the_same_number_that_began_later_is_another_one(ledger: Ledger, study: StudyRecord) -> None:
    host, number, start, machine = holding._owner().split(":")
    ledger.hold_study(study.uid, f"{host}:{number}:{int(start) - 1}:{machine}", 60)
    with held(ledger, study):
        pass


def test_two_holds_in_one_process_exclude_each_other(ledger: Ledger, study: StudyRecord) -> None:
    with held(ledger, study), pytest.raises(BadInput, match="is at work on it"), held(ledger, study):
        pass


def test_a_hold_is_renewed_while_it_is_open(ledger: Ledger, study: StudyRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "LEASE_SECONDS", 2.0)  # so long that a busy machine renews it in time
    with held(ledger, study) as hold:
        time.sleep(2.5)
        assert ledger.holder(study.uid) is not None
        hold.require()


def test_whoever_lost_its_study_is_told_at_the_next_event(
    ledger: Ledger, study: StudyRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "LEASE_SECONDS", 0.3)
    heard: list[Event] = []
    with held(ledger, study) as hold:
        listener = hold.watching(heard.append)
        listener(Event("note"))
        ledger.hold_study(study.uid, "elsewhere:1:1:m", 60, instead_of=holding._owner())
        while not hold.lost:
            time.sleep(0.05)
        with pytest.raises(BadInput, match="another one has taken it over"):
            listener(Event("note"))
    assert len(heard) == 1
    assert (ledger.holder(study.uid) or ("", 0))[0] == "elsewhere:1:1:m"


def test_an_owner_in_words() -> None:
    assert holder_in_words("node7:123:99:ab") == "process 123 on node7"
