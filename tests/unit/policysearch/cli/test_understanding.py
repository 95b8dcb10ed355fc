"""The command `data`: the table, the JSON, the sheet, and that it changes no study."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from policysearch.cli.app import cli


def typed(tmp_path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["data", *arguments, "--home", str(tmp_path / "home")])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for split, count in (("train", 10), ("val", 4), ("test", 3)):
        for label, name in enumerate(("cat", "dog")):
            (tmp_path / "photos" / split / name).mkdir(parents=True)
            for index in range(count):
                pixels = np.random.default_rng([len(split), label, index]).integers(0, 256, (12, 20, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "photos" / split / name / f"{index}.png")
    return tmp_path / "photos"


def test_a_table_for_people_and_a_sheet(photos: Path, tmp_path: Path) -> None:
    result = typed(tmp_path, str(photos), "--image-size", "8", "--sheet", str(tmp_path / "sheet.png"))
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0] == "photos: class folders"
    rows = [line.split() for line in lines[2:6]]
    assert rows == [["train", "val", "test"], ["images", "20", "8", "6"], ["cat", "10", "4", "3"], ["dog", "10", "4", "3"]]
    assert any("width      20 pixels" in line for line in lines)
    assert any("channels   3 (20 RGB)" in line for line in lines)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 1000
    assert not (tmp_path / "home" / "ledger.sqlite").exists()


def test_json_is_one_document(photos: Path, tmp_path: Path) -> None:
    result = typed(tmp_path, str(photos), "--image-size", "8", "--json")
    facts = json.loads(result.stdout)
    assert facts["images"] == {"train": 20, "val": 8, "test": 6}
    assert len(facts["mean"]) == facts["channels"] == 3


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_any_number_of_channels_has_a_sheet(channels: int, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for split, count in (("train", 12), ("val", 6), ("test", 6)):
        arrays[f"{split}_images"] = generator.integers(0, 4096, (count, 8, 8, channels)).astype(np.uint16)
        arrays[f"{split}_labels"] = np.arange(count) % 3
    np.savez(tmp_path / "bands.npz", **arrays)
    window = ("--levels", "0:4095", "--sheet", str(tmp_path / "sheet.png"))
    result = typed(tmp_path, str(tmp_path / "bands.npz"), *window)
    assert result.exit_code == 0, result.output
    assert f"channels   {channels}" in result.output
    assert "4095 white" in result.output
    assert (tmp_path / "sheet.png").is_file()


def test_bad_data_is_one_line(tmp_path: Path) -> None:
    result = typed(tmp_path, str(tmp_path / "nowhere"))
    assert result.exit_code != 0
    assert "neither a folder" in str(result.exception)
