"""What is read from the ledger for people, and the sentence that says how little it proves."""

from dataclasses import replace
from pathlib import Path

import pytest
from study_fixture import NAMES, VAL_IMAGES, StudyInLedger, whole_study

from dashboards.queries import caveat, read_study
from policysearch.selection import winner
from policysearch.statistics import disagreement, resolvable_difference, wilson_interval
from searchspaces.errors import BadInput
from trials.values import Score


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> StudyInLedger:
    return whole_study(tmp_path_factory.mktemp("home"))


def test_rows_are_the_ledgers_trials(made: StudyInLedger) -> None:
    view, trials = read_study(made.ledger, made.name), made.ledger.trials(made.study.uid)
    assert [(row.number, row.uid, row.role, row.name) for row in view.rows] == [
        (t.number, t.trial_uid, t.role, t.label) for t in trials
    ]
    for row, trial in zip(view.rows, trials, strict=True):
        score = trial.result.score if trial.result else None
        assert (row.wrong, row.total) == ((score.wrong, score.total) if score else (None, None))


def test_the_best_is_the_selected_one_and_the_order_is_the_selections(made: StudyInLedger) -> None:
    view, trials = read_study(made.ledger, made.name), list(made.ledger.trials(made.study.uid))
    for row in view.done:
        selected = winner(trials)
        assert row.uid == selected.trial_uid
        trials.remove(selected)
    assert view.best == view.done[0]


def test_every_baseline_is_compared_on_the_same_images(made: StudyInLedger) -> None:
    view = read_study(made.ledger, made.name)
    scores = {trial.trial_uid: trial.result.score for trial in made.ledger.trials(made.study.uid) if trial.result}
    assert view.best is not None
    best = scores[view.best.uid]
    assert [gap.baseline.name for gap in view.comparisons] == [*NAMES]
    for gap in view.comparisons:
        other = scores[gap.baseline.uid]
        assert isinstance(best, Score) and isinstance(other, Score)
        assert gap.difference == (other.wrong - best.wrong) / VAL_IMAGES
        assert gap.resolvable == resolvable_difference(disagreement(best.right, other.right), VAL_IMAGES)


def test_the_test_figure_has_its_interval(made: StudyInLedger) -> None:
    view = read_study(made.ledger, made.name)
    assert view.figure is not None
    assert view.test_interval == wilson_interval(view.figure.wrong, view.figure.total)


def test_the_caveat_names_the_baselines_that_are_too_close(made: StudyInLedger) -> None:
    view = read_study(made.ledger, made.name)
    text = caveat(view)
    assert "30 epochs" in text and "1,000 validation images" in text
    for gap in view.comparisons:
        assert (f"“{gap.baseline.name}”" in text) is not gap.can_be_told


def test_a_clear_difference_is_called_one(tmp_path: Path) -> None:
    made = StudyInLedger(tmp_path)
    made.add_baselines((0.5, 0.45, 0.4, 0.41, 0.42))
    made.add_searched(2, best_error=0.05)
    assert "further than that from every baseline" in caveat(read_study(made.ledger, made.name))


def test_policies_that_get_the_same_images_right_are_not_called_apart(made: StudyInLedger) -> None:
    view = read_study(made.ledger, made.name)
    same = replace(view, comparisons=tuple(replace(gap, difference=0.0, resolvable=0.0) for gap in view.comparisons))
    assert not any(gap.can_be_told for gap in same.comparisons)
    assert "right as every baseline: nothing tells them apart" in caveat(same) and "further" not in caveat(same)


def test_a_baseline_may_be_the_best_and_is_not_compared_with_itself(tmp_path: Path) -> None:
    made = StudyInLedger(tmp_path)
    made.add_baselines((0.15, 0.14, 0.05, 0.14, 0.15))
    made.add_searched(2)
    view = read_study(made.ledger, made.name)
    assert view.best is not None and view.best.name == "trivialaugment-wide"
    assert [gap.baseline.name for gap in view.comparisons] == [name for name in NAMES if name != "trivialaugment-wide"]


def test_a_study_without_a_success_has_no_best(tmp_path: Path) -> None:
    made = StudyInLedger(tmp_path)
    cells = made.space.cells()
    assert cells is not None
    made.fail(made.add_cell(cells[0]), "the loss is inf")
    made.add_cell(cells[1])
    view = read_study(made.ledger, made.name)
    assert (view.best, view.comparisons, caveat(view)) == (None, (), "")
    assert [row.status for row in view.rows] == ["failed", "waiting"]


def test_an_unknown_study_is_told_what_there_is(made: StudyInLedger) -> None:
    with pytest.raises(BadInput, match=f"'nobody'.*{made.name}"):
        read_study(made.ledger, "nobody")
