"""One suite for every driver, with real training on tiny data and real kills.

Each driver runs the same eight tasks with one worker, and the tests look at what the ledger holds and what was told. Whatever the
driver: each trial is recorded once, before it is reported; failures carry their reason; a lost worker costs one more try.
"""

import os
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from search_fixture import command_of, processes_below, write_bars

from policysearch.drivers import Driver, Event, Task
from policysearch.ledger import Ledger, TrialRecord, sqlite_url
from searchspaces.families.fixed import baselines
from searchspaces.policy import Policy
from searchspaces.policy_json import digest
from searchspaces.spaces import PHOTO_BASE
from trials.data import Prepared, Source, prepare
from trials.recipes import default_recipe
from trials.values import DataRef, Recipe, TrialSpec

EPOCHS = 2
EPOCHS_TO_BE_KILLED_IN = 60  # so many that the kill, sent when the first is told, comes before the last
GOOD = ("first", "second", "third")
COMMIT_DELAY_SECONDS = 1.0


@dataclass
class Tasks:
    """A `TaskSource` of tasks fixed beforehand, that notes what it is told."""

    ledger: Ledger
    left: list[Task]
    labels: dict[str, str]
    starts: Counter[str] = field(default_factory=Counter)
    ends: list[str] = field(default_factory=list)
    reported_too_early: list[str] = field(default_factory=list)

    def next_task(self) -> Task | None:
        return self.left.pop(0) if self.left else None

    def started(self, trial_uid: str) -> None:
        self.starts[self.labels[trial_uid]] += 1

    def finished(self, trial_uid: str) -> None:
        self.ends.append(self.labels[trial_uid])
        if self.ledger.result(trial_uid) is None:
            self.reported_too_early.append(self.labels[trial_uid])


@dataclass
class Scene:
    """What a driver left behind."""

    source: Tasks
    trials: dict[str, TrialRecord]
    events: list[Event]
    raised: BaseException | None
    stdout: str
    left_running: list[int]


def training_processes() -> list[int]:
    """The processes that train for a driver of this process: the local ones, and Ray's."""

    def trains(pid: int) -> bool:
        command = command_of(pid)
        return b"policysearch.drivers.worker" in command or command.startswith(b"ray::ImplicitFunc")

    return [pid for pid in processes_below(os.getpid()) if trains(pid)]


def plan(ledger: Ledger, data: Prepared, directory: Path) -> Tasks:
    """The eight tasks, in the ledger."""
    recipe = replace(default_recipe("cpu"), batch_images=32)
    policies = baselines(data.channels, PHOTO_BASE)
    study = ledger.create_study("bars", {})
    wishes: dict[str, tuple[Policy, Recipe]] = {
        "first": (policies["none"], recipe),
        "second": (policies["flip+crop"], recipe),
        "impossible": (policies["none"], replace(recipe, model="no-such-net")),
        "diverging": (policies["none"], replace(recipe, peak_learning_rate=1e30)),
        "killed once": (policies["flip+crop"], recipe),
        "killed always": (policies["flip+crop"], recipe),
        "third": (policies["trivialaugment-wide"], recipe),
        "slow to commit": (policies["none"], recipe),
    }
    tasks = Tasks(ledger, [], {})
    for number, (label, (policy, its_recipe)) in enumerate(wishes.items()):
        uid = f"trial{number}"
        epochs = EPOCHS_TO_BE_KILLED_IN if label.startswith("killed") else EPOCHS
        spec = TrialSpec(uid, policy, its_recipe, DataRef(str(data.directory), data.fingerprint), 7, epochs)
        ledger.add_trial(study.uid, number, "trial", label, {}, f"{digest(policy)}{number}", "", spec.to_dict())
        tasks.left.append(Task(spec.to_dict(), ledger.url, str(directory / "weights" / f"{uid}.pt")))
        tasks.labels[uid] = label
    return tasks


class Saboteur:
    """A listener that kills the worker of two trials, and keeps the ledger's writers waiting at the end of a third."""

    def __init__(self, source: Tasks, ledger_file: Path) -> None:
        self.source, self.ledger_file, self.events = source, ledger_file, list[Event]()

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        label = self.source.labels.get(event.trial_uid)
        if event.kind != "epoch":
            return
        if label == "killed always" or (label == "killed once" and self.source.starts[label] == 1):
            for pid in training_processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if label == "slow to commit" and event.epoch == EPOCHS:
            writer = sqlite3.connect(self.ledger_file, isolation_level=None, check_same_thread=False)
            writer.execute("BEGIN IMMEDIATE")
            threading.Timer(COMMIT_DELAY_SECONDS, writer.close).start()


def play(driver: Driver, directory: Path, data: Prepared, capture: Callable[[], str]) -> Scene:
    ledger_file = directory / "ledger.sqlite"
    ledger = Ledger.open(sqlite_url(ledger_file))
    source = plan(ledger, data, directory)
    saboteur = Saboteur(source, ledger_file)
    before, raised = set(processes_below(os.getpid())), None
    try:
        driver.run(source, saboteur)
    except BaseException as error:
        raised = error
    others = {child for pid in before for child in processes_below(pid)}  # a database of other tests begins some at any time
    left = [pid for pid in processes_below(os.getpid()) if pid not in before | others]
    trials = {trial.label: trial for trial in ledger.trials(ledger.studies()[0].uid)}
    return Scene(source, trials, saboteur.events, raised, capture(), left)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp("data")
    return prepare(Source(str(write_bars(folder / "bars.npz"))), folder)


