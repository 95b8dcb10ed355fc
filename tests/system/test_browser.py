"""What a person sees, in a real browser, at a desk and on a phone: report, comparison of studies, and MLflow's UI over a study.

Each page is photographed, into the directory that $POLICYSEARCH_SCREENSHOTS names, else one of pytest's own (`screens0` in its
base directory): the tests say what must be there, and a person who changes a page looks at the pictures.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from mlflow_server import store_of_the_home
from PIL import Image
from study_fixture import StudyInLedger, judged_study

from dashboards.compare_page import write_comparison
from dashboards.comparing import compare
from dashboards.gallery import write_pictures
from dashboards.report import write_report
from policysearch.judgement import judge
from policysearch.tracking.links import WHAT_TO_CLICK
from policysearch.tracking.mirror import mirror_study
from policysearch.tracking.target import locate

BROWSER = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
# So that the browser itself calls nobody.
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update")
WIDTHS = {"desk": 1600, "phone": 390}
SMALLEST_LETTERS_PX = 7.0
MLFLOWS_OWN = "/ajax-api/2.0/mlflow/users/current"  # a server without users is asked for one all the same, and says 404
PATIENT_MS = 120_000

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
    """A study at its end, tested, with the pictures of its best policies."""
    made = judged_study(tmp_path_factory.mktemp("home"), tested=True)
    write_pictures(made.ledger, made.home, made.name)
    return made


@pytest.fixture(scope="module")
def beside(made: StudyInLedger) -> StudyInLedger:
    """Another study of the same home."""
    other = StudyInLedger(made.home.root, "other")
    other.add_baselines((0.2, 0.19, 0.15, 0.16, 0.14))
    other.add_searched(6, 0.13)
    return other


@pytest.fixture(scope="module")
def screens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    named = os.environ.get("POLICYSEARCH_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screens")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Watched:
    """A page, with what it complains of and whom it asks."""

    def __init__(self, browser: Any, width: int) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 1000})
        self.page.set_default_timeout(PATIENT_MS)
        self.said, self.asked = list[str](), list[str]()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def _hear(self, message: Any) -> None:
        if message.type == "error" and MLFLOWS_OWN not in message.location.get("url", ""):
            self.said.append(message.text)

    def close(self, own: str, picture: Path) -> None:
        """Photograph the page; it has complained of nothing, and asked nobody but `own`."""
        self.page.screenshot(path=picture, full_page=True)
        strangers = [url for url in self.asked if not url.startswith((own, "data:", "blob:"))]
        assert (self.said, strangers) == ([], [])
        self.page.close()


# The letters of figures in the pixels of the screen: an SVG that is drawn smaller has smaller ones.
LETTERS = """[...document.querySelectorAll('svg text')].filter(t => t.getBoundingClientRect().height)
    .map(t => [parseFloat(getComputedStyle(t).fontSize), t.getScreenCTM()]).map(([px, m]) => px * Math.hypot(m.a, m.b))"""
# What stands out of the page at its right and isn't inside something that scrolls by itself.
OUTSIDE = """[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1
    && !e.closest('.scroll, pre, svg')).map(e => e.outerHTML.slice(0, 90))"""


@pytest.mark.parametrize("place", WIDTHS)
def test_the_report(browser: Any, made: StudyInLedger, screens: Path, tmp_path: Path, place: str) -> None:
    report = tmp_path / "report.html"
    write_report(made.ledger, made.home, made.name, report)
    watched = Watched(browser, WIDTHS[place])
    page = watched.page
    page.goto(report.as_uri())
    decoded = page.evaluate("[...document.querySelectorAll('.gallery img')].map(i => i.complete && i.naturalWidth)")
    assert len(decoded) >= 18 and set(decoded) == {28}
    assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth && i.alt)")
    check_page(page, place)
    headline = page.get_by_role("heading", level=1).inner_text()
    sentence = judge(made.ledger, made.study).verdict.sentence
    assert " ".join(headline.split()) in sentence and len(headline) > 20
    page.get_by_text("policy.json, to copy").click()
    assert '"schema"' in page.locator("details[open] pre").first.inner_text()
    watched.close(report.as_uri(), screens / f"report-{place}.png")


@pytest.mark.parametrize("place", WIDTHS)
def test_studies_beside_one_another(
    browser: Any, made: StudyInLedger, beside: StudyInLedger, screens: Path, tmp_path: Path, place: str
) -> None:
    target = tmp_path / "compare.html"
    write_comparison(compare([(made.ledger, made.home, made.name), (beside.ledger, beside.home, beside.name)]), target)
    watched = Watched(browser, WIDTHS[place])
    watched.page.goto(target.as_uri())
    check_page(watched.page, place)
    assert watched.page.get_by_role("heading", level=1).inner_text() == f"{made.name} and other"
    row = watched.page.locator("#questions tr", has_text="best baseline")
    assert row.get_by_text("trivialaugment-wide, 12.7 %").is_visible()
    assert watched.page.locator("#shared tbody tr").count() == 11
    watched.close(target.as_uri(), screens / f"compare-{place}.png")


def check_page(page: Any, place: str) -> None:
    """A page of ours fits its window, and each figure is shown once, in letters that can be read."""
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[place]
    assert page.evaluate(OUTSIDE) == []
    shown, hidden = (".wide", ".narrow") if place == "desk" else (".narrow", ".wide")
    assert page.locator(f"{shown} svg").first.is_visible()
    assert all(not figure.is_visible() for figure in page.locator(f"main > section > figure {hidden}").all())
    letters = page.evaluate(LETTERS)
    assert letters and min(letters) >= SMALLEST_LETTERS_PX


class Ui(NamedTuple):
    """MLflow's UI while it runs: its address, and the links to the study that the command line has printed."""

    address: str
    runs: str
    comparison: str


