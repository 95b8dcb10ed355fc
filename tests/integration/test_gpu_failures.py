"""A GPU that fails under Ray: that trial has failed with its reason, and the process that Tune would have kept is gone."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from poisoned_trainer import poisoned
from ray_fixture import ImaginedTasks

from policysearch.drivers import Event
from policysearch.drivers.ray_tune import RayDriver
from policysearch.ledger import Ledger, sqlite_url
from policysearch.packing import pack


@pytest.mark.slow
def test_the_next_trial_runs_in_a_new_process(tmp_path: Path) -> None:
    ledger = Ledger.open(sqlite_url(tmp_path / "ledger.sqlite"))
    (tmp_path / "study" / "weights").mkdir(parents=True)
    source = ImaginedTasks(ledger, 3, None, tmp_path / "study" / "weights", 0.0)
    notes: list[Event] = []
    objective = pack(partial(poisoned, notes=str(tmp_path / "pids")))
    RayDriver(1, None, 0.0, objective).run(source, notes.append)
    results = [trial.result for trial in ledger.trials(ledger.studies()[0].uid)]
    assert [result.status for result in results if result] == ["failed", "done", "done"]
    assert results[0] is not None and "CUDA error: device-side assert triggered" in (results[0].error or "")
    first, second, third = (tmp_path / "pids").read_text().split()
    assert first != second == third


def _asserted(context: Any, notes: str) -> tuple[int, int]:
    """The first trial asks a table for a row that it hasn't: its kernel asserts, and the context is lost."""
    import os
    from pathlib import Path

    import torch

    with Path(notes).open("a") as file:
        file.write(f"{os.getpid()}\n")
    row = 99 if len(Path(notes).read_text().split()) == 1 else 1
    table = torch.ones(2, 2, device="cuda")
    return int(table[torch.tensor([row], device="cuda")].sum().item()), 10


@pytest.mark.gpu
def test_a_real_assertion_on_a_gpu_ends_that_trial_alone(tmp_path: Path) -> None:
    from policysearch.drivers.local import LocalDriver, visible_gpus

    ledger = Ledger.open(sqlite_url(tmp_path / "ledger.sqlite"))
    source = ImaginedTasks(ledger, 3, None, tmp_path / "study" / "weights", 0.0)
    LocalDriver(1, visible_gpus(), pack(partial(_asserted, notes=str(tmp_path / "pids")))).run(source, lambda event: None)
    results = [trial.result for trial in ledger.trials(ledger.studies()[0].uid)]
    assert [result.status for result in results if result] == ["failed", "done", "done"]
    assert results[0] is not None and "device-side assert" in (results[0].error or "")
