"""A trial that hangs, one that asks for too much memory, one whose workers the kernel kills: it fails with its reason, alone."""

from collections.abc import Callable

import pytest
from faults.checking import Books
from faults.pretended import Wishes
from faults.scenes import Scene

from trials.values import TrialResult

pytestmark = pytest.mark.timeout(900)  # many processes are started, one after the other


def failed(played: Scene) -> TrialResult:
    """The failed result of the one odd trial; all others are done."""
    assert played.end(played.start()) == 0, played.said()
    books = Books.of(played)
    odd = (played.root / "witness.odd").read_text()
    results = {trial.trial_uid: trial.result for trial in books.trials}
    assert all(result is not None for result in results.values())
    assert [uid for uid, result in results.items() if result and result.status == "failed"] == [odd]
    assert books.lost == 0 and played.processes() == []
    found = results[odd]
    assert found is not None
    return found


@pytest.mark.slow
def test_a_trial_that_hangs_is_ended_twice_and_then_failed(scene: Callable[..., Scene]) -> None:
    result = failed(scene(odd="hang", trials=4, max_trial_minutes=1.5 / 60))
    assert result.error is not None
    assert "its worker was lost 2 times" in result.error and "is taken to hang" in result.error


def test_a_trial_that_asks_for_too_much_memory_fails_at_once(scene: Callable[..., Scene]) -> None:
    played = scene(odd="memory", trials=4, seconds=0.02)
    result = failed(played)
    assert result.error is not None and "out of memory" in result.error
    assert Books.of(played).begun[result.trial_uid] == 1, "it was tried again, though it failed by itself"


@pytest.mark.slow
def test_a_trial_whose_workers_the_kernel_kills_fails_and_memory_is_named(scene: Callable[..., Scene]) -> None:
    played = scene(odd="killed", trials=4, seconds=0.02)
    result = failed(played)
    assert result.error is not None and "its worker was lost 2 times" in result.error and "memory" in result.error
    assert Books.of(played).begun[result.trial_uid] == 2


def test_wishes_travel_as_plain_values() -> None:
    wishes = Wishes("/x", odd="hang", seed=3)
    assert Wishes(**wishes.to_dict()) == wishes
