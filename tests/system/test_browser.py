"""What a person sees, in a real browser: the report without a network, and MLflow's UI over a mirrored study."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
from PIL import Image
from study_fixture import StudyInLedger, whole_study

from dashboards.gallery import write_pictures
from dashboards.report import write_report
from policysearch.judgement import judge
from policysearch.tracking.mirror import mirror_study
from policysearch.tracking.target import PATIENCE, locate

BROWSER = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
# So that the browser itself calls nobody.
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update")

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium here")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=BROWSER, args=list(QUIET))
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> StudyInLedger:
    return whole_study(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def report(made: StudyInLedger, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(made.ledger, made.home, made.name, path)
    return path


@pytest.mark.parametrize(("width", "drawing", "hidden"), [(1200, ".wide", ".narrow"), (390, ".narrow", ".wide")])
def test_the_report_at_desk_and_phone_width(
    browser: Any, made: StudyInLedger, report: Path, width: int, drawing: str, hidden: str
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    said, asked = list[str](), list[str]()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    decoded = page.evaluate("[...document.querySelectorAll('.gallery img')].map(i => i.complete && i.naturalWidth)")
    assert len(decoded) == 30 and set(decoded) == {28}
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]
    assert said == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width  # wide things scroll by themselves, not the page
    assert page.locator(drawing).count() == 5  # the search, heat map, importance, classes, curves
    for figure in page.locator(drawing).all():
        box = figure.locator("svg").bounding_box()
        assert box is not None and box["x"] > 0 and box["x"] + box["width"] <= width
    assert all(not figure.is_visible() for figure in page.locator(hidden).all())
    headline = page.get_by_role("heading", level=1).inner_text()
    assert " ".join(headline.split()) == judge(made.ledger, made.study).verdict.sentence
    page.get_by_text("policy.json, to copy").click()
    assert '"schema"' in page.locator("details.file pre").first.inner_text()
    page.close()


@pytest.fixture
def ui(made: StudyInLedger, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of MLflow's UI over the mirrored study."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in PATIENCE.items():
        monkeypatch.setenv(name, value)
    write_pictures(made.ledger, made.home, made.name)
    assert mirror_study(made.ledger, made.name, locate(made.home.root), made.home.study_directory(made.name)).behind == 0
    command = [sys.executable, "-u", "-m", "policysearch", "ui", "--home", str(made.home.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        said = list[str]()
        for line in process.stdout:
            said.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                yield found.group()
                break
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, said
    assert _commands_with(str(made.home.root)) == []


def _commands_with(text: str) -> list[str]:
    """The command lines and environments of running processes that hold `text`: what a server that was not stopped would show."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            held = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            if text.encode() in held and int(entry.name) != os.getpid():
                found.append(held.decode(errors="replace"))
    return found


@pytest.mark.slow
def test_mlflows_ui_shows_the_studys_runs_and_calls_nobody(browser: Any, made: StudyInLedger, ui: str) -> None:
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    asked = list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{ui}/#/experiments/1/runs?orderByKey={quote('metrics.`final/val_error`')}&orderByAsc=true")
    page.get_by_text("19 matching runs").wait_for(timeout=60_000)
    names = page.locator("a[href*='/runs/']").all_inner_texts()
    assert names[0] == "randaugment ops=2 level=15"  # the lowest error first
    assert {"baseline: none", "baseline: flip+crop", f"study: {made.name}"} <= set(names)
    page.get_by_role("link", name="randaugment ops=2 level=15").click()
    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_text("augmented.png").click()
    picture = page.locator("img[src^='blob:'], img[src*='augmented']").first
    picture.wait_for(timeout=60_000)
    wide = Image.open(next((made.home.study_directory(made.name) / "pictures").glob("*.png"))).width
    page.wait_for_function(f"[...document.images].some(i => i.naturalWidth === {wide})", timeout=60_000)
    assert [url for url in asked if not url.startswith((ui, "data:", "blob:"))] == []
    page.close()


@pytest.mark.slow
def test_the_ui_answers_to_its_own_name_only(ui: str) -> None:
    address = f"{ui}/ajax-api/2.0/mlflow/experiments/search?max_results=5"
    with urlopen(address) as answer:
        assert answer.status == 200
    for host in ("10.evil.example", "192.168.evil.example:5000", "evil.example"):
        with pytest.raises(HTTPError) as refused:
            urlopen(Request(address, headers={"Host": host}))
        assert refused.value.code == 403
        refused.value.close()
