"""`policysearch spaces`: each family with its size, and where joint spaces and files are told of."""

import json

import pytest

from policysearch.cli import run
from policysearch.cli.app import cli


def test_spaces_says_how_large_each_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(cli, ["spaces"]) == 0
    told = capsys.readouterr().out
    assert "\n  2 dimensions, 15 points\n" in told
    assert "\n  30 dimensions\n" in told
    for wish in ("--space randaugment+geometry", "--space randaugment,photometric", "--space my_space.yaml"):
        assert wish in told


def test_and_so_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(cli, ["spaces", "--json"]) == 0
    facts = {fact["name"]: fact for fact in json.loads(capsys.readouterr().out)}
    assert (facts["trivialaugment"]["dimensions"], facts["trivialaugment"]["points"]) == (2, 10)
    level = {"kind": "whole", "name": "level", "low": 3, "high": 27, "step": 6}
    assert level in facts["randaugment"]["parameters"]
    assert (facts["photometric"]["dimensions"], facts["photometric"]["points"]) == (15, None)
