"""Many workers on one PostgreSQL: all they do is recorded, nothing twice, and nobody holds a connection while it trains."""

import subprocess
import sys
from pathlib import Path

import pytest

CLAIMERS = Path(__file__).parents[1] / "claimers.py"


@pytest.mark.slow
def test_twenty_claimers_record_all_their_trials_and_hold_no_connection_while_they_train() -> None:
    pytest.importorskip("psycopg")
    command = [sys.executable, str(CLAIMERS), "--processes", "20", "--trials", "10"]  # a twentieth of what `make soak` plays
    said = subprocess.run(command, capture_output=True, text=True, timeout=280)
    if "Skipped" in said.stderr:
        pytest.skip(said.stderr.splitlines()[-1])
    assert said.returncode == 0, said.stdout + said.stderr
    assert "200 recorded" in said.stdout and "0 connections held" in said.stdout
