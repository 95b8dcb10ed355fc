"""`status` and `show`: what they say of trials of every kind, and that ten thousand of them are read without opening a result."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from large_ledger import fill

from policysearch.cli.reading import show, status
from policysearch.home import Home
from policysearch.ledger import Ledger, StudyRecord
from policysearch.selection import leader, winner
from searchspaces.policy import Policy
from searchspaces.policy_json import policy_to_dict
from searchspaces.spaces import PHOTO_BASE, build_space
from trials.values import Counts, Epoch, TrialResult


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def ledger(home: Home) -> Ledger:
    return Ledger.open(home.ledger_url)


@pytest.fixture
def study(ledger: Ledger) -> StudyRecord:
    return ledger.create_study("birds", {"epochs": 9})


def add(ledger: Ledger, study: StudyRecord, number: int, digest: str, epochs: int = 9, role: Any = "trial") -> str:
    spec = {"trial_uid": f"{study.name}{number}", "budget_epochs": epochs, "policy": policy_to_dict(Policy())}
    return ledger.add_trial(study.uid, number, role, f"trial {number}", {"level": digest}, digest, "words", spec).trial_uid


def finish(ledger: Ledger, uid: str, wrong: int, epochs: int = 9) -> None:
    curve = tuple(Epoch(number, 0.5, wrong, 20) for number in range(1, epochs + 1))
    fence = ledger.start_attempt(uid)
    ledger.commit_result(TrialResult(uid, "done", curve, Counts(wrong, 20), span_seconds={"total": 1.25}), fence)


def said(command: Any, home: Home, *words: str) -> Any:
    outcome = CliRunner().invoke(command, [*words, "--home", str(home.root), "--json"], catch_exceptions=False)
    assert outcome.exit_code == 0
    return json.loads(outcome.output)


def test_trials_of_fewer_epochs_are_promoted_or_stopped_and_never_best(home: Home, ledger: Ledger, study: StudyRecord) -> None:
    finish(ledger, add(ledger, study, 0, "flip", role="baseline"), 6)
    finish(ledger, add(ledger, study, 1, "good", 3), 1, 3)  # the lowest error, but of three epochs
    finish(ledger, add(ledger, study, 2, "bad", 3), 9, 3)
    finish(ledger, add(ledger, study, 3, "good", 9), 4)
    add(ledger, study, 4, "new", 3)
    rows = said(status, home, "birds")
    assert [(row["state"], row["epoch"], row["budget_epochs"], row["wrong"]) for row in rows] == [
        ("done", 9, 9, 6),
        ("promoted", 3, 3, 1),
        ("stopped", 3, 3, 9),
        ("done", 9, 9, 4),
        ("waiting", 0, 3, None),
    ]
    (facts,) = said(status, home)
    counts = {"done": 2, "failed": 0, "unfinished": 1, "stopped": 1}
    assert facts | counts | {"best": "trial 3", "best_error_percent": 20.0, "state": "unfinished"} == facts
    assert said(show, home, "birds")["winner"]["number"] == 3 == winner(ledger.trials(study.uid)).number


def test_late_results_and_the_parent_are_told(home: Home, ledger: Ledger, study: StudyRecord) -> None:
    uid = add(ledger, study, 0, "flip", role="baseline")
    first = ledger.start_attempt(uid)
    finish(ledger, uid, 6)
    ledger.commit_result(TrialResult(uid, "done", (), Counts(1, 20)), first)
    ledger.fork_study(study.uid, "more-birds", {"epochs": 9})
    facts = {row["study"]: row for row in said(status, home)}
    assert (facts["birds"]["late_results"], facts["birds"]["parent"], facts["birds"]["best_error_percent"]) == (1, None, 30.0)
    assert (facts["more-birds"]["late_results"], facts["more-birds"]["parent"]) == (0, "birds")
    text = CliRunner().invoke(show, ["more-birds", "--home", str(home.root)]).output
    assert re.search(r"child of +birds,", text)


def test_of_ten_thousand_trials_a_hundred_results_are_opened_for_the_verdict_and_none_for_the_table(
    home: Home, ledger: Ledger, study: StudyRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(
        ledger, study, 2_000, spec={"policy": policy_to_dict(Policy())}
    )  # as many as are quick to write; ten thousand in `benchmarks`
    best = leader(ledger.standings(study.uid))
    assert best is not None and best.trial_uid == winner(ledger.trials(study.uid)).trial_uid

    opened, read = list[object](), TrialResult.from_dict

    def counted(raw: Any) -> TrialResult:
        opened.append(raw)
        return read(raw)

    monkeypatch.setattr(TrialResult, "from_dict", counted)
    (facts,) = said(status, home)
    assert 0 < len(opened) < 200
    opened.clear()
    assert (facts["done"], facts["failed"], facts["best"]) == (1980, 20, best.label)
    assert len(said(status, home, "birds")) == 2_000
    assert opened == []
    assert said(show, home, "birds")["winner"]["trial_uid"] == best.trial_uid
    said_above, _, rows = CliRunner().invoke(status, ["birds", "--home", str(home.root)]).output.partition("\n\n")
    above, table = said_above.splitlines(), rows.splitlines()
    assert above[0] == "birds  (idle)" and "better than the best baseline" in above[1] and "20 failed, the last: " in above[-1]
    assert len(table) == 2_001 and table[0].split() == ["number", "role", "label", "state", "epoch", "error", "%", "seconds"]
    assert table[100].split() == ["99", "trial", "randaugment", "#99", "failed", "0", "6.5"]


def test_what_is_scored_on_images_that_it_was_trained_on_has_no_error(home: Home, ledger: Ledger, study: StudyRecord) -> None:
    finish(ledger, add(ledger, study, 0, "flip", role="baseline"), 6)
    finish(ledger, add(ledger, study, 1, "flip", 27, role="calibration"), 5, 27)  # longer, and no trial is short because of it
    finish(ledger, add(ledger, study, 2, "good", role="confirmation"), 0)
    rows = {row["role"]: row for row in said(status, home, "birds")}
    assert [rows[role]["wrong"] for role in ("baseline", "calibration", "confirmation")] == [6, 5, None]
    assert {row["state"] for row in rows.values()} == {"done"}
    assert said(show, home, "birds")["winner"]["wrong"] == 6


def test_a_space_is_shown_in_words(home: Home, ledger: Ledger) -> None:
    space = build_space("randaugment", 3, PHOTO_BASE).to_dict()
    ledger.create_study("owls", {"epochs": 9, "space": space, "recipe": {"model": "small"}, "test": None})
    text = CliRunner().invoke(show, ["owls", "--home", str(home.root)], catch_exceptions=False).output
    assert re.search(r"^ +level +3 to 27 by 6$", text, re.MULTILINE)
    assert "{" not in text and '"' not in text
    assert max(map(len, text.splitlines())) <= 100 + len(str(home.root))
