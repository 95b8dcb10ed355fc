"""One contract for every database: who works on what, by leases and fences, and what a late result comes to."""

from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, text

from policysearch.ledger import Ledger, StudyHeld, StudyRecord, Superseded, TrialRecord
from searchspaces.errors import BadInput, StudyMismatch
from trials.values import Counts, Epoch, Score, TrialResult

SPEC: dict[str, Any] = {"recipe": {"peak_learning_rate": 0.2}, "budget_epochs": 9, "seed": 1}


def done(trial_uid: str, wrong: int = 1) -> TrialResult:
    score = Score((False,) * wrong + (True,) * (20 - wrong), ((20 - wrong, wrong), (0, 0)), 3.25)
    return TrialResult(trial_uid, "done", (Epoch(1, 2.25, wrong, 20),), score, span_seconds={"total": 12.5})


def add(ledger: Ledger, study: StudyRecord, number: int, digest: str | None = None, **spec: Any) -> TrialRecord:
    described = {"trial_uid": f"{study.name}{number}", **SPEC, **spec}
    return ledger.add_trial(
        study.uid, number, "trial", f"trial {number}", {"level": number}, digest or f"d{number}", "", described
    )


def execute(ledger: Ledger, statement: str) -> list[Any]:
    """Past the ledger, as a stranger's shell does."""
    engine = create_engine(ledger.url.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)
    with engine.begin() as connection:
        found = connection.execute(text(statement))
        return list(found.all()) if found.returns_rows else []


@pytest.fixture
def ledger(new_ledger_url: str) -> Ledger:
    return Ledger.open(new_ledger_url)


@pytest.fixture
def study(ledger: Ledger) -> StudyRecord:
    return ledger.create_study("birds", {"seed": 1})


class TestAttempts:
    def test_each_attempt_has_the_next_fence_and_its_owner(self, ledger: Ledger, study: StudyRecord) -> None:
        uid = add(ledger, study, 0).trial_uid
        assert ledger.start_attempt(uid, "first", 60) == 1
        assert (ledger.trial(uid).attempts, ledger.trial(uid).owner) == (1, "first")
        assert ledger.start_attempt(uid) == 2
        assert (ledger.trial(uid).attempts, ledger.trial(uid).owner) == (2, "")

    def test_a_lease_lasts_by_the_databases_clock(self, ledger: Ledger, study: StudyRecord) -> None:
        uids = [add(ledger, study, number).trial_uid for number in range(4)]
        for uid, seconds in zip(uids[:3], (-1.0, 60.0, -1.0), strict=True):
            ledger.start_attempt(uid, "worker", seconds)
        ledger.commit_result(done(uids[2]))
        assert ledger.lapsed(study.uid) == (uids[0],)  # not the held one, the finished one or the one that nobody began
        assert ledger.renew_lease(uids[0], 1, 60)
        assert ledger.lapsed(study.uid) == ()

    def test_a_lease_is_renewed_by_the_last_attempt_until_there_is_a_result(self, ledger: Ledger, study: StudyRecord) -> None:
        uid = add(ledger, study, 0).trial_uid
        ledger.start_attempt(uid)
        before = ledger.trial(uid).lease_until
        assert ledger.renew_lease(uid, 1, 3600)
        after = ledger.trial(uid).lease_until
        assert before is not None and after is not None and after > before + 3000
        ledger.start_attempt(uid)
        assert not ledger.renew_lease(uid, 1) and ledger.renew_lease(uid, 2)
        ledger.commit_result(done(uid), 2)
        assert not ledger.renew_lease(uid, 2)
        assert not ledger.renew_lease("unknown", 1)

    def test_progress_of_an_earlier_attempt_is_dropped(self, ledger: Ledger, study: StudyRecord) -> None:
        uid = add(ledger, study, 0).trial_uid
        ledger.start_attempt(uid)
        ledger.start_attempt(uid)
        ledger.note_progress(uid, Epoch(7, 0.5, 9, 20), fence=1)
        assert ledger.trial(uid).progress is None
        ledger.note_progress(uid, Epoch(1, 0.5, 9, 20), fence=2)
        assert ledger.trial(uid).progress == (1, 9, 20)


