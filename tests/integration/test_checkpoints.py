"""A training that is killed at an epoch's end and run again ends as one that never was: counts, bits, loss, weights."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trial_fixture import prepared_bars, spec_on

from searchspaces.policy import Base, Batch, Branch, Choice, PadCrop, Policy, Step, Uniform
from trials import checkpoints
from trials.data import Prepared
from trials.places import Location, RemoteFile
from trials.recipes import default_recipe
from trials.run import run_trial
from trials.train import Trainer
from trials.values import Epoch, TrialResult, TrialSpec

ROTATED = Branch((Step((Choice("rotate", (Uniform(-20.0, 20.0),)),), probability=0.7),))
POLICY = Policy(Base(crop=PadCrop(0.125), hflip=0.5), branches=(ROTATED,), batch=Batch(mixup_alpha=0.4))


class Killed(BaseException):
    """As a signal, it is nobody's to catch."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepared_bars(tmp_path_factory.mktemp("data"))


@pytest.fixture
def spec(data: Prepared) -> TrialSpec:
    return dataclasses.replace(spec_on(data), policy=POLICY, budget_epochs=4)


@pytest.fixture(autouse=True)
def at_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(checkpoints, "TIMES_ITS_COST", 0.0)


class Attempts:
    """Attempts at one trial, one after the other, with one checkpoint; what each was told."""

    def __init__(self, spec: TrialSpec, folder: Path, checkpoint: Location | None = None) -> None:
        self.spec, self.weights, self.checkpoint = spec, folder / "weights.pt", checkpoint or folder / "training" / "t0.pt"
        self.notes: list[str] = []
        self.told: list[int] = []

    def run(self, killed_after: int | None = None) -> TrialResult | None:
        """None where it is killed: after so many epochs have been told, the last of them not kept."""
        self.told = []

        def hear(epoch: Epoch) -> None:
            self.told.append(epoch.number)
            if epoch.number == killed_after:
                raise Killed

        try:
            return run_trial(self.spec, hear, self.weights, self.checkpoint, self.notes.append)
        except Killed:
            return None

    def figures(self, result: TrialResult | None) -> tuple[Any, ...]:
        assert result is not None and result.status == "done", result
        assert result.weights_sha256 == hashlib.sha256(self.weights.read_bytes()).hexdigest()
        return result.epochs, result.score, result.weights_sha256, result.engine


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_resumed_or_not_the_result_is_the_same_to_the_bit(precision: Any, spec: TrialSpec, tmp_path: Path) -> None:
    spec = dataclasses.replace(spec, recipe=dataclasses.replace(spec.recipe, precision=precision))
    whole = Attempts(spec, tmp_path / "whole")
    wanted = whole.figures(whole.run())
    often = Attempts(spec, tmp_path / "often")
    assert often.run(killed_after=2) is None and often.told == [1, 2]
    assert often.run(killed_after=3) is None and often.told == [2, 3], "epoch 1 was kept, and is not trained again"
    assert often.figures(often.run()) == wanted and often.told == [3, 4]
    assert [note.rpartition(" ")[2] for note in often.notes] == ["1", "2"]


EVERYTHING: dict[str, Any] = {
    **{"optimiser": "adamw", "peak_learning_rate": 0.003, "schedule": "cosine", "ema_decay": 0.9, "dropout": 0.2},
    **{"gradient_clip": 1.0, "batch_parts": 2, "patience_epochs": 3},
}


@pytest.mark.parametrize("fields", [EVERYTHING, {"schedule": "step", "trunk_learning_rate_factor": 0.1, "frozen_stages": 1}])
def test_whatever_the_recipe_it_is_the_same(fields: dict[str, Any], spec: TrialSpec, tmp_path: Path) -> None:
    """Running means, moments, dropout and frozen stages go on where they were."""
    if "frozen_stages" in fields:
        sha256 = run_trial(dataclasses.replace(spec, budget_epochs=1), lambda epoch: None, tmp_path / "start.pt").weights_sha256
        fields = {**fields, "weights": str(tmp_path / "start.pt"), "weights_sha256": sha256}
    spec = dataclasses.replace(spec, recipe=dataclasses.replace(spec.recipe, **fields))
    whole, killed = Attempts(spec, tmp_path / "whole"), Attempts(spec, tmp_path / "killed")
    assert killed.run(killed_after=3) is None
    assert killed.figures(killed.run()) == whole.figures(whole.run()) and killed.told == [3, 4]


def test_one_that_was_to_stop_early_stops_there_after_all(spec: TrialSpec, tmp_path: Path) -> None:
    """The epochs of all attempts count; so hopeless a learning rate gets nowhere."""
    recipe = dataclasses.replace(spec.recipe, patience_epochs=2, peak_learning_rate=1e-9)
    spec = dataclasses.replace(spec, recipe=recipe, budget_epochs=9)
    whole, killed = Attempts(spec, tmp_path / "whole"), Attempts(spec, tmp_path / "killed")
    wanted = whole.figures(whole.run())
    assert len(wanted[0]) < 9
    assert killed.run(killed_after=2) is None and killed.figures(killed.run()) == wanted


@pytest.mark.gpu
def test_on_a_gpu_it_is_the_same(spec: TrialSpec, tmp_path: Path) -> None:
    spec = dataclasses.replace(
        spec, recipe=dataclasses.replace(default_recipe("cuda"), batch_images=32, ema_decay=0.9, dropout=0.2)
    )
    whole, killed = Attempts(spec, tmp_path / "whole"), Attempts(spec, tmp_path / "killed")
    assert killed.run(killed_after=3) is None
    assert killed.figures(killed.run()) == whole.figures(whole.run()) and killed.told == [3, 4]


