"""Processes of pretended studies are killed, stopped and interrupted; every study is done in the end, and nothing is lost.

The programmes are in `programmes.py`, what is checked after each in `checking.py`; `soak.py` plays the same for longer.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from faults.checking import check
from faults.programmes import PROGRAMMES, kills
from faults.scenes import Scene
from faults.soak import soak, summary

SEED = 20_261_126
QUICK = ("kill everything", "kill at after_commit")
SLOW = [name for name in PROGRAMMES if name not in QUICK]


@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_a_study_survives(name: str, scene: Callable[..., Scene]) -> None:
    played = scene(trials=10, seconds=0.05)
    PROGRAMMES[name](played, np.random.default_rng([SEED, list(PROGRAMMES).index(name)]))
    check(played)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_fifty_kills_lose_nothing(tmp_path: Path) -> None:
    tally = soak(50, SEED, tmp_path, at_once=2)
    print(summary(tally, SEED, 0.0))
    assert not tally.broken
    assert kills(tally.faults) >= 50
    assert (tally.lost, tally.counted_twice) == (0, 0)
    assert tally.recovered == tally.studies and tally.acknowledged > 50


def test_the_check_sees_a_result_that_is_lost_and_one_that_is_another(scene: Callable[..., Scene]) -> None:
    """What finds nothing must be able to find something."""
    played = scene(trials=2, seconds=0.02)
    played.finish()
    acknowledged, witness = played.root / "acknowledged", played.root / "witness"
    whole = acknowledged.read_text()
    acknowledged.write_text(f"{whole}{'0' * 32} 7\n")
    with pytest.raises(AssertionError, match="I1: 1 acknowledged results are not recorded"):
        check(played)
    acknowledged.write_text(whole)
    seen = witness.read_text()
    uid, wrong = whole.split()[:2]
    witness.write_text("".join(line for line in seen.splitlines(keepends=True) if not line.startswith(f"E {uid}")))
    with pytest.raises(AssertionError, match="another error than its witness saw"):
        check(played)
    witness.write_text(f"{seen}B {uid} 1 0.0\n")
    with pytest.raises(AssertionError, match="I6: 1 repeated executions"):
        check(played)
    witness.write_text(seen)
    check(played)
    assert int(wrong) > 0
