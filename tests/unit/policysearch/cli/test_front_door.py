"""The front door: no arguments, wrong arguments, and a machine that can't go on. Exit codes, and one line each."""

import errno
import os

import click
import pytest

from policysearch.cli import main, run
from policysearch.cli.app import cli


def test_no_arguments_show_the_help(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["policysearch"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert capsys.readouterr().out.count("\n") > 20


def test_a_wrong_option_points_at_the_help_of_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(cli, ["search"]) == 2
    assert capsys.readouterr().err == "policysearch: Missing option '--data'. (see policysearch search --help)\n"


def test_a_full_disk_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    @click.command()
    def write() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "big.npy")

    assert run(write, ["--"]) == 2
    complaint = capsys.readouterr().err
    assert complaint.startswith("policysearch: big.npy: No space left on device") and complaint.count("\n") == 1
