"""Makes the README's and docs/looking.md's pictures from a finished study: docs/images/verdict.png, gallery.png, ...

    python benchmarks/readme_pictures.py STUDY --home DIR [--beside HOME:STUDY] [--mlflow] [--optuna] [-o docs/images]

The report is written to a folder of its own and opened in headless Chromium, 1,200 px wide, and sections of it are photographed;
with --beside the page of `policysearch compare` too, with --mlflow two views of MLflow's UI, with --optuna optuna-dashboard. No
picture is over 200 kB: colours are reduced until it isn't. The study is only read (--mlflow brings its mirror up to date).
"""

import argparse
import io
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from PIL import Image

from policysearch.tracking.links import WHAT_TO_CLICK

WIDTH_PX = 1200
MOST_BYTES = 200_000
MARGIN_PX = 12  # less than the lines around a section are away
PATIENT_MS = 120_000
# What is photographed of each page: from the top of the first element to the bottom of the last one that is there.
HEAT_MAP = "figure:has(svg[aria-label^='Validation error in percent by'])"
REPORT = {
    "verdict": ("header",),
    "gallery": (".gallery",),
    "heat-map": (f"h3:has(+ {HEAT_MAP})", HEAT_MAP),
}
COMPARISON = {"compare": ("header", "#comparable", "#came-to")}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


def main() -> None:
    """Take the pictures that were asked for, and say where they are and how large."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("study")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--beside", metavar="[HOME:]STUDY", help="Also the page that compares the study with this one.")
    parser.add_argument("--mlflow", action="store_true", help="Also MLflow's table of runs and its comparison.")
    parser.add_argument("--optuna", action="store_true", help="Also the study as optuna-dashboard opens it.")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/images"))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        report = Path(folder) / "report.html"
        command("report", asked.study, "--home", asked.home, "-o", report)
        photograph(browser, report.as_uri(), REPORT, asked.output)
        if asked.beside:
            page = Path(folder) / "compare.html"
            command("compare", asked.study, asked.beside, "--home", asked.home, "-o", page)
            photograph(browser, page.as_uri(), COMPARISON, asked.output)
        if asked.mlflow:
            command("mirror", asked.study, "--home", asked.home)
            with mlflow_ui(asked.study, asked.home) as links:
                photograph_mlflow(browser, links, asked.output)
        if asked.optuna:
            storage = f"sqlite:///{Path(folder) / 'optuna.db'}"
            command("optuna", asked.study, "--home", asked.home, "--to", storage)
            with optuna_dashboard(storage) as address:
                photograph_optuna(browser, address, asked.study, asked.output)


def command(*words: object) -> str:
    """What policysearch prints, run as a person runs it."""
    run = [sys.executable, "-m", "policysearch", *map(str, words)]
    return subprocess.run(run, check=True, stdout=subprocess.PIPE, text=True).stdout


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser of this machine."""
    from playwright.sync_api import sync_playwright

    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        raise SystemExit(f"readme_pictures: no browser; install one of {', '.join(BROWSERS)}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield browser
        browser.close()


def opened(browser: Any, address: str) -> Any:
    """A page on a screen of the pictures' width; a machine that is busy has two minutes to show it."""
    page = browser.new_page(viewport={"width": WIDTH_PX, "height": 900})
    page.set_default_timeout(PATIENT_MS)
    page.goto(address)
    return page


def photograph(browser: Any, address: str, sections: Mapping[str, tuple[str, ...]], output: Path) -> None:
    """A picture of each section that the page has, as `output/NAME.png`; those it lacks are named."""
    page = opened(browser, address)
    for name, selectors in sections.items():
        boxes = [box for selector in selectors if page.locator(selector).count() and (box := _box(page, selector))]
        if not boxes:
            print(f"{name}: the page has no {' or '.join(selectors)}, so there is no picture")
            continue
        top, bottom = min(box["y"] for box in boxes), max(box["y"] + box["height"] for box in boxes)
        left, right = min(box["x"] for box in boxes), max(box["x"] + box["width"] for box in boxes)
        clip = {"x": max(0.0, left - MARGIN_PX), "y": max(0.0, top - MARGIN_PX)}
        clip |= {"width": right - left + 2 * MARGIN_PX, "height": bottom - top + 2 * MARGIN_PX}
        keep(page.screenshot(full_page=True, clip=clip), output / f"{name}.png")
    page.close()


def _box(page: Any, selector: str) -> dict[str, float] | None:
    """Where on the whole page the first such element is."""
    box: dict[str, float] | None = page.locator(selector).first.bounding_box()
    return box


@contextmanager
def mlflow_ui(study: str, home: Path) -> Iterator[list[str]]:
    """The addresses that `policysearch ui STUDY` prints, while it runs."""
    run = [sys.executable, "-u", "-m", "policysearch", "ui", study, "--home", str(home)]
    with subprocess.Popen(run, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        links = list[str]()
        for line in server.stdout:
            links += re.findall(r"http://\S+", line)
            if WHAT_TO_CLICK in line:
                break
        try:
            yield links
        finally:
            server.send_signal(signal.SIGTERM)


def photograph_mlflow(browser: Any, links: list[str], output: Path) -> None:
    """The table of runs and the comparison, as a person has them on opening the links."""
    for name, part, awaited in (("mlflow-runs", "/runs?", "matching runs"), ("mlflow-compare", "compare-runs", "Comparing")):
        page = opened(browser, next(link for link in links if part in link))
        page.get_by_text(awaited).first.wait_for()
        page.get_by_label("Close").last.click()  # MLflow's assistant, which takes a third of the window
        page.wait_for_timeout(3000)  # the drawing of lines has no end to wait for
        keep(page.screenshot(), output / f"{name}.png")
        page.close()


@contextmanager
def optuna_dashboard(storage: str) -> Iterator[str]:
    """The address at which optuna-dashboard shows a storage, while it runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    program = Path(sys.executable).with_name("optuna-dashboard")
    with subprocess.Popen([program, storage, "--host", "127.0.0.1", "--port", str(port)]) as server:
        while server.poll() is None:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/dashboard/", timeout=5):
                break
            time.sleep(0.3)
        try:
            yield f"http://127.0.0.1:{port}/dashboard/"
        finally:
            server.terminate()


def photograph_optuna(browser: Any, address: str, study: str, output: Path) -> None:
    """The study's history and what its parameters matter."""
    page = opened(browser, address)
    page.get_by_text(study).first.click()
    page.get_by_text("Hyperparameter Importance").first.wait_for()
    page.wait_for_timeout(3000)
    keep(page.screenshot(), output / "optuna-dashboard.png")
    page.close()


def keep(png: bytes, path: Path) -> None:
    """Write the picture, with as many colours as fit into the limit."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    for colours in (None, 256, 128, 64, 32, 16):
        file = io.BytesIO()
        (image if colours is None else image.quantize(colours)).save(file, "PNG", optimize=True)
        if file.tell() < MOST_BYTES:
            break
    path.write_bytes(file.getvalue())
    print(f"{path}: {image.width} x {image.height} pixels, {file.tell():,} bytes")


if __name__ == "__main__":
    main()
