"""docs/trainers.md: its code runs, and what it says of the context is there."""

import os
import re
import subprocess
import sys
from pathlib import Path

from policysearch.objective import Context

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "trainers.md").read_text()


def test_its_code_runs_as_a_script(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 2
    (tmp_path / "page.py").write_text("\n".join([*blocks, "print(outcome.winner.label, augmented.shape)"]))
    environment = os.environ | {"PYTHONPATH": str(ROOT), "POLICYSEARCH_HOME": str(tmp_path / "home")}
    words = [sys.executable, str(tmp_path / "page.py")]
    ended = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == "none torch.Size([8, 3, 32, 32])"


def test_it_names_all_that_the_context_has() -> None:
    public = {name for name in (*dir(Context), *Context.__dataclass_fields__) if not name.startswith("_")}
    table = PAGE[PAGE.index("| `context` |") : PAGE.index("**What it returns**")]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("|")]
    named = {re.split(r"\W", word)[0] for cell in cells for word in re.findall(r"`([^`]+)`", cell)}
    assert named - {"context"} == public