def test_behind_a_url_it_is_the_same(spec: TrialSpec, tmp_path: Path) -> None:
    here = Attempts(spec, tmp_path / "here")
    there = Attempts(spec, tmp_path / "there", RemoteFile("memory://kept/training/t0.pt"))
    assert there.run(killed_after=3) is None
    assert there.figures(there.run()) == here.figures(here.run()) and there.told == [3, 4]


def test_time_and_epochs_of_all_attempts_are_in_the_result(spec: TrialSpec, tmp_path: Path) -> None:
    attempts = Attempts(spec, tmp_path)
    attempts.run(killed_after=3)
    before = checkpoints.Checkpoint(attempts.checkpoint, spec, _environment(spec), print).load()
    result = attempts.run()
    assert before is not None and result is not None and [epoch.number for epoch in result.epochs] == [1, 2, 3, 4]
    for name in ("total", "step", "augment", "score"):
        assert result.span_seconds[name] > before.span_seconds[name] > 0


def _environment(spec: TrialSpec) -> dict[str, str]:
    from trials.machine import environment, reproducible

    with reproducible(spec.recipe):
        return environment(spec.recipe)


def test_a_rehearsal_keeps_none(spec: TrialSpec, tmp_path: Path) -> None:
    attempts = Attempts(dataclasses.replace(spec, budget_steps=3), tmp_path)
    attempts.run()
    assert not attempts.checkpoint.exists()


def cut(file: bytes) -> bytes:
    return file[: len(file) // 2]


def flipped(file: bytes) -> bytes:
    return file[:-1000] + bytes([file[-1000] ^ 1]) + file[-999:]


def of_another_version(file: bytes) -> bytes:
    header, _, payload = file.partition(b"\n")
    return json.dumps({**json.loads(header), "version": "0.0.1"}).encode() + b"\n" + payload


def of_another_machine(file: bytes) -> bytes:
    return file.replace(b'"cpu_capability": "', b'"cpu_capability": "NOT ', 1)


def pickled(file: bytes) -> bytes:
    """A whole checkpoint, but for what it holds: something that torch would have to run."""
    import pickle

    header, payload = json.loads(file.partition(b"\n")[0]), pickle.dumps(print, protocol=2)
    return json.dumps({**header, "sha256": hashlib.sha256(payload).hexdigest()}).encode() + b"\n" + payload


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (cut, "damaged"),
        (flipped, "its hash is another"),
        (lambda file: b"", "damaged"),
        (lambda file: b"[]\n", "damaged"),
        (of_another_version, "of another version"),
        (of_another_machine, "of another machine"),
        (pickled, "holds something else"),
    ],
)
def test_one_that_is_spoilt_is_ignored_with_a_note(
    spoil: Callable[[bytes], bytes], reason: str, spec: TrialSpec, tmp_path: Path
) -> None:
    attempts = Attempts(dataclasses.replace(spec, budget_epochs=2), tmp_path)
    attempts.run(killed_after=2)
    path = tmp_path / "training" / "t0.pt"
    path.write_bytes(spoil(path.read_bytes()))
    whole = Attempts(attempts.spec, tmp_path / "whole")
    assert attempts.figures(attempts.run()) == whole.figures(whole.run()) and attempts.told == [1, 2]
    assert reason in attempts.notes[-1] and str(path) in attempts.notes[-1] and "\n" not in attempts.notes[-1]


def test_another_trials_is_ignored_and_where_the_data_lies_does_not_matter(spec: TrialSpec, tmp_path: Path) -> None:
    attempts = Attempts(dataclasses.replace(spec, budget_epochs=2), tmp_path)
    attempts.run(killed_after=2)
    moved = tmp_path / "moved"
    moved.symlink_to(spec.data.directory)
    attempts.spec = dataclasses.replace(attempts.spec, data=dataclasses.replace(spec.data, directory=str(moved)))
    attempts.run(killed_after=2)
    assert attempts.told == [2]
    attempts.spec = dataclasses.replace(attempts.spec, seed=12)
    attempts.run(killed_after=1)
    assert attempts.told == [1] and "of another trial" in attempts.notes[-1]


def test_one_that_does_not_fit_the_net_after_all_leaves_no_trace(
    spec: TrialSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one would be that another version wrote under the same number: the net is loaded, the optimiser fails."""
    attempts = Attempts(dataclasses.replace(spec, budget_epochs=2), tmp_path)
    state = Trainer.state
    monkeypatch.setattr(Trainer, "state", lambda trainer: {**state(trainer), "optimiser": {}})
    attempts.run(killed_after=2)
    monkeypatch.undo()
    whole = Attempts(attempts.spec, tmp_path / "whole")
    assert attempts.figures(attempts.run()) == whole.figures(whole.run())
    assert "of another net" in attempts.notes[-1]


def test_one_that_cannot_be_written_costs_a_note_and_not_the_trial(spec: TrialSpec, tmp_path: Path) -> None:
    (tmp_path / "training").write_text("a file where a folder should be")
    attempts = Attempts(spec, tmp_path)
    assert attempts.figures(attempts.run()) and len(attempts.notes) == 1 and "can't be written" in attempts.notes[0]
