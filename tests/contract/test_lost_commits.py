"""A connection to PostgreSQL that is lost during COMMIT: nobody knows what was recorded, and the call gets it right."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cutting_proxy import CuttingProxy, Moment

from policysearch.ledger import ClaimedModel, Ledger, StudyRecord
from trials.values import Epoch, Score, TrialResult

MODELS: list[ClaimedModel] = [{"trial_uid": "uid", "label": "rotate", "weights_sha256": "ab", "arm": "winner", "replicate": 1}]
SCORE = Score((True,) * 20, ((20, 0), (0, 0)), 1.5)
DONE = TrialResult("uid", "done", (Epoch(1, 0.5, 0, 20),), SCORE)


@pytest.fixture
def proxy(request: pytest.FixtureRequest) -> Iterator[CuttingProxy]:
    server = request.getfixturevalue("postgres_server")
    with tempfile.TemporaryDirectory(prefix="px-", dir="/tmp") as directory:
        made = CuttingProxy(Path(directory), server.directory)
        yield made
        made.close()


@pytest.fixture
def ledger(request: pytest.FixtureRequest, proxy: CuttingProxy) -> Ledger:
    server = request.getfixturevalue("postgres_server")
    return Ledger.open(server.new_database().replace(str(server.directory), str(proxy.directory)))


@pytest.fixture
def study(ledger: Ledger) -> StudyRecord:
    study = ledger.create_study("birds", {})
    add(ledger, study, 0, "uid")
    return study


def add(ledger: Ledger, study: StudyRecord, number: int, uid: str) -> Any:
    return ledger.add_trial(study.uid, number, "trial", "", {}, f"d{number}", "", {"trial_uid": uid})


def commit(ledger: Ledger, study: StudyRecord) -> None:
    assert ledger.commit_result(DONE, ledger.trial("uid").attempts or None) == DONE == ledger.result("uid")
    assert ledger.late_results(study.uid) == ()


def start(ledger: Ledger, study: StudyRecord) -> None:
    before = ledger.trial("uid").attempts
    assert ledger.start_attempt("uid") == before + 1 == ledger.trial("uid").attempts


def add_another(ledger: Ledger, study: StudyRecord) -> None:
    assert add(ledger, study, 1, "another") == ledger.trial("another")
    assert len(ledger.trials(study.uid)) == 2


def create(ledger: Ledger, study: StudyRecord) -> None:
    made = ledger.create_study("cats", {"n": 1})
    assert ledger.studies() == (study, made) and made.identity == {"n": 1}


def fork(ledger: Ledger, study: StudyRecord) -> None:
    child = ledger.fork_study(study.uid, "child", {"n": 1})
    assert ledger.studies() == (study, child) and child.parent_uid == study.uid


def hold(ledger: Ledger, study: StudyRecord) -> None:
    assert ledger.hold_study(study.uid, "a:1", 60) == 1


def claim(ledger: Ledger, study: StudyRecord) -> None:
    assert ledger.claim_test(study.uid, "images", MODELS).looks_before == 0
    assert ledger.looks("images") == 1


def figure(ledger: Ledger, study: StudyRecord) -> None:
    assert ledger.commit_figure(study.uid, [SCORE]).score == SCORE


def mirror(ledger: Ledger, study: StudyRecord) -> None:
    ledger.mark_mirrored("uid", "here")
    assert ledger.mirrored(study.uid, "here") == {"uid"}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("call", [commit, start, add_another, create, fork, hold, claim, mirror])
def test_the_call_comes_to_what_it_would_have(
    proxy: CuttingProxy, ledger: Ledger, study: StudyRecord, moment: Moment, call: Callable[[Ledger, StudyRecord], None]
) -> None:
    proxy.cut(moment)
    call(ledger, study)
    assert proxy.cuts == [moment]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_attempts_result_is_recorded_once_and_not_taken_for_late(
    proxy: CuttingProxy, ledger: Ledger, study: StudyRecord, moment: Moment
) -> None:
    ledger.start_attempt("uid")
    proxy.cut(moment)
    commit(ledger, study)
    assert proxy.cuts == [moment]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_figure_is_recorded_once(proxy: CuttingProxy, ledger: Ledger, study: StudyRecord, moment: Moment) -> None:
    ledger.claim_test(study.uid, "images", MODELS)
    proxy.cut(moment)
    figure(ledger, study)
    assert proxy.cuts == [moment]
