"""A study's report as a browser understands it, and a name that does harm to a page that lets it."""

from html.parser import HTMLParser
from pathlib import Path

from study_fixture import StudyInLedger

from dashboards.report import write_report
from policysearch.home import Home

CANARY = "<img src=x onerror=alert(1)>\"'&amp;</script><script>alert(2)</script>"


class Page(HTMLParser):
    """A page as a browser understands it: elements with their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.rows: list[list[str]] = []
        self._in_table = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {key: value or "" for key, value in attrs}
        self.elements.append((tag, attributes))
        if tag == "table":
            self._in_table = attributes.get("id") == "trials"
        if self._in_table and tag == "tr":
            self.rows.append([])
        if self._in_table and tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self._in_table and self.rows and self.rows[-1]:
            self.rows[-1][-1] += data

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def report(made: StudyInLedger, path: Path) -> str:
    write_report(made.ledger, made.home, made.name, path)
    return path.read_text(encoding="utf-8")


def report_beside(made: StudyInLedger, folder: Path) -> str:
    """A report of a study whose name no home would give a directory."""

    class AnyName(Home):
        def study_directory(self, name: str) -> Path:
            return folder / "studies"

    write_report(made.ledger, AnyName(made.home.root), made.name, folder / "report.html")
    return (folder / "report.html").read_text(encoding="utf-8")
