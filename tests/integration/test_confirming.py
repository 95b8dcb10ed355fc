"""Models for the look at the test set: trained once, whatever stops it, and looked at together; nothing is opened for less."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from search_fixture import write_bars
from study_fixture import StudyInLedger

from policysearch import Study
from policysearch.confirming import ahead, arms_to_test, confirm_and_disclose
from policysearch.drivers import Event, Listener, Task, TaskSource
from policysearch.drivers.execution import record_failure
from policysearch.drivers.local import LocalDriver
from policysearch.home import Home
from policysearch.ledger import Figure, Ledger, StudyRecord, TrialRecord
from searchspaces.errors import BadInput, NoTrialSucceeded

NAME = "bars"
SEEDS = 2
UNCOMPILED = {"POLICYSEARCH_ENGINE": "grouped"}  # two epochs are over before a kernel is compiled


class Killed(BaseException):
    """What a test raises where a process would die."""


class Searched:
    """A home with a study that is searched and judged, and not tested."""

    def __init__(self, home: Home) -> None:
        self.home, self.events = home, list[Event]()
        self.ledger = Ledger(home.ledger_url)
        found = self.ledger.study(NAME)
        assert found is not None
        self.study: StudyRecord = found

    def confirm(self, hear: Callable[[Event], None] | None = None, driver: Any = None) -> Figure:
        def both(event: Event) -> None:
            self.events.append(event)
            if hear is not None:
                hear(event)

        return confirm_and_disclose(self.home, self.ledger, self.study, driver or LocalDriver(1), both)

    @property
    def models(self) -> tuple[TrialRecord, ...]:
        return self.ledger.trials(self.study.uid, ("confirmation",))

    @property
    def weights(self) -> dict[str, Path]:
        return {path.stem: path for path in (self.home.study_directory(NAME) / "confirmation").glob("*.pt")}

    def told(self, kind: str) -> list[Event]:
        return [event for event in self.events if event.kind == kind]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Home:
    root = tmp_path_factory.mktemp("judged")
    wishes: dict[str, Any] = {"epochs": 1, "workers": 1, "sampler": "random", "seed": 5, "name": NAME, "home": root / "home"}
    with pytest.MonkeyPatch.context() as patched:
        for name, value in UNCOMPILED.items():
            patched.setenv(name, value)
        data = str(write_bars(root / "bars.npz"))
        Study(data, calibrate=False, finalists=1, finalist_seeds=SEEDS, **wishes).run(trials=1)
    return Home(root / "home")


@pytest.fixture
def searched(judged: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Searched:
    for name, value in UNCOMPILED.items():
        monkeypatch.setenv(name, value)
    shutil.copytree(judged.root, tmp_path / "home")
    return Searched(Home(tmp_path / "home"))


@pytest.mark.slow
def test_both_sides_are_trained_on_all_images_and_looked_at_once(searched: Searched) -> None:
    arms = arms_to_test(searched.ledger, searched.study)
    plan = ahead(searched.home, searched.ledger, searched.study)
    assert (plan.trainings, plan.labels) == (SEEDS * len(arms), tuple(arm.label for arm in arms))
    assert plan.seconds is not None and plan.seconds > 0
    figure = searched.confirm()
    said = [(model["label"], model["arm"], model["replicate"]) for model in figure.models]
    sides = ("winner", "baseline")
    assert said == [(arm.label, side, seed) for arm, side in zip(arms, sides, strict=False) for seed in (1, 2)]
    assert [score.total for score in figure.scores] == [30] * len(figure.models)
    assert {trial.spec["split"] for trial in searched.models} == {"all"}
    first = next(trial for trial in searched.models if trial.spec["replicate"] == 1)
    assert first.trial_uid == figure.models[0]["trial_uid"]
    assert set(searched.weights) == {figure.models[0]["trial_uid"]}, "the others' are not wanted any more"
    policy = json.loads((searched.home.study_directory(NAME) / "policy.json").read_text())
    assert policy["provenance"]["test"] is not None

    rows, told = searched.models, len(searched.told("started"))
    assert searched.confirm() == figure
    assert searched.models == rows and len(searched.told("started")) == told
    assert [event.total for event in searched.told("stage")] == [SEEDS * len(arms)]


@pytest.mark.slow
def test_stopped_anywhere_the_same_call_goes_on(searched: Searched, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the second model; then after the gate's evaluation, when weights have gone, too."""

    def stop(event: Event) -> None:
        if event.kind == "finished" and len(searched.told("finished")) == 2:
            raise Killed

    with pytest.raises(Killed):
        searched.confirm(stop)
    first = [trial for trial in searched.models if trial.result is not None]
    assert len(first) == 2 and searched.ledger.claim(searched.study.uid) is None

    def die(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "commit_figure", die)
        with pytest.raises(Killed):
            searched.confirm()
    assert [trial for trial in searched.models if trial in first] == first, "what was trained stays"
    claim = searched.ledger.claim(searched.study.uid)
    assert claim is not None and claim.figure is None and ahead(searched.home, searched.ledger, searched.study).trainings == 0
    gone, changed = claim.models[0]["trial_uid"], claim.models[-1]["trial_uid"]
    kept = searched.weights[gone].read_bytes()
    searched.weights[gone].unlink()
    searched.weights[changed].write_bytes(b"other")
    figure = searched.confirm()
    assert figure.models == claim.models
    assert [event.trial_uid for event in searched.told("note") if "training it again" in event.text] == [gone, changed]
    assert searched.weights[gone].read_bytes() == kept


