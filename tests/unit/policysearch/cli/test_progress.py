"""What a person is told while a search runs: counted from events, each trial by its own name."""

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from policysearch.cli.progress import Bars, PlainLines, Tally
from policysearch.drivers import Event


def test_a_trial_that_failed_before_this_search_began_is_called_by_its_name() -> None:
    tally = Tally(5)
    failed = Event("failed", "a", text="the loss is nan", label="flip+crop")
    tally.hear(failed)
    assert tally.ending(failed) == "flip+crop: failed: the loss is nan"
    assert tally.running == [] and tally.best is None


def test_a_trial_that_is_tried_again_keeps_its_one_bar() -> None:
    with Progress(console=Console(file=io.StringIO()), auto_refresh=False) as progress:
        bars = Bars(Tally(5), progress)
        for event in (Event("started", "a", label="none"), Event("epoch", "a", 3, 1, 4), Event("started", "a", label="none")):
            bars.hear(event)
        assert [(task.description, task.completed) for task in progress.tasks] == [("search", 0), ("none", 0)]
        bars.hear(Event("finished", "a", 5, 1, 4, label="none"))
        assert [task.description for task in progress.tasks] == ["search"]


def test_lines_tell_the_end_of_each_trial_and_where_the_search_stands(capsys: pytest.CaptureFixture[str]) -> None:
    view = PlainLines(Tally(5))
    view.hear(Event("ready", total=2, text="birds"))
    view.hear(Event("started", "a", label="none"))
    view.hear(Event("finished", "a", 5, 1, 4, label="none"))
    assert capsys.readouterr().out.splitlines() == [
        "study birds: 2 trials of 5 epochs",
        "none: 25.0 % wrong after 5 epochs  [1 of 2 trials, best 25.0 % wrong (none)]",
    ]


def test_of_equal_errors_the_first_to_finish_is_shown_as_best() -> None:
    tally = Tally(1)
    for uid, label in (("a", "none"), ("b", "flip+crop")):
        tally.hear(Event("finished", uid, 1, 1, 4, label=label))
    assert tally.best == (0.25, "none")
    assert tally.ending(Event("finished", "a", 1, 1, 4, label="none")) == "none: 25.0 % wrong after 1 epoch"


def test_a_trial_of_fewer_epochs_is_shown_by_its_own_number_and_is_never_the_best() -> None:
    tally = Tally(40)
    tally.hear(Event("ready", total=4, text="birds"))
    short = Event("finished", "a", 13, 1, 4, label="level=3, 13 of 40 epochs", budget_epochs=13)
    tally.hear(Event("started", "a", label=short.label, budget_epochs=13))
    tally.hear(short)
    assert tally.ending(short) == "level=3, 13 of 40 epochs: 25.0 % wrong after 13 epochs"
    bests = [tally.best]
    assert (tally.epochs_done, tally.epochs_planned) == (13, 52)
    tally.hear(Event("finished", "b", 40, 2, 4, label="none", budget_epochs=40))
    assert [*bests, tally.best] == [None, (0.5, "none")]
    assert tally.standing().startswith("2 of 4 trials, best 50.0 % wrong (none)")


def test_stages_are_told_with_their_own_count_and_that_of_the_whole_study(capsys: pytest.CaptureFixture[str]) -> None:
    view = PlainLines(Tally(5))
    view.hear(Event("ready", epoch=40, total=8, text="birds"))
    view.hear(Event("stage", total=2, text="baselines"))
    view.hear(Event("finished", "a", 5, 1, 4, label="none", budget_epochs=5, role="baseline"))
    view.hear(Event("stage", total=3, text="finalists"))
    view.hear(Event("finished", "b", 5, 0, 4, label="finalist none, seed 1 of 3", budget_epochs=5, role="finalist"))
    assert capsys.readouterr().out.splitlines() == [
        "study birds: 8 trainings, 40 epochs in all",
        "baselines: 2 trainings",
        "none: 25.0 % wrong after 5 epochs  [baselines: 1 of 2, 1 of 8 in all, best 25.0 % wrong (none)]",
        "finalists: 3 trainings",
        "finalist none, seed 1 of 3: 0.0 % wrong after 5 epochs  [finalists: 1 of 3, 2 of 8 in all, best 25.0 % wrong (none)]",
    ]
    assert view.tally.epochs_planned == 40


def test_a_rehearsal_counts_for_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    view = PlainLines(Tally(5))
    view.hear(Event("ready", epoch=40, total=8, text="birds"))
    view.hear(Event("started", "r", label="rehearsal, 20 steps", budget_epochs=1, role="rehearsal"))
    view.hear(Event("epoch", "r", 1, 1, 4))
    view.hear(Event("finished", "r", 1, 1, 4, label="rehearsal, 20 steps", budget_epochs=1, role="rehearsal"))
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert (view.tally.over, view.tally.epochs_done, view.tally.best) == ({}, 0, None)


def test_longer_trainings_of_the_calibration_are_never_the_best() -> None:
    tally = Tally(5)
    tally.hear(Event("finished", "c", 15, 0, 4, label="flip+crop, 3x the epochs", budget_epochs=15, role="calibration"))
    assert tally.best is None
