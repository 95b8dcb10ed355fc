"""A grey set and one of five channels, from the command line to the test figure and to the exported policy at work."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from search_fixture import NO_MIRROR

from policysearch import load_policy
from policysearch.home import Home
from policysearch.ledger import Ledger
from policysearch.ledger.records import Role

SIDE = 20
CLASSES = 3
COUNTS = {"train": 90, "val": 60, "test": 60}
ROLES: tuple[Role, ...] = ("baseline", "trial", "finalist", "confirmation")
WISHES = ("--trials", "1", "--epochs", "2", "--no-calibration", "--finalists", "1", "--finalist-seeds", "1", "--test", "--yes")
FUNCTION = """
import numpy as np
def load():
    arrays = np.load({path!r})
    parts = ("train", "val", "test")
    images, labels = (np.concatenate([arrays[f"{{part}}_{{kind}}"] for part in parts]) for kind in ("images", "labels"))
    splits = [part for part in parts for _ in arrays[f"{{part}}_labels"]]
    return {{"images": images, "labels": labels, "splits": splits, "classes": ["low", "middle", "high"]}}
"""


def write_images(path: Path, channels: int) -> Path:
    """A .npz of noisy images with a bright bar whose height is the class; each channel is as noisy as the others."""
    generator, arrays = np.random.default_rng(channels), dict[str, np.ndarray]()
    for split, images in COUNTS.items():
        labels = np.arange(images) % CLASSES
        pixels = generator.integers(0, 160, (images, SIDE, SIDE, channels))
        for label in range(CLASSES):
            pixels[labels == label, 1 + 6 * label : 7 + 6 * label] += 80
        arrays |= {f"{split}_images": pixels.astype(np.uint8), f"{split}_labels": labels}
    np.savez(path, allow_pickle=False, **arrays)
    return path


def as_npz(folder: Path) -> str:
    return str(write_images(folder / "grey.npz", 1))


def as_function(folder: Path) -> str:
    (folder / "spectral.py").write_text(FUNCTION.format(path=str(write_images(folder / "arrays.npz", 5))))
    return "spectral:load"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("channels", "data"), [(1, as_npz), (5, as_function)])
def test_from_the_command_to_the_test_figure(channels: int, data: Callable[[Path], str], tmp_path: Path) -> None:
    wished = data(tmp_path)

    def typed(*words: str) -> str:
        command = [sys.executable, "-m", "policysearch", *words, "--home", str(tmp_path / "home")]
        environment = os.environ | NO_MIRROR
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
        assert (done.returncode, "Traceback" in done.stdout + done.stderr) == (0, False), done.stdout + done.stderr
        return done.stdout

    said = typed("search", "--data", wished, "--study", "made", *WISHES)
    left_out = {1: "they can't change grey images", 5: "5 channels"}[channels]
    assert left_out in next(line for line in said.splitlines() if line.startswith("left out"))
    assert f"Test error ({COUNTS['test']} images held out, opened once)" in said

    ledger = Ledger.open(Home(tmp_path / "home").ledger_url)
    study = ledger.study("made")
    assert study is not None
    results = [trial.result for trial in ledger.trials(study.uid, ROLES)]
    assert len(results) > 9 and all(result is not None and result.status == "done" for result in results)
    assert {result.engine for result in results if result is not None} == {"numba-fused"}
    figure = json.loads(typed("show", "made", "--json"))["test"]
    assert (figure["state"], figure["total"]) == ("disclosed", COUNTS["test"])
    assert (tmp_path / "home/studies/made/report.html").stat().st_size > 100_000

    typed("export", "made", "-o", str(tmp_path / "mine.json"))
    augment = load_policy(tmp_path / "mine.json").to_torchvision()
    import torch

    images = torch.full((channels, SIDE, SIDE), 77, dtype=torch.uint8)
    assert augment(images).shape[0] == channels