@pytest.fixture(scope="module")
def local_scene(tmp_path_factory: pytest.TempPathFactory, data: Prepared) -> Scene:
    from policysearch.drivers.local import LocalDriver

    return caught(LocalDriver(workers=1), tmp_path_factory.mktemp("local"), data)


@pytest.fixture(scope="module")
def ray_scene(tmp_path_factory: pytest.TempPathFactory, data: Prepared) -> Scene:
    from policysearch.drivers.ray_tune import RayDriver

    return caught(RayDriver(workers=1, address=None, gpus_per_trial=0.0), tmp_path_factory.mktemp("ray"), data)


def caught(driver: Driver, directory: Path, data: Prepared) -> Scene:
    """Play with file descriptor 1 in a file: nothing may come through it."""
    stdout = directory / "stdout"
    kept = os.dup(1)
    with stdout.open("wb") as file:
        os.dup2(file.fileno(), 1)
    try:
        return play(driver, directory, data, stdout.read_text)
    finally:
        os.dup2(kept, 1)
        os.close(kept)


@pytest.fixture(params=["local", pytest.param("ray", marks=pytest.mark.slow)])
def scene(request: pytest.FixtureRequest) -> Scene:
    found = request.getfixturevalue(f"{request.param}_scene")
    assert isinstance(found, Scene)
    if found.raised is not None:
        raise found.raised
    return found


def test_every_trial_is_recorded_and_told_once(scene: Scene) -> None:
    assert all(trial.result is not None for trial in scene.trials.values())
    assert sorted(scene.source.ends) == sorted(scene.trials)
    assert scene.source.next_task() is None


def test_good_trials_are_done_at_the_first_attempt_with_their_epochs_told(scene: Scene) -> None:
    for label in GOOD:
        trial = scene.trials[label]
        assert trial.result is not None and trial.result.status == "done" and trial.attempts == 1
        told = [(e.epoch, e.wrong, e.total) for e in scene.events if e.kind == "epoch" and e.trial_uid == trial.trial_uid]
        assert told == [(epoch.number, epoch.wrong, epoch.total) for epoch in trial.result.epochs]
        assert len(told) == EPOCHS


def test_its_workers_augment_in_the_fused_kernel(scene: Scene) -> None:
    """Whatever a worker lacks that would make it fall back costs so much time that it is a defect, not a choice."""
    assert {trial.result.engine for trial in scene.trials.values() if trial.result and trial.result.status == "done"} == {
        "numba-fused"
    }


def test_the_kept_weights_are_those_of_the_result(scene: Scene, request: pytest.FixtureRequest) -> None:
    from policysearch.kept_weights import KeptWeights

    trial = scene.trials["third"]
    assert trial.result is not None
    folder = Path(scene.source.ledger.url.removeprefix("sqlite:///")).parent / "weights"
    assert KeptWeights(folder).is_sound(trial.trial_uid, trial.result.weights_sha256)


def test_failures_are_results_with_their_reason(scene: Scene) -> None:
    for label, reason in (("impossible", "no-such-net"), ("diverging", "nan")):
        result = scene.trials[label].result
        assert result is not None and result.status == "failed" and result.score is None
        assert reason in (result.error or "").lower() and "\n" not in (result.error or "")
        assert scene.trials[label].attempts == 1, "a trial that fails by itself is not tried again"


def test_a_lost_worker_costs_its_trial_one_more_try(scene: Scene) -> None:
    trial = scene.trials["killed once"]
    assert trial.result is not None and trial.result.status == "done"
    assert trial.attempts == 2 and scene.source.starts["killed once"] == 2
    assert any(event.kind == "note" and event.trial_uid == trial.trial_uid and "lost" in event.text for event in scene.events)


def test_a_trial_that_loses_two_workers_has_failed_and_the_search_goes_on(scene: Scene) -> None:
    trial = scene.trials["killed always"]
    assert trial.result is not None and trial.result.status == "failed" and trial.attempts == 2
    assert "its worker was lost 2 times" in (trial.result.error or "")
    assert scene.source.ends.index("killed always") < scene.source.ends.index("third")


def test_a_result_is_committed_before_it_is_reported(scene: Scene) -> None:
    assert scene.source.reported_too_early == []


def test_nothing_reaches_standard_output_and_nothing_stays_running(scene: Scene) -> None:
    assert scene.stdout == ""
    assert scene.left_running == []


@pytest.mark.slow
def test_both_drivers_give_the_same_result_for_the_same_spec(local_scene: Scene, ray_scene: Scene) -> None:
    for label in (*GOOD, "killed once", "slow to commit"):
        local, ray = local_scene.trials[label].result, ray_scene.trials[label].result
        assert local is not None and ray is not None and local.score is not None
        assert (local.epochs, local.score, local.weights_sha256) == (ray.epochs, ray.score, ray.weights_sha256)
