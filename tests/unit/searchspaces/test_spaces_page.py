"""docs/spaces.md does what it says: its code runs, in order, its files are read, and its wishes are spaces."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from searchspaces.spaces import build_space, from_file

PAGE = (Path(__file__).parents[3] / "docs" / "spaces.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
NEEDS_A_CLUSTER = ".fit()"


def write_files(folder: Path) -> list[Path]:
    """The page's files, each under the name that its first line says."""
    written = []
    for language, text in BLOCKS:
        if language == "yaml":
            path = folder / text.partition("\n")[0].removeprefix("# ")
            path.write_text(text)
            written.append(path)
    return written


def script(blocks: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "page.py").write_text("\n".join(blocks))
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1"}
    environment = os.environ | quiet | {"PYTHONPATH": str(Path(__file__).parents[3]), "HOME": str(folder)}
    return subprocess.run([sys.executable, "page.py"], cwd=folder, capture_output=True, text=True, env=environment, check=False)


def test_all_blocks_are_of_a_kind_that_is_tried() -> None:
    assert {language for language, _ in BLOCKS} == {"python", "yaml"}
    assert len([text for language, text in BLOCKS if language == "python"]) >= 9


def test_the_code_runs_in_order(tmp_path: Path) -> None:
    """But for the block that starts Ray, which the slow test adds."""
    write_files(tmp_path)
    ran = script([text for language, text in BLOCKS if language == "python" and NEEDS_A_CLUSTER not in text], tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "2 dimensions: ['ops', 'level']" in ran.stdout
    assert "64 trials for 30 dimensions are few" in ran.stdout
    assert "'label_smoothing': 0.1" in ran.stdout


@pytest.mark.slow
def test_all_of_the_code_runs_in_order_with_ray(tmp_path: Path) -> None:
    write_files(tmp_path)
    ran = script([text for language, text in BLOCKS if language == "python"], tmp_path)
    assert ran.returncode == 0, ran.stderr


def test_its_files_are_spaces(tmp_path: Path) -> None:
    (path,) = write_files(tmp_path)
    space = from_file(path)
    assert "geometry.crop" in space.fixed and "recipe.peak_learning_rate" in {p.name for p in space.parameters}


def test_its_wishes_are_spaces() -> None:
    table = PAGE.split("| wish |")[1].split("\n\n")[0]
    wishes = re.findall(r"`([^`]+)`", table) + re.findall(r"--space ([a-z:=,/+_]+)", PAGE.replace("--space my_space.yaml", ""))
    assert len(wishes) >= 7
    for wish in wishes:
        if not wish.endswith(".yaml"):
            assert build_space(wish).dimensions
