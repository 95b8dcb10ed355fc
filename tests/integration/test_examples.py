"""The examples of docs/examples, run as their readers run them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
SAYS = {
    "plain_torch": r"best of 7: .+, \d+ of 200 wrong\nits policy: .+policy\.json\n",
    "lightning_module": r"best of 7: .+, \d+ of 200 wrong\n",
    "timm_pieces": r"best of 7: .+, \d+ of 100 wrong\n",
    "bare_optuna": r"best of 3: \{'family': .+\}, \d+\.\d % wrong\nits policy: optuna_policy\.json\n",
    "bare_ray_tune": r"best: \{'ops': \d, 'level': \d+\}, \d+\.\d % wrong\n\d ops? an image, .+\n",
}


def test_each_example_is_tried() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(SAYS)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAYS)
def test_an_example_runs_as_it_is(name: str, tmp_path: Path) -> None:
    environment = os.environ | {"POLICYSEARCH_HOME": str(tmp_path / "home"), "PYTHONPATH": str(Path(__file__).parents[2])}
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", str(EXAMPLES / f"{name}.py")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert ended.returncode == 0, ended.stderr
    assert re.search(SAYS[name] + r"\Z", ended.stdout), ended.stdout
    if name == "bare_optuna":
        from policysearch import load_policy

        assert load_policy(tmp_path / "optuna_policy.json").policy.branches