class TestResults:
    def test_the_last_attempt_counts_and_an_earlier_one_is_kept_as_late(self, ledger: Ledger, study: StudyRecord) -> None:
        uid = add(ledger, study, 0).trial_uid
        ledger.start_attempt(uid)
        ledger.start_attempt(uid)
        with pytest.raises(Superseded, match="attempt 1 is not its last one"):
            ledger.commit_result(done(uid, 5), 1)
        assert ledger.result(uid) is None
        assert ledger.commit_result(done(uid, 3), 2) == done(uid, 3)
        assert ledger.commit_result(done(uid, 5), 1) == done(uid, 3)  # as often as it comes
        assert [(late.trial_uid, late.fence, late.result) for late in ledger.late_results(study.uid)] == [(uid, 1, done(uid, 5))]
        assert execute(ledger, "SELECT fence, wrong FROM result") == [(2, 3)]

    def test_what_was_committed_is_not_late_when_it_comes_again(self, ledger: Ledger, study: StudyRecord) -> None:
        uid = add(ledger, study, 0).trial_uid
        fence = ledger.start_attempt(uid)
        for _ in range(2):
            assert ledger.commit_result(done(uid), fence) == done(uid)
        ledger.start_attempt(uid)
        assert ledger.commit_result(done(uid), fence) == done(uid)
        assert ledger.late_results(study.uid) == ()

    def test_after_the_drivers_word_a_workers_result_is_late(self, ledger: Ledger, study: StudyRecord) -> None:
        uid = add(ledger, study, 0).trial_uid
        fence = ledger.start_attempt(uid)
        failed = TrialResult(uid, "failed", error="its worker was lost")
        assert ledger.commit_result(failed) == failed
        assert ledger.commit_result(done(uid), fence) == failed == ledger.result(uid)
        assert [late.result for late in ledger.late_results(study.uid)] == [done(uid)]
        assert execute(ledger, "SELECT fence, status, error FROM result") == [(None, "failed", "its worker was lost")]

    def test_late_results_are_written_once(self, ledger: Ledger, study: StudyRecord) -> None:
        uid = add(ledger, study, 0).trial_uid
        ledger.start_attempt(uid)
        ledger.commit_result(done(uid))
        ledger.commit_result(done(uid, 2), 1)
        ledger.commit_result(done(uid, 9), 1)
        assert [late.result for late in ledger.late_results(study.uid)] == [done(uid, 2)]
        for change in ("UPDATE late_result SET wrong = 0", "DELETE FROM late_result"):
            with pytest.raises(Exception, match="are written once"):
                execute(ledger, change)

    def test_counts_are_a_score_without_images(self, ledger: Ledger, study: StudyRecord) -> None:
        uid = add(ledger, study, 0).trial_uid
        result = TrialResult(uid, "done", (Epoch(1, 0.5, 3, 20),), Counts(3, 20))
        assert ledger.commit_result(result) == result == ledger.result(uid)
        assert execute(ledger, "SELECT wrong, total, log_loss_sum FROM result") == [(3, 20, None)]
        (standing,) = ledger.standings(study.uid)
        assert (standing.status, standing.wrong, standing.total, standing.log_loss_sum) == ("done", 3, 20, None)


class TestTrials:
    def test_a_policy_may_come_again_with_another_budget_recipe_or_replicate(self, ledger: Ledger, study: StudyRecord) -> None:
        changes: list[dict[str, Any]] = [{}, {"budget_epochs": 27}, {"recipe": {}}, {"replicate": 1}]
        points = {add(ledger, study, number, "same", **change).point for number, change in enumerate(changes)}
        assert len(points) == 4
        for change in (*changes, {"replicate": 0}, {"seed": 2}):
            with pytest.raises(BadInput, match="can't be added"):
                add(ledger, study, 9, "same", **change)
        assert [trial.budget_epochs for trial in ledger.trials(study.uid)] == [9, 27, 9, 9]

    def test_standings_say_what_the_records_say(self, ledger: Ledger, study: StudyRecord) -> None:
        for number in (2, 0, 1):
            add(ledger, study, number)
        ledger.start_attempt("birds1")
        ledger.note_progress("birds1", Epoch(1, 0.5, 9, 20))
        ledger.commit_result(done("birds0", 4))
        ledger.commit_result(TrialResult("birds2", "failed", error="loss is NaN"))
        standings, records = ledger.standings(study.uid), ledger.trials(study.uid)
        for name in ("trial_uid", "number", "role", "label", "digest", "point", "budget_epochs", "params", "attempts", "words"):
            assert [getattr(row, name) for row in standings] == [getattr(record, name) for record in records]
        for name in ("started_at", "lease_until", "progress"):
            assert [getattr(row, name) for row in standings] == [getattr(record, name) for record in records]
        assert [
            (row.status, row.wrong, row.total, row.log_loss_sum, row.epochs, row.seconds, row.reason) for row in standings
        ] == [
            ("done", 4, 20, 3.25, 1, 12.5, None),
            (None, None, None, None, 0, None, None),
            ("failed", None, None, None, 0, None, "loss is NaN"),
        ]


