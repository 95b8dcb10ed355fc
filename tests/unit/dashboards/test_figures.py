"""Figures: well-formed, repeatable, self-contained, and true to the numbers."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from study_fixture import StudyInLedger, whole_study

from dashboards.figures import NARROW, WIDE, Shape, comparison_svg, curves_svg
from dashboards.queries import StudyView, read_study


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> StudyView:
    made = whole_study(tmp_path_factory.mktemp("home"))
    return read_study(made.ledger, made.name)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(_namespaced(svg)).iter() if element.tag.endswith("text")]


def _namespaced(svg: str) -> str:
    """As a file of its own: inside HTML the element needs no declaration of the link's namespace."""
    return svg.replace("<svg ", '<svg xmlns:xlink="http://www.w3.org/1999/xlink" ', 1)


@pytest.mark.parametrize("shape", [WIDE, NARROW])
def test_figures_are_the_same_bytes_for_the_same_study(view: StudyView, shape: Shape) -> None:
    assert curves_svg(view, shape) == curves_svg(view, shape)
    assert comparison_svg(view, shape) == comparison_svg(view, shape)


@pytest.mark.parametrize("shape", [WIDE, NARROW])
def test_the_comparison_shows_each_error_as_text(view: StudyView, shape: Shape) -> None:
    said = texts(comparison_svg(view, shape))
    for row in view.done:
        if row == view.best or row.role == "baseline":
            assert row.error is not None
            assert row.name in said and f"{100 * row.error:.1f}" in said


def test_figures_load_nothing(view: StudyView) -> None:
    for svg in (curves_svg(view, WIDE), comparison_svg(view, WIDE)):
        root = ElementTree.fromstring(_namespaced(svg))
        links = [value for element in root.iter() for key, value in element.attrib.items() if key.endswith("href")]
        assert all(link.startswith("#") for link in links)
        assert "<script" not in svg and "<image" not in svg and "@import" not in svg
        assert svg.startswith("<svg viewBox") and 'role="img" aria-label="Validation error' in svg


def test_every_trial_with_a_curve_is_drawn(view: StudyView) -> None:
    drawn = curves_svg(view, WIDE)
    lines = [
        element for element in ElementTree.fromstring(_namespaced(drawn)).iter() if (element.get("id") or "").startswith("line2d")
    ]
    assert len(lines) >= sum(bool(row.curve) for row in view.rows)


def test_names_with_markup_or_dollars_are_only_names(tmp_path: Path) -> None:
    made = StudyInLedger(tmp_path)
    made.add_baselines()
    cells = made.space.cells()
    assert cells is not None
    evil = "</svg><script>$x^2$ & $y$</script>, and so on without an end"
    made.finish(made.add("trial", evil, cells[0], made.space.decode(cells[0])), 0.05)
    view = read_study(made.ledger, made.name)
    for svg in (curves_svg(view, WIDE), comparison_svg(view, NARROW)):
        assert "<script" not in svg
        assert any(evil[:9] in text and evil[-17:] in text and "…" in text for text in texts(svg))


def test_a_study_whose_only_trial_failed_can_be_drawn(tmp_path: Path) -> None:
    made = StudyInLedger(tmp_path)
    cells = made.space.cells()
    assert cells is not None
    made.fail(made.add_cell(cells[0]), "the loss is inf")
    assert curves_svg(read_study(made.ledger, made.name), WIDE).endswith("</svg>")


def test_a_study_of_one_epoch_can_be_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study_fixture.EPOCHS", 1)
    made = StudyInLedger(tmp_path)
    made.add_baselines()
    assert curves_svg(read_study(made.ledger, made.name), WIDE).endswith("</svg>")
