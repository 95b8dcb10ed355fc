"""When a checkpoint is written: so seldom that it costs next to nothing, whatever one costs."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from searchspaces.policy import Policy
from trials import checkpoints
from trials.checkpoints import LEAST_SECONDS, Checkpoint, Progress
from trials.values import DataRef, Epoch, Recipe, TrialSpec

SPEC = TrialSpec("t0", Policy(), Recipe(), DataRef("data", "f"), 0, 100)


class Clocked:
    """A training of so many seconds an epoch, whose checkpoint takes so many to write."""

    def __init__(self, place: Path, epoch_seconds: float, write_seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.written_at = 0.0, list[float]()
        self.epoch_seconds, self.write_seconds = epoch_seconds, write_seconds
        monkeypatch.setattr(checkpoints, "write_at", self.write)
        self.checkpoint = Checkpoint(place, SPEC, {}, print, clock=lambda: self.now)

    def write(self, place: Path, data: bytes, halfway: object) -> None:
        self.written_at.append(self.now)
        self.now += self.write_seconds

    def train(self, epochs: int, state: object = None) -> None:
        for _ in range(epochs):
            self.now += self.epoch_seconds
            self.checkpoint.keep(lambda: Progress((), {}, (), {"net": state}))


@given(epoch_seconds=st.floats(0.01, 600.0), write_seconds=st.floats(0.001, 20.0))
def test_after_the_first_it_takes_half_a_percent_of_the_time(epoch_seconds: float, write_seconds: float) -> None:
    with pytest.MonkeyPatch.context() as patched:
        training = Clocked(Path("x"), epoch_seconds, write_seconds, patched)
        training.train(300)
    first, *others = training.written_at or [0.0]
    assert len(others) * write_seconds <= 0.005 * (training.now - first)
    gaps = [after - before for before, after in zip(training.written_at, others, strict=False)]
    wanted = max(LEAST_SECONDS, 200 * write_seconds) + write_seconds
    assert all(wanted - 1e-6 <= gap <= wanted + epoch_seconds + 1e-6 for gap in gaps), "and it isn't put off for longer"


def test_a_short_trial_keeps_none_and_a_large_net_waits_longer_for_its_first(monkeypatch: pytest.MonkeyPatch) -> None:
    short = Clocked(Path("x"), 0.5, 0.01, monkeypatch)
    short.train(19)
    assert short.written_at == []
    large = Clocked(Path("x"), 1.0, 0.01, monkeypatch)
    large.train(100, torch.zeros(10_000_000, dtype=torch.uint8))
    assert large.written_at[0] == 40.0, "at 50 MB a second it would take 0.2 s"


def test_what_is_kept_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(checkpoints, "TIMES_ITS_COST", 0.0)
    epochs = (Epoch(1, 0.1 + 0.2, 3, 7), Epoch(2, 1e-300, 2, 7))
    kept = Progress(epochs, {"step": 0.1}, ("numba-fused",), {"net": {"w": torch.arange(3.0)}, "step": 7, "rate": 0.1})
    one = Checkpoint(tmp_path / "deep" / "x.pt", SPEC, {"torch": "2"}, pytest.fail)
    assert one.load() is None, "nothing there is nothing to tell"
    one.keep(lambda: kept)
    found = Checkpoint(tmp_path / "deep" / "x.pt", SPEC, {"torch": "2"}, pytest.fail).load()
    assert found is not None and (found.epochs, found.span_seconds, found.engines) == (epochs, {"step": 0.1}, ("numba-fused",))
    assert torch.equal(found.state["net"]["w"], torch.arange(3.0)) and found.state["step"] == 7
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["x.pt"]
