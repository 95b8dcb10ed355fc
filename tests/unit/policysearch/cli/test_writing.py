"""`policysearch ui` where MLflow runs elsewhere: what it prints, and when it opens a browser."""

import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from policysearch.cli.app import cli

ELSEWHERE = "http://mlflow.example:5000"


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the browser of this test writes what it opens to."""
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f"#!{sys.executable}\nimport sys\nopen({str(opened)!r}, 'w').write(sys.argv[-1])\n")
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    monkeypatch.setattr("webbrowser._tryorder", None)  # it reads the variable once a process
    monkeypatch.setattr("webbrowser._browsers", {})
    monkeypatch.setenv("MLFLOW_TRACKING_URI", ELSEWHERE)
    monkeypatch.setenv("POLICYSEARCH_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    return opened


@pytest.mark.parametrize(("words", "display", "opens"), [(["--open"], ":0", True), (["--no-open"], ":0", False), ([], "", False)])
def test_a_browser_is_opened_where_it_would_be_seen(
    words: list[str], display: str, opens: bool, opened: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", display)
    said = CliRunner().invoke(cli, ["ui", *words])
    assert said.exit_code == 0 and f"MLflow runs elsewhere: {ELSEWHERE}" in said.output
    give_up_at = time.monotonic() + 20
    while opens and not opened.exists() and time.monotonic() < give_up_at:
        time.sleep(0.01)
    assert opened.exists() is opens
    if opens:
        assert opened.read_text() in ("", ELSEWHERE)
    assert "no browser" not in said.output


def test_without_a_display_the_link_is_printed(opened: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", "")
    said = CliRunner().invoke(cli, ["ui", "--open"])
    assert f"no browser can be opened here; open {ELSEWHERE}" in said.output
    assert not opened.exists()
