"""What a person is told while a search runs: counted from events, each trial by its own name."""

import pytest

from policysearch.cli.progress import PlainLines, Silence
from policysearch.cli.tally import Tally
from policysearch.drivers import Event
from policysearch.judging.in_words import against


def test_a_trial_that_failed_before_this_search_began_is_called_by_its_name() -> None:
    tally = Tally(5)
    failed = Event("failed", "a", text="the loss is nan", label="flip+crop")
    tally.hear(failed)
    assert tally.ending(failed) == "flip+crop: failed: the loss is nan"
    assert tally.running == [] and tally.best is None


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
    view.hear(Event("started", "a", label="none", budget_epochs=5, role="baseline"))
    view.hear(Event("finished", "a", 5, 1, 4, label="none", budget_epochs=5, role="baseline"))
    view.hear(Event("stage", total=3, text="finalists"))
    view.hear(Event("started", "b", label="finalist none, seed 1 of 3", budget_epochs=5, role="finalist"))
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


def test_a_model_of_the_test_has_no_error_to_tell_for_it_was_trained_on_these_images() -> None:
    tally = Tally(2)
    tally.hear(Event("started", "a", label="model of none, seed 1", budget_epochs=2, role="confirmation"))
    tally.hear(Event("epoch", "a", 1, 1, 4))
    ended = Event("finished", "a", 2, 1, 4, label="model of none, seed 1", budget_epochs=2, role="confirmation")
    tally.hear(ended)
    assert tally.ending(ended) == "model of none, seed 1: trained for 2 epochs"
    assert tally.errors == {}


def hear_all(tally: Tally, *events: Event) -> Tally:
    for event in events:
        tally.hear(event)
    return tally


def test_the_best_is_told_against_the_best_free_baseline_in_points() -> None:
    free = [Event("finished", f"f{wrong}", 5, wrong, 1000, label=f"free{wrong}", role="baseline") for wrong in (131, 129)]
    tally = hear_all(Tally(5), *free)
    assert tally.best_in_words() == "best 12.9 % wrong (free129)"
    hear_all(tally, Event("finished", "a", 5, 140, 1000, label="level=3", role="trial"))
    assert tally.best_in_words() == "best 14.0 % wrong (level=3), 1.1 points worse than the best baseline (free129)"
    hear_all(tally, Event("finished", "b", 5, 121, 1000, label="zoo:x", role="enqueued"))
    assert tally.best_in_words() == "best 12.1 % wrong (zoo:x), 0.8 points better than the best baseline (free129)"
    hear_all(tally, Event("finished", "c", 5, 1, 1000, label="finalist free129, seed 1 of 5", role="finalist"))
    assert tally.best_in_words().startswith("best 12.1 %"), "a finalist is scored on other images"
    assert (against(0.0), against(0.0004), against(-0.0004)) == ("as good as", "as good as", "as good as")


def test_failures_are_counted_and_the_last_one_named() -> None:
    first, last = (Event("failed", uid, text=f"reason {uid}", label=f"level={uid}", role="trial") for uid in "ab")
    assert hear_all(Tally(5), first).standing() == "1 of 1 trials, 1 failed"
    assert hear_all(Tally(5), first, last, last).failed_in_words() == "2 failed, the last: level=b (reason b)"
    assert hear_all(Tally(5), last, first).failed_in_words().endswith("level=a (reason a)")


def test_the_cost_is_the_trainings_hours_and_those_of_gpus_where_they_run_on_one() -> None:
    events = [Event("finished", uid, 5, 1, 10, label=uid, role="trial", seconds=5400.0) for uid in "ab"]
    assert hear_all(Tally(5), *events).cost_in_words() == "3.0 h of training"
    assert hear_all(Tally(5, gpus=0.25), *events).cost_in_words() == "3.0 h of training, 0.8 GPU hours"
    assert Tally(5, gpus=0.25).cost_in_words() == ""
    failed = Event("failed", "c", label="c", text="memory", seconds=1800.0)
    assert hear_all(Tally(5), *events, failed).cost_seconds == 12600


def test_trainings_that_were_there_already_are_not_told_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    view = PlainLines(Tally(5))
    view.hear(Event("ready", epoch=500, epochs_before=495, total=100, text="birds"))
    view.hear(Event("note", text="99 trainings were there already"))
    view.hear(Event("stage", total=100, text="search"))
    for number in range(99):
        view.hear(Event("finished", f"old{number}", 5, 1, 4, label=f"level={number}", role="trial"))
    assert len(capsys.readouterr().out.splitlines()) == 2
    view.hear(Event("started", "new", label="level=99", role="trial"))
    view.hear(Event("finished", "new", 5, 2, 4, label="level=99", role="trial"))
    assert capsys.readouterr().out.splitlines() == [
        "search: 100 trainings",
        "level=99: 50.0 % wrong after 5 epochs  [search: 100 of 100, 100 of 100 in all, best 25.0 % wrong (level=0)]",
    ]


def test_the_time_left_goes_by_what_this_run_has_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("policysearch.cli.tally.time.monotonic", lambda: now[0])
    tally = hear_all(Tally(10), Event("ready", epoch=100, epochs_before=50, total=10, text="birds"))
    hear_all(tally, *(Event("finished", f"old{number}", 10, 1, 4, label="x", role="trial") for number in range(3)))
    assert tally.seconds_left() is None
    hear_all(tally, Event("started", "a", label="a", role="trial"))
    for epoch in range(1, 6):
        hear_all(tally, Event("epoch", "a", epoch, 1, 4))
        now[0] += 7.0
    now[0] = 28.0  # the moment of the fifth epoch
    assert tally.seconds_left() == 45 * 7.0, "4 epochs in 28 seconds; 50 are this run's, 5 of them are done"
    hear_all(tally, Event("started", "b", label="b", role="trial"), Event("epoch", "b", 8, 1, 4))
    assert tally.epochs_heard == 5, "a training that goes on from its eighth epoch has trained one of them now"


def test_hundreds_of_running_trials_make_no_long_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("policysearch.cli.progress.PLAIN_LINE_EVERY_SECONDS", 0.0)
    view = PlainLines(Tally(5))
    for number in range(300):
        view.hear(Event("started", f"t{number}", label=f"level={number}", role="trial"))
    view.hear(Event("epoch", "t7", 2, 1, 4))
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("level=0 epoch 0/5; ") and "level=7 epoch 2/5; and 292 more  [0 of 300 trials" in line
    view.hear(Event("progress", epoch=3, total=40, text="looking"))
    assert capsys.readouterr().out == "looking: 3 of 40\n"


def test_what_comes_from_outside_can_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    PlainLines(Tally(5)).hear(Event("failed", "a", label="red\x1b[31m", text="a\nb\x07"))
    assert capsys.readouterr().out == ""
    view = PlainLines(Tally(5))
    view.hear(Event("started", "a", label="red\x1b[31m"))
    view.hear(Event("failed", "a", label="red\x1b[31m", text="a\nb\x07"))
    assert capsys.readouterr().out == "red\\x1b[31m: failed: a\\nb\\x07  [1 of 1 trials, 1 failed]\n"


def test_a_quiet_view_says_nothing_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    view = Silence(Tally(5))
    view.hear(Event("note", text="something"))
    view.hear(Event("failed", "a", label="a", text="b"))
    assert (capsys.readouterr().out, len(view.tally.reasons)) == ("", 1)
