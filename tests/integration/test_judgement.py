"""What a study in a real ledger has come to, at each stage, by its rows alone."""

import json
from pathlib import Path

import pytest
from study_fixture import StudyInLedger, judged_study

from policysearch.judgement import calibration, judge, shortlisted
from policysearch.ledger import TrialRecord
from trials.values import Epoch, Score, TrialResult


@pytest.fixture
def made(tmp_path: Path) -> StudyInLedger:
    return StudyInLedger(tmp_path)


def test_before_anything_has_succeeded_there_is_no_verdict(made: StudyInLedger) -> None:
    found = judge(made.ledger, made.study)
    assert found.verdict.kind == "unfinished" and found.winner is None
    assert calibration(made.ledger, made.study) is None and shortlisted(made.ledger, made.study, 3) == ()


def test_a_budget_too_short_ends_the_study_unless_it_was_told_to_go_on(made: StudyInLedger) -> None:
    made.add_baselines()
    made.add_calibration(longer=(0.30, 0.08))
    found = judge(made.ledger, made.study)
    assert (found.verdict.kind, found.stage, found.winner, found.winner_trial) == ("budget-too-short", "calibration", None, None)
    assert found.verdict.sentence.endswith("Try --epochs 90.")
    made.ledger.note_fact(made.study.uid, "any_budget", True)
    gone_on = judge(made.ledger, made.study)
    assert gone_on.verdict.kind == "no-finalists" and gone_on.winner is not None
    assert "The budget was found too short to compare policies" in gone_on.verdict.sentence


def test_a_search_alone_has_a_best_trial_and_no_verdict(made: StudyInLedger) -> None:
    made.add_baselines()
    made.add_searched(12)
    found = judge(made.ledger, made.study)
    assert found.verdict.kind == "no-finalists" and found.winner_trial == found.search_best
    assert found.optimism is not None and found.verdict.optimism == found.optimism.points and found.resolution is not None


def test_the_shortlist_is_the_best_searched_policies_and_the_two_best_baselines(made: StudyInLedger) -> None:
    made.add_baselines()
    made.add_searched(12)
    arms = shortlisted(made.ledger, made.study, 3)
    assert [arm.role for arm in arms] == ["trial"] * 3 + ["baseline"] * 2
    assert arms[0].label == "randaugment ops=2 level=15"  # which made-up errors have as the best
    assert [arm.label for arm in arms[3:]] == ["trivialaugment-wide", "randaugment(2,9)"]


def test_finalists_are_judged_when_all_are_through(tmp_path: Path) -> None:
    made = judged_study(tmp_path)
    found = judge(made.ledger, made.study)
    assert (found.verdict.kind, found.stage) == ("looks-better-unconfirmed", "finalists")
    assert found.winner is not None and found.baseline is not None and found.winner_trial is not None
    assert (found.winner.label, found.baseline.label) == ("randaugment ops=2 level=15", "trivialaugment-wide")
    assert found.winner_trial.role == "trial" and len(found.finalists) == 5
    assert json.loads(json.dumps(found.to_dict()))["winner_trial"] == found.winner_trial.trial_uid
    policy = made.setting.baselines["none"]
    late = made.add("finalist", "finalist none, seed 1 of 2", {}, policy, 1, "fold-1")
    assert judge(made.ledger, made.study).verdict.kind == "unfinished"
    made.finish(late, 0.2)
    assert judge(made.ledger, made.study).verdict.kind == "unfinished"  # its second seed is still to come
    made.fail(made.add("finalist", "finalist none, seed 2 of 2", {}, policy, 2, "fold-2"), "the loss is nan")
    last = judge(made.ledger, made.study)
    assert last.verdict.kind == "looks-better-unconfirmed" and len(last.finalists) == 5  # one seed alone has no spread


def test_the_test_images_have_the_last_word(tmp_path: Path) -> None:
    made = judged_study(tmp_path, tested=True)
    found = judge(made.ledger, made.study)
    assert found.stage == "test" and found.verdict.kind in ("better", "not-distinguishable")
    assert found.figure is not None and found.figure["winner"]["seeds"] == 5 and found.figure["looks_before"] == 0
    assert found.winner is not None and found.winner.label in found.verdict.sentence
    assert judge(made.ledger, made.study) == found


def test_a_ledger_of_ten_thousand_trials_is_not_read_whole(made: StudyInLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    made.add_baselines()
    made.add_searched(20)
    monkeypatch.setattr("policysearch.judged_rows.READ_WHOLE", 3)
    monkeypatch.setattr("policysearch.judged_rows.FOR_NOISE", 4)
    read: list[str] = []
    whole = made.ledger.trial

    def noted(uid: str) -> TrialRecord:
        read.append(uid)
        return whole(uid)

    monkeypatch.setattr(made.ledger, "trial", noted)
    judge(made.ledger, made.study)
    assert len(set(read)) <= 5 + 3 + 4


def test_a_winner_that_nothing_failed_for_is_doubted_in_the_verdict(made: StudyInLedger) -> None:
    made.add_baselines()
    assert "Doubtful" not in judge(made.ledger, made.study).verdict.sentence
    suspect = made.add_cell(made.cells[0])
    made.ledger.start_attempt(suspect.trial_uid)
    everything = Score((True,) * 20, ((10, 0), (0, 10)), 0.0)
    made.ledger.commit_result(TrialResult(suspect.trial_uid, "done", (Epoch(30, 0.0, 0, 20),), everything))
    found = judge(made.ledger, made.study)
    assert found.winner is not None and found.winner.label == suspect.label
    assert "Doubtful: not one of the 20 images is wrong" in found.verdict.sentence