class TestHolds:
    def test_a_study_is_held_by_one_at_a_time(self, ledger: Ledger, study: StudyRecord) -> None:
        first = ledger.hold_study(study.uid, "a:1", 60)
        with pytest.raises(StudyHeld, match="'birds': a:1 is at work on it") as caught:
            ledger.hold_study(study.uid, "b:2", 60)
        assert caught.value.owner == "a:1" and 0 < caught.value.seconds_left <= 60
        assert ledger.renew_hold(study.uid, first, 60)
        assert (ledger.holder(study.uid) or ("", 0))[0] == "a:1"
        ledger.release_hold(study.uid, first)
        assert ledger.holder(study.uid) is None
        assert not ledger.renew_hold(study.uid, first, 60)  # a renewal that comes after the end does not bring it back
        second = ledger.hold_study(study.uid, "b:2", 60)
        assert second > first and not ledger.renew_hold(study.uid, first, 60)
        ledger.release_hold(study.uid, first)  # which it is not any more
        with pytest.raises(StudyHeld, match="b:2"):
            ledger.hold_study(study.uid, "a:1", 60)

    def test_a_hold_that_is_over_or_its_owners_known_to_be_dead_is_taken(self, ledger: Ledger, study: StudyRecord) -> None:
        assert ledger.hold_study(study.uid, "a:1", -1) == 1
        assert ledger.hold_study(study.uid, "b:2", 60) == 2
        with pytest.raises(StudyHeld):
            ledger.hold_study(study.uid, "c:3", 60, instead_of="a:1")
        assert ledger.hold_study(study.uid, "c:3", 60, instead_of="b:2") == 3
        with pytest.raises(BadInput, match="study unknown: not in ledger"):
            ledger.hold_study("unknown", "a:1", 60)


class TestForks:
    def test_a_child_begins_with_what_its_parent_finished(self, ledger: Ledger, study: StudyRecord) -> None:
        for number in range(4):
            add(ledger, study, number)
        ledger.start_attempt("birds0")
        ledger.commit_result(done("birds0", 4), 1)
        ledger.commit_result(TrialResult("birds2", "failed", error="loss is NaN"))
        child = ledger.fork_study(study.uid, "more birds", {"seed": 1, "more": True}, {"trials": 50})
        assert (child.name, child.identity, child.wishes, child.parent_uid) == (
            "more birds", {"seed": 1, "more": True}, {"trials": 50}, study.uid,
        )  # fmt: skip
        copies = ledger.trials(child.uid)
        assert [(copy.number, copy.label, copy.point, copy.params, copy.attempts) for copy in copies] == [
            (old.number, old.label, old.point, old.params, old.attempts) for old in ledger.trials(study.uid) if old.result
        ]
        for copy in copies:
            assert copy.result is not None and copy.spec["trial_uid"] == copy.trial_uid == copy.result.trial_uid
        assert copies[0].result == done(copies[0].trial_uid, 4)
        assert [row.reason for row in ledger.standings(child.uid)] == [None, "loss is NaN"]
        assert len(ledger.trials(study.uid)) == 4

    def test_forking_again_gives_the_child_there_is(self, ledger: Ledger, study: StudyRecord) -> None:
        add(ledger, study, 0)
        child = ledger.fork_study(study.uid, "child", {"n": 1})
        ledger.commit_result(done("birds0"))
        assert ledger.fork_study(study.uid, "child", {"n": 1}) == child and ledger.trials(child.uid) == ()
        with pytest.raises(StudyMismatch):
            ledger.fork_study(study.uid, "child", {"n": 2})
        with pytest.raises(StudyMismatch, match="is no child of"):
            ledger.fork_study(child.uid, "birds", {"seed": 1})
        with pytest.raises(BadInput, match="study unknown: not in ledger"):
            ledger.fork_study("unknown", "child", {"n": 1})

    def test_wishes_and_parent_come_back(self, ledger: Ledger, study: StudyRecord) -> None:
        assert (study.wishes, study.parent_uid) == ({}, None)
        made = ledger.create_study("b", {"n": 1}, {"trials": 3}, study.uid)
        assert made == ledger.study("b") == ledger.create_study("b", {"n": 1}, {"trials": 9})
        assert (made.wishes, made.parent_uid) == ({"trials": 3}, study.uid)