@pytest.mark.slow
def test_a_model_that_fails_opens_nothing_and_another_seed_takes_its_place(searched: Searched) -> None:
    class LosesTheFirst:
        """A driver whose first task is lost with its workers."""

        def run(self, source: TaskSource, listener: Listener) -> None:
            task = source.next_task()
            assert isinstance(task, Task)
            source.started(task.trial_uid)
            record_failure(task, "its worker was lost twice")
            source.finished(task.trial_uid)
            LocalDriver(1).run(source, listener)

    with pytest.raises(NoTrialSucceeded, match=r"model of .*, seed 1 failed: its worker was lost twice; the test set stays clo"):
        searched.confirm(driver=LosesTheFirst())
    assert searched.ledger.claim(searched.study.uid) is None
    assert ahead(searched.home, searched.ledger, searched.study).trainings == 1
    figure = searched.confirm()
    assert [model["replicate"] for model in figure.models][:SEEDS] == [2, 3]


@pytest.mark.slow
def test_a_study_whose_images_are_gone_trains_nothing_for_them(searched: Searched) -> None:
    shutil.rmtree(searched.home.root / "heldout")
    with pytest.raises(BadInput, match=r"its prepared images are not in .*; run its search again"):
        searched.confirm()
    assert searched.models == () and searched.events == []


def with_finalists(root: Path, **errors: float) -> StudyInLedger:
    study = StudyInLedger(root)
    study.add_baselines()
    study.add_searched(len(study.cells))
    searched = next(trial.label for trial in study.ledger.trials(study.study.uid) if trial.role == "trial")
    labels = {"searched": searched, "wide": "trivialaugment-wide", "plain": "flip+crop"}
    study.add_finalists({labels[name]: error for name, error in errors.items()})
    return study


def test_a_baseline_that_wins_is_looked_at_alone(tmp_path: Path) -> None:
    study = with_finalists(tmp_path, searched=0.3, wide=0.05, plain=0.2)
    assert [arm.label for arm in arms_to_test(study.ledger, study.study)] == ["trivialaugment-wide"]


def test_a_searched_policy_that_wins_is_looked_at_beside_the_named_baseline(tmp_path: Path) -> None:
    study = with_finalists(tmp_path, searched=0.05, wide=0.2, plain=0.3)
    winner, named = arms_to_test(study.ledger, study.study)
    assert (winner.role, named.label) == ("trial", "trivialaugment-wide")


def test_with_nothing_to_test_it_says_so(tmp_path: Path) -> None:
    study = StudyInLedger(tmp_path)
    with pytest.raises(NoTrialSucceeded):
        arms_to_test(study.ledger, study.study)
    bare = study.ledger.create_study("bare", {"objective": "train"})
    with pytest.raises(BadInput, match="its own trainer's"):
        ahead(study.home, study.ledger, bare)
    no_test = study.ledger.create_study("no test", {"recipe": {}, "test": None})
    with pytest.raises(BadInput, match="its data has no test set"):
        ahead(study.home, study.ledger, no_test)