@pytest.fixture(scope="module")
def ui(made: StudyInLedger) -> Iterator[Ui]:
    """MLflow's UI over the mirrored study, started once."""
    with store_of_the_home():
        assert mirror_study(made.ledger, made.name, locate(made.home.root), made.home.study_directory(made.name)).behind == 0
        with served(made.home.root, made.name) as served_ui:
            yield served_ui
    give_up_at = time.monotonic() + 60
    while left := _commands_with(str(made.home.root)):
        assert time.monotonic() < give_up_at, left
        time.sleep(0.1)


@contextmanager
def served(home: Path, study: str) -> Iterator[Ui]:
    """MLflow's UI over a home, as a person starts it, and the links that it prints for a study."""
    command = [sys.executable, "-u", "-m", "policysearch", "ui", study, "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        said = _said_until(process, WHAT_TO_CLICK)
        links = re.findall(r"http://127\.0\.0\.1:\S+", "".join(said))
        runs, comparison = (next(link for link in links if part in link) for part in ("/runs?", "/compare-runs?"))
        yield Ui(runs.partition("/#/")[0], runs, comparison)
        process.send_signal(signal.SIGTERM)
        assert process.wait(250) == 0, said


def _said_until(process: "subprocess.Popen[str]", last: str) -> list[str]:
    """The lines that a process prints, up to one that has `last` in it."""
    assert process.stdout is not None
    said = list[str]()
    for line in process.stdout:
        said.append(line)
        if last in line:
            break
    return said


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
def test_mlflow_lists_the_runs_best_first_and_has_their_pictures(
    browser: Any, made: StudyInLedger, ui: Ui, screens: Path
) -> None:
    watched = Watched(browser, WIDTHS["desk"])
    page = watched.page
    page.goto(ui.runs)
    page.get_by_text("17 matching runs").wait_for()
    names = page.locator("a[href*='/runs/']").all_inner_texts()
    assert names[0] == "randaugment ops=2 level=15"  # the lowest error first
    assert {"baseline: none", "baseline: flip+crop"} <= set(names)
    for parameter in ("policy.ops", "policy.level"):
        assert page.get_by_role("columnheader", name=parameter).first.is_visible()
    page.screenshot(path=screens / "mlflow-runs-desk.png")
    page.get_by_role("link", name="randaugment ops=2 level=15").click()
    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_text("augmented.png").click()
    picture = page.locator("img[src^='blob:'], img[src*='augmented']").first
    picture.wait_for()
    wide = Image.open(next((made.home.study_directory(made.name) / "pictures").glob("*.png"))).width
    page.wait_for_function(f"[...document.images].some(i => i.naturalWidth === {wide})")
    watched.close(ui.address, screens / "mlflow-picture-desk.png")


@pytest.mark.slow
@pytest.mark.parametrize("place", WIDTHS)
def test_mlflow_compares_the_policies_by_their_parameters(browser: Any, ui: Ui, screens: Path, place: str) -> None:
    watched = Watched(browser, WIDTHS[place])
    page = watched.page
    page.goto(ui.comparison)
    page.get_by_role("heading", name=re.compile("Comparing 10 Runs")).wait_for()
    if place == "phone":  # MLflow's two panels leave no room for anything else
        for panel in ("Toggle sidebar", "Close"):
            page.get_by_label(panel).first.click()
    for chosen in ("policy.level", "policy.ops", "final/val_error"):
        page.get_by_text(chosen, exact=True).first.wait_for()
    if place == "desk":  # on a phone MLflow doesn't draw it
        axes = page.locator(".parcoords .axis-title")
        axes.first.wait_for()
        assert {"policy.level", "policy.ops", "final/val_error"} <= set(axes.all_text_contents())
    assert page.get_by_text("randaugment ops=2 level=15").first.is_visible()
    assert page.get_by_text("Something went wrong").count() == 0
    watched.close(ui.address, screens / f"mlflow-compare-{place}.png")


@pytest.mark.slow
def test_the_ui_answers_to_its_own_name_only(ui: Ui) -> None:
    address = f"{ui.address}/ajax-api/2.0/mlflow/experiments/search?max_results=5"
    with urlopen(address) as answer:
        assert answer.status == 200
    for host in ("10.evil.example", "192.168.evil.example:5000", "evil.example"):
        with pytest.raises(HTTPError) as refused:
            urlopen(Request(address, headers={"Host": host}))
        assert refused.value.code == 403
        refused.value.close()


SEARCH = ("--data", "sample", "--train-images", "400", "--val-images", "100", "--trials", "2", "--epochs", "2", "--study", "real")
WHOLE = ("--no-calibration", "--finalists", "1", "--finalist-seeds", "1", "--test", "--yes")


@pytest.mark.slow
def test_what_a_real_search_leaves_behind_can_be_read(browser: Any, screens: Path, tmp_path: Path) -> None:
    """Trained, tested, mirrored and reported by the command line alone: nothing in it is made up."""
    command = [sys.executable, "-m", "policysearch", "search", *SEARCH, *WHOLE, "--home", str(tmp_path)]
    with store_of_the_home():
        ended = subprocess.run(command, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        (report,) = re.findall(r"file://\S+report\.html", ended.stdout)
        for place, width in WIDTHS.items():
            watched = Watched(browser, width)
            watched.page.goto(report)
            check_page(watched.page, place)
            assert watched.page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth && i.alt)")
            assert watched.page.locator(".gallery img").count() >= 12
            watched.close(report, screens / f"real-report-{place}.png")
        with served(tmp_path, "real") as ui:
            watched = Watched(browser, WIDTHS["desk"])
            watched.page.goto(ui.comparison)
            watched.page.get_by_role("heading", name=re.compile("Comparing 2 Runs")).wait_for()
            for chosen in ("policy.level", "final/val_error"):
                watched.page.get_by_text(chosen, exact=True).first.wait_for()
            watched.close(ui.address, screens / "real-mlflow-compare-desk.png")
