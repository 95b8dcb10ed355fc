"""`--storage`: the ledger somewhere else, for one command and what it starts; never with a password."""

import json
import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from policysearch.cli.app import cli
from policysearch.cli.options import home_option, open_home, spoken
from policysearch.ledger import Ledger, sqlite_url


@pytest.fixture
def storage(tmp_path: Path) -> str:
    (tmp_path / "elsewhere").mkdir()
    url = sqlite_url(tmp_path / "elsewhere" / "shared.sqlite")
    Ledger.open(url).create_study("birds", {"epochs": 1})
    return url


@click.command()
@home_option
def tell(home: str | None) -> None:
    place = open_home(home)
    click.echo(json.dumps([place.ledger_url, os.environ.get("POLICYSEARCH_STORAGE"), spoken("show a", home)]))


def test_the_storage_is_read_in_place_of_the_homes_file(tmp_path: Path, storage: str) -> None:
    said = CliRunner().invoke(cli, ["status", "--home", str(tmp_path / "home"), "--storage", storage, "--json"])
    assert said.exit_code == 0, said.output
    assert [row["study"] for row in json.loads(said.output)] == ["birds"]
    assert not (tmp_path / "home").exists()


def test_what_a_command_starts_is_told_by_the_environment_which_is_put_back(
    tmp_path: Path, storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for before in (None, "postgresql://variable/db"):
        monkeypatch.delenv("POLICYSEARCH_STORAGE", raising=False)
        if before is not None:
            monkeypatch.setenv("POLICYSEARCH_STORAGE", before)
        url, variable, words = json.loads(CliRunner().invoke(tell, ["--storage", storage], catch_exceptions=False).output)
        assert url == variable == storage and words.endswith(f"show a --storage {storage}")
        url, variable, words = json.loads(CliRunner().invoke(tell, ["--home", str(tmp_path)], catch_exceptions=False).output)
        assert variable == before and "--storage" not in words
        assert url == (before or sqlite_url(tmp_path / "ledger.sqlite"))


@pytest.mark.parametrize(
    "command", ["status", "show birds", "search --data photos", "demo", "test birds", "report birds", "mirror birds"]
)
def test_a_password_is_refused_by_every_command_and_not_repeated(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POLICYSEARCH_STORAGE", raising=False)
    said = CliRunner().invoke(cli, [*command.split(), "--storage", "postgresql://me:canary@host/db"])
    assert said.exit_code != 0 and "holds a password" in str(said.exception) and "canary" not in str(said.exception) + said.output
    assert "POLICYSEARCH_STORAGE" not in os.environ
