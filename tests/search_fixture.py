"""Tiny data, and studies of it in a real ledger whose trainings are imagined: what searching is tested on."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from policysearch.campaign import Campaign
from policysearch.drivers import LATER, Event, Listener, Task
from policysearch.home import Home
from policysearch.kept_weights import KeptWeights
from policysearch.ledger import Ledger
from policysearch.samplers import make_sampler
from policysearch.setting import Setting
from searchspaces.families.fixed import baselines
from searchspaces.spaces import PHOTO_BASE, build_space
from trials.values import DataRef, Epoch, Recipe, Score, TrialResult

CLASSES = 3
IMAGES = 100
SEARCH_ALONE: Any = {"calibrate": False, "finalists": 0}  # wishes of a study that ends with its search
SEARCH_ALONE_OPTIONS = ("--no-calibration", "--finalists", "0")  # the same, typed
NO_MIRROR = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:1"}
"""For the environment of a command that MLflow is no part of: nobody answers there, and a search ends ten seconds earlier."""
FREE = 5  # baselines that every study has
FREE_CELL = {"ops": 2, "level": 9}  # one of them is a cell of the RandAugment space: it isn't searched again


def write_bars(path: Path, train: int = 60, val: int = 30, test: int = 30) -> Path:
    """A .npz of noisy grey images, 13 x 13, whose class is the height of a bright bar."""
    generator = np.random.default_rng(5)
    arrays: dict[str, Any] = {}
    for split, images in (("train", train), ("val", val), ("test", test)):
        labels = np.arange(images) % CLASSES
        pixels = generator.integers(0, 160, (images, 13, 13))
        for label in range(CLASSES):
            pixels[labels == label, 1 + 4 * label : 4 + 4 * label] += 60
        arrays |= {f"{split}_images": pixels.astype(np.uint8), f"{split}_labels": labels.astype(np.int64)}
    np.savez(path, **arrays)
    return path


class NoMirror:
    """The shipper of a search in the test's own process that MLflow is no part of."""

    def finish(self, timeout_seconds: float) -> None:
        """It never got anywhere."""


def without_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands typed in this process start no mirror: it takes seconds a run."""
    monkeypatch.setattr("policysearch.tracking.shipper.start_shipper", lambda home, study, register=None: NoMirror())


def imagined(trial_uid: str, wrong: int, log_loss_sum: float = 30.0, seconds: float = 10.0) -> TrialResult:
    """A finished training's result."""
    score = Score((False,) * wrong + (True,) * (IMAGES - wrong), ((IMAGES - wrong, wrong), (0, 0)), log_loss_sum)
    epochs = (Epoch(1, 1.0, wrong, IMAGES),)
    return TrialResult(trial_uid, "done", epochs, score, None, {"total": seconds}, {}, "torch-grouped", f"{wrong:064x}")


class Study:
    """A home, a ledger and a study in it; `campaign` begins a search as a new process would."""

    def __init__(self, root: Path, family: str = "randaugment") -> None:
        self.home = Home(root).make()
        self.ledger = Ledger.open(self.home.ledger_url)
        data = DataRef(str(root / "data" / "bars-0"), "0" * 64)
        self.setting = Setting(build_space(family, 3, PHOTO_BASE), baselines(3, PHOTO_BASE), Recipe(), data, 3, 1)
        self.study = self.ledger.create_study("bars", {"test": "1", "recipe": asdict(self.setting.recipe)})
        self.weights_folder = self.home.study_directory("bars") / "weights"
        self.weights = KeptWeights(self.weights_folder)
        self.events: list[Event] = []

    def campaign(self, wanted: int, sampler: str = "random", listener: Listener | None = None, **more: Any) -> Campaign:
        chosen = make_sampler(sampler, self.setting.space, self.setting.seed)
        hear: Callable[[Event], None] = listener or self.events.append
        return Campaign(self.ledger, self.study, self.setting, chosen, self.weights, wanted, hear, **more)

    def finish(self, campaign: Campaign, task: Task, wrong: int, started: bool = False, **more: Any) -> None:
        """Do as a worker and its driver do: weights, then result, then the word that it is over."""
        if not started:
            campaign.started(task.trial_uid)
        self.ledger.start_attempt(task.trial_uid)
        Path(task.weights_path).write_bytes(b"weights")
        self.ledger.commit_result(imagined(task.trial_uid, wrong, **more))
        campaign.finished(task.trial_uid)

    def run(self, campaign: Campaign, wrong: Callable[[int], int] = lambda number: 50, ahead: bool = False) -> int:
        """Finish every task, as a driver with one worker does; how many there were.

        With `ahead` the next task is asked for when the worker takes up the one before, as drivers do to have it ready.
        """
        count, prepared = 0, None
        while isinstance(task := prepared or campaign.next_task(), Task):
            campaign.started(task.trial_uid)
            asked = campaign.next_task() if ahead else None
            self.finish(campaign, task, wrong(self.ledger.trial(task.trial_uid).number), started=True)
            count += 1
            prepared = asked if isinstance(asked, Task) else None
            if ahead and asked is None:
                return count
        assert task is not LATER, "with nothing under way there is nothing to wait for"
        return count


def sequence(root: Path, sampler: str, family: str) -> list[Any]:
    """The params of the first 12 searched trials, each suggested with the errors of those before."""
    study = Study(root, family)
    study.run(study.campaign(12, sampler), wrong=lambda number: 20 + 7 * number % 41)
    return [trial.params for trial in study.ledger.trials(study.study.uid) if trial.role == "trial"]


def processes_below(pid: int) -> list[int]:
    """All descendants of a process that have not ended."""
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = status.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state != "Z":
            children.setdefault(int(parent), []).append(int(status.parent.name))
    found, new = list[int](), [pid]
    while new:
        new = [child for parent in new for child in children.get(parent, [])]
        found += new
    return found


def command_of(pid: int) -> bytes:
    """A process's command line; empty where it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def lives(pid: int) -> bool:
    """Whether a process has not ended; one that nobody has waited for has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
