"""Several studies side by side: what can't be compared is said, figures are the studies' own, no home is written to."""

import hashlib
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from study_fixture import StudyInLedger, judged_study

from policysearch.cli import run
from policysearch.cli.app import cli

HOSTILE = "x<script>alert(1)</script>$y$&\"'"
Type = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a tested study, and two of the same images: one by the same recipe, one by another net for longer."""
    root = tmp_path_factory.mktemp("home")
    first = judged_study(root, tested=True, name="first")
    second = StudyInLedger(root, "second")
    second.add_baselines((0.2, 0.19, 0.15, 0.16, 0.14))
    second.add_searched(6, 0.13)
    recipe = {**first.study.identity["recipe"], "model": "resnet9", "peak_learning_rate": 0.1}
    other = StudyInLedger(root, "other", changed={"recipe": recipe, "epochs": 90})
    other.add_baselines()
    for made in (first, second, other):
        made.ledger.close()
    return root


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another home, in a folder of a hostile name, with a study of other images that is also called `first`."""
    root = tmp_path_factory.mktemp("else") / "a<b>&'c"
    data = {"name": HOSTILE, "fingerprint": "f" * 64}
    made = StudyInLedger(root, "first", changed={"data": data, "splits": {"train": 50, "val": 10, "test": 0}, "test": None})
    made.add_baselines()
    made.finish(made.add("trial", HOSTILE, {}, made.space.decode({"ops": 3, "level": 21})), 0.1)
    made.ledger.close()
    return root


@pytest.fixture
def typed(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Type:
    monkeypatch.setenv("POLICYSEARCH_HOME", str(home))

    def type_in(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(cli, ["compare", *map(str, words)])
        return (code, *capsys.readouterr())

    return type_in


def words(text: str) -> str:
    return " ".join(text.split())


def test_two_studies_on_a_screen(typed: Type) -> None:
    code, out, err = typed("first", "second")
    assert (code, err) == (0, "")
    assert "errors can be compared across the studies" in words(out)
    assert "randaugment ops=2 level=15 (first): 2 ops an image" in words(out)
    assert "not opened" in out
    assert "over 10 policies that both trained" in words(out)
    assert "randaugment ops=2 level=15, the winner of first, was not trained in second" in words(out)
    assert max(map(len, out.splitlines())) <= 100


def test_the_figures_are_the_studies_own(typed: Type, home: Path) -> None:
    facts = json.loads(typed("first", "second", "--json")[1])
    first, second = facts["studies"]
    assert facts["comparable"] and facts["differing"] == []
    assert first["verdict"]["kind"] == "better" and first["difference"]["low"] > 0
    assert (first["winner"]["name"], first["baseline"]["name"]) == ("randaugment ops=2 level=15", "trivialaugment-wide")
    assert first["winner"]["error"] < first["baseline"]["error"]
    assert first["test"]["images"] == 2000
    assert second["test"] is None and second["difference"] is None
    assert first["cost"]["trainings"] == 57
    (agreement,) = facts["agreements"]
    assert agreement["studies"] == ["first", "second"] and agreement["policies"] == 10
    low, high = agreement["interval_95"]
    assert low < agreement["kendall_tau"] < high
    best = next(policy for policy in facts["shared"] if policy["label"] == "uniformaugment")
    assert best["same_policy"] and [found["rank"] for found in best["found"]][1] == 1


def test_another_net_recipe_and_budget_are_said(typed: Type) -> None:
    out = words(typed("first", "other")[1])
    assert "Another net: small in first; resnet9 in other." in out
    assert "Another recipe: peak learning rate (" in out and "0.1 in other" in out
    assert "Another budget: 30 epochs in first; 90 epochs in other." in out
    assert "Other images" not in out


def test_other_images_of_another_home(typed: Type, home: Path, elsewhere: Path) -> None:
    code, out, _ = typed("first", f"{elsewhere}:first")
    assert code == 0
    assert re.search(r"Other images: fingerprint [0-9a-f]{12} in \S+home\S*:first; fingerprint f{12} in \S+:first", words(out))
    assert "Other splits:" in out and "no test set" in out
    facts = json.loads(typed(f"{home}:first", f"{elsewhere}:first", "--json")[1])
    assert [study["home"] for study in facts["studies"]] == [str(home), str(elsewhere)]
    assert not facts["comparable"]


def test_more_studies_than_fit_beside_one_another(typed: Type, elsewhere: Path) -> None:
    code, out, _ = typed("first", "second", "other", f"{elsewhere}:first", "--json")
    assert code == 0 and len(json.loads(out)["agreements"]) == 6


@pytest.mark.parametrize(
    ("named", "parts"),
    [
        (("first", "nope"), ("'nope'", "there are: ", "first", "second", "other")),
        (("first",), ("1 given", "2 to 12")),
        (("first", "first"), ("'first'", "given twice")),
        (("first", "/nowhere/at/all:first"), ("/nowhere/at/all", "--home")),
        (("first", "second", "-o", "/nowhere/x.html"), ("/nowhere", "make it first")),
    ],
)
def test_a_wrong_wish_is_one_line(typed: Type, named: tuple[str, ...], parts: tuple[str, ...]) -> None:
    code, out, err = typed(*named)
    assert (code, err.count("\n"), out) == (2, 1, ""), err
    for part in parts:
        assert part in err


class Page(HTMLParser):
    """What could act or reach out in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.reaching: list[str] = []
        self.unnamed = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        held = dict(attrs)
        self.reaching += [name for name in held if name.startswith("on") or name in ("src", "href", "action")]
        self.reaching += [name for name, value in attrs if name == "xlink:href" and not (value or "").startswith("#")]
        self.unnamed += tag == "svg" and not held.get("aria-label")


def test_the_page_holds_all_and_does_nothing(typed: Type, home: Path, elsewhere: Path, tmp_path: Path) -> None:
    before = digests(home) | digests(elsewhere)
    target = tmp_path / "compare.html"
    code, out, _ = typed("first", "second", f"{elsewhere}:first", "-o", target)
    assert (code, out.strip()) == (0, str(target))
    text = target.read_text(encoding="utf-8")
    page = Page(text)
    assert page.tags.isdisjoint({"script", "link", "iframe", "form", "object"}) and page.reaching == [] and page.unnamed == 0
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    assert len(text) < 5_000_000 / 10
    assert "Not everything can be compared." in text and "&lt;script&gt;" in text
    assert text.count('role="img"') == 2 * (1 + 3 + 1)
    typed("first", "second", f"{elsewhere}:first", "-o", tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == text
    assert digests(home) | digests(elsewhere) == before  # it reads, and no more


def digests(root: Path) -> dict[str, str]:
    """The files of a home with their contents, but for what SQLite keeps beside a file that is open."""
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and not path.name.endswith(("-wal", "-shm"))]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
