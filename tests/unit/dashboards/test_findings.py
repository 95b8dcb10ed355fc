"""What bounds a verdict, in sentences made from the study's facts."""

import pytest
from study_fixture import StudyInLedger, judged_study

from dashboards.findings import finalist_rows, headline, recommended, rows_of_test
from dashboards.queries import StudyView, read_study
from dashboards.sureness import sureness


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> StudyInLedger:
    made = judged_study(tmp_path_factory.mktemp("home"), tested=True)
    across = {"train-test": {"exact": {"pairs": 4, "images": 3}}, "val-test": {"near": {"pairs": 1, "images": 1}}}
    leaks = {"cure": "drop-exact", "across": across, "dropped": {"train": 4}}
    made.ledger.note_fact(made.study.uid, "duplicates", leaks)
    broken = {"kind": "turned", "name": "6", "to": "9", "share": 0.9, "example": 1}
    rows = [{"value": 30.0, "right": 850, "broken": []}, {"value": 180.0, "right": 400, "broken": [broken]}]
    made.ledger.note_fact(made.study.uid, "labels", {"images": 1000, "right": 880, "ops": {"rotate": rows, "gamma": rows[:1]}})
    return made


@pytest.fixture(scope="module")
def view(made: StudyInLedger) -> StudyView:
    return read_study(made.ledger, made.name)


def test_what_was_found_before_training_is_told_in_a_sentence_each(view: StudyView) -> None:
    told = dict(sureness(view))
    assert told["labels"] == (
        "rotate breaks a class at some strength (asked of 1,000 validation images); nothing was cut: --trim does."
    )
    assert told["copies"] == (
        "3 images of test have an exact copy in train; 1 image of test has a near copy in val."
        " Dropped: 4 from train (drop-exact)."
    )
    assert {"optimism", "resolution", "budget", "looks"} <= told.keys()


def test_the_headline_loses_no_word(view: StudyView) -> None:
    assert " ".join(part for part in headline(view) if part) == view.judgement.verdict.sentence


def test_what_to_train_with_is_one_of_the_two_that_the_verdict_names(view: StudyView) -> None:
    use, verdict = recommended(view), view.judgement.verdict
    assert use is not None
    assert use.label == (verdict.winner_label if verdict.kind == "better" else verdict.baseline_label)


def test_the_tested_models_stand_by_side_with_the_means_of_the_figure(view: StudyView) -> None:
    assert view.figure is not None
    winner, baseline = rows_of_test(view)
    for row, arm in ((winner, "winner"), (baseline, "baseline")):
        scores = [s for s, model in zip(view.figure.scores, view.figure.models, strict=True) if model["arm"] == arm]
        assert row.seeds == len(scores) == 5
        assert row.mean == pytest.approx(sum(score.wrong for score in scores) / sum(score.total for score in scores))
        assert row.low < row.mean < row.high
    assert [row.mark for row in finalist_rows(view)].count("winner") == 1
