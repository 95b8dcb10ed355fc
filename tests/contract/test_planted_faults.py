"""Faults planted on purpose, each in a copy of the source: the suite has to catch every one, or it is asleep.

A fault is one edit of one line, of the kinds that have changed results elsewhere: a `>` for a `>=`, a sign lost, channels
swapped, a probability ignored, one draw for a whole batch. The copy without a fault has to pass, so that it is the fault that
fails. Faults of different ops are planted together, and each has to fail tests of its own op.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COPIED = ("searchspaces", "trials", "policysearch", "dashboards", "tests", "docs", "pyproject.toml")
OPS, GROUPED = "searchspaces/ops", "searchspaces/engines/grouped.py"
DRAWING, CHOICES = "searchspaces/draw.py", "searchspaces/draw_choices.py"
KERNELS = "tests/contract/test_ops.py"
ENGINES = "tests/contract/test_engines.py"
DRAW = "tests/unit/searchspaces/test_draw.py"


@dataclass(frozen=True)
class Fault:
    """In `file`, `right` becomes `wrong`; `suite` (of tests whose names have `about` in them) has to fail."""

    name: str
    file: str
    right: str
    wrong: str
    suite: str
    about: str


FAULTS = [
    Fault("more-for-at-least", f"{OPS}/curves.py", "levels >= column(", "levels > column(", KERNELS, "solarize"),
    Fault("more-for-at-least-fused", f"{OPS}/curves.py", "if level >= threshold", "if level > threshold", ENGINES, "solarize"),
    Fault("up-to-for-below", f"{OPS}/curves.py", "levels < 128, levels +", "levels <= 128, levels +", KERNELS, "solarize_add"),
    Fault("a-sign-lost-in-an-op", f"{OPS}/affine.py", "torch.deg2rad(-torch", "torch.deg2rad(torch", KERNELS, "rotate"),
    Fault("a-sign-lost-fused", f"{OPS}/affine.py", "angle = -(degrees", "angle = (degrees", ENGINES, "rotate"),
    Fault("channels-swapped", f"{OPS}/blends.py", "red.mul(0.2989)", "blue.mul(0.2989)", KERNELS, "saturation"),
    Fault("rounded-for-cut", f"{OPS}/blends.py", "truncated(ramp(values) * c", "rounded(ramp(values) * c", KERNELS, "brightness"),
    Fault(
        "one-value-per-batch",
        GROUPED,
        "given = values[rows, step",
        "given = values[rows[:1].expand(len(rows)), step",
        ENGINES,
        "rotate",
    ),
    Fault("a-sign-lost-in-the-draw", CHOICES, "self.signed[chosen] & mirrored", "self.signed[chosen] & False", DRAW, ""),
    Fault("a-probability-ignored", DRAWING, "draws[:, 0] < step.probability", "draws[:, 0] < 1", DRAW, ""),
    Fault("weights-ignored", CHOICES, "np.cumsum(weights)", "np.cumsum(np.ones(len(weights)))", DRAW, ""),
    Fault(
        "one-draw-per-batch",
        DRAWING,
        "draws = branch_stream.random((images, 1 + chain_steps * pages.slots_per_step))",
        "draws = np.repeat(branch_stream.random((1, 1 + chain_steps * pages.slots_per_step)), images, axis=0)",
        DRAW,
        "",
    ),
]


TOGETHER = {  # of one suite, no two in the same op
    "ops": [fault for fault in FAULTS if fault.suite == KERNELS],
    "fused": [fault for fault in FAULTS if fault.suite == ENGINES and fault.file != GROUPED],
    **{fault.name: [fault] for fault in FAULTS if fault.suite == DRAW or fault.file == GROUPED},
}
SUITES = {
    suite: " or ".join(sorted({fault.about for fault in FAULTS if fault.suite == suite})) for suite in (KERNELS, ENGINES, DRAW)
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source and its tests in a directory of their own."""
    directory = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        place = ROOT / name
        if place.is_dir():
            shutil.copytree(place, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(place, directory / name)
    return directory


@pytest.fixture
def planted(copy: Path, faults: list[Fault]) -> Iterator[Path]:
    """The copy with the faults in it; without them again afterwards."""
    texts = {file: (copy / file).read_text() for file in {fault.file for fault in faults}}
    for fault in faults:
        text = (copy / fault.file).read_text()
        assert text.count(fault.right) == 1, f"{fault.file} has {fault.right!r} {text.count(fault.right)} times; plant it anew"
        (copy / fault.file).write_text(text.replace(fault.right, fault.wrong))
    yield copy
    for file, text in texts.items():
        (copy / file).write_text(text)


def run_suite(copy: Path, suite: str, about: str, *options: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "CI": "true"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(["-k", about] if about else []), *options, suite]
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=600)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("suite", SUITES)
def test_without_a_fault_the_copy_passes(copy: Path, suite: str) -> None:
    done = run_suite(copy, suite, SUITES[suite], "-x")
    assert done.returncode == 0, done.stdout[-2000:]
    assert " passed" in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("faults", TOGETHER.values(), ids=TOGETHER)
def test_a_planted_fault_is_caught(planted: Path, faults: list[Fault]) -> None:
    about = " or ".join(fault.about for fault in faults)
    done = run_suite(planted, faults[0].suite, about, *(["-x"] if len(faults) == 1 else ["--tb=no"]))
    # 1: tests ran and failed. Anything else (2: could not be collected) would prove nothing.
    assert done.returncode == 1, f"{[fault.name for fault in faults]} were not caught:\n{done.stdout[-2000:]}"
    failed = re.findall(r"^FAILED \S+::(\S+)", done.stdout, re.MULTILINE)
    for fault in faults:
        own = [name for name in failed if fault.about in re.split(r"[\[\]-]", name)] if len(faults) > 1 else failed
        assert own, f"{fault.name} was not caught:\n{done.stdout[-2000:]}"
