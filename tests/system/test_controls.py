"""The negative control of a whole study on real images, at a size for tests: a gain that isn't there is not found.

The positive one needs more images than a test has time for: `python benchmarks/controls.py positive`.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def controls(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    found = import_module("controls")
    if not found.IMAGES.exists():
        pytest.skip("Debian's dataset-fashion-mnist is not installed")
    return found


def test_only_validation_and_test_images_are_turned(controls: Any, tmp_path: Path) -> None:
    import numpy as np

    plain, turned = (
        np.load(controls.write_images(tmp_path / f"{name}.npz", controls.SMALL["negative"], 0, shift))
        for name, shift in (("plain", None), ("turned", controls.turned))
    )
    assert (plain["train_images"] == turned["train_images"]).all()
    for split in ("val", "test"):
        assert (plain[f"{split}_labels"] == turned[f"{split}_labels"]).all()
        assert (plain[f"{split}_images"] != turned[f"{split}_images"]).any(axis=(1, 2)).mean() > 0.95


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_policies_that_are_all_the_same_are_never_called_better(controls: Any, tmp_path: Path) -> None:
    found = controls.negative(tmp_path, controls.SMALL["negative"], seed=0)
    assert found["verdict"] in ("not-distinguishable", "baseline-wins", "worse"), found
