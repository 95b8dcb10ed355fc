"""Studies with planted truth through a real ledger: what the pure functions were measured on is what a study is told."""

from pathlib import Path

import numpy as np
import pytest
from simulation.in_ledger import Written
from simulation.planted import World

from policysearch.ledger import Ledger

SMALL = {"policies": 8, "search": 500, "train": 2000, "test": 4000, "seeds": 3, "finalists": 2}


@pytest.mark.slow
def test_where_nothing_is_better_a_real_ledgers_studies_are_not_told_so(tmp_path: Path) -> None:
    ledger = Ledger.open(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    kinds = [Written(ledger, World("null", **SMALL), np.random.default_rng(seed)).play().verdict.kind for seed in range(12)]
    assert kinds.count("better") <= 1 and kinds.count("baseline-wins") >= 6


@pytest.mark.slow
def test_a_large_gain_is_found_through_a_real_ledger_and_its_interval_holds_it(tmp_path: Path) -> None:
    ledger = Ledger.open(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    world = World("gain", gifted=8, gain=0.06, **SMALL)
    for seed in range(6):
        written = Written(ledger, world, np.random.default_rng(seed))
        found = written.play()
        assert found.verdict.kind == "better" and found.stage == "test" and found.verdict.level == 0.025
        assert written.gain(found) == pytest.approx(0.06)
        assert found.verdict.low is not None and found.verdict.high is not None
        assert found.verdict.low - 0.02 < 0.06 < found.verdict.high + 0.02, "six intervals of 95 % may miss a little"
