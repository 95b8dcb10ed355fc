"""The report's section on which ops keep the labels: its numbers, its pictures, and names that can't get out of their place."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from study_fixture import StudyInLedger

from dashboards.labels_kept import labels_section
from dashboards.page import templates
from trials.data import open_split

CLASSES = ["T-shirt", "<b>Trousers</b>", *(f"class {number}" for number in range(2, 10))]
TURNED = {"kind": "turned", "from": "T-shirt", "to": "<b>Trousers</b>", "share": 0.9, "back": 0.8, "turn": 180.0, "example": 3}
BLANK = {"kind": "blank", "from": None, "to": None, "share": 1.0, "example": 0}


def strength(value: float, right: int, *broken: dict[str, Any]) -> dict[str, Any]:
    each = [right // 10] * 10
    return {"value": value, "right": right, "right_of_class": each, "blank": 0, "broken": list(broken)}


TABLE = {
    "classes": CLASSES,
    "images": 110,
    "right": 100,
    "right_of_class": [10] * 10,
    "ops": {
        "hflip": [strength(1.0, 70)],
        "rotate": [
            *(strength(-120.0, 10, TURNED), strength(-60.0, 50), strength(60.0, 60)),
            *(strength(120.0, 10, TURNED), strength(135.0, 0, TURNED)),
        ],
        "brightness": [strength(0.01, 0, BLANK), strength(0.5, 90)],
    },
}


@pytest.fixture
def study(tmp_path: Path) -> Iterator[StudyInLedger]:
    made = StudyInLedger(tmp_path)
    made.add_baselines()
    yield made


def page(study: StudyInLedger) -> str:
    section = labels_section(study.ledger, study.home, study.study)
    return templates().get_template("labels_kept.html.j2").render(labels=section)


def test_a_study_that_has_not_looked_has_no_section(study: StudyInLedger) -> None:
    assert labels_section(study.ledger, study.home, study.study) is None


def test_each_op_has_a_row_on_each_side_from_weak_to_strong_and_the_broken_are_marked(study: StudyInLedger) -> None:
    study.ledger.note_fact(study.study.uid, "labels", TABLE)
    section = labels_section(study.ledger, study.home, study.study)
    assert section is not None
    rows = {head: [(cell.value, round(cell.share, 2), bool(cell.breaks)) for cell in cells] for head, cells in section["rows"]}
    assert rows == {
        "hflip": [("on", 0.7, False)],
        "rotate −": [("−60°", 0.5, False), ("−120°", 0.1, True)],
        "rotate +": [("60°", 0.6, False), ("120°", 0.1, True), ("135°", 0.0, True)],
        "brightness": [("×0.5", 0.9, False), ("×0.01", 0.0, True)],
    }
    assert [(head, cell.value) for head, cell in section["broken"]] == [
        ("brightness", "×0.01"),
        ("rotate −", "−120°"),
        ("rotate +", "120°"),
    ]
    lightness = [cell.lightness for _, cells in section["rows"] for cell in cells]
    assert min(lightness) > 55  # black letters stay legible on the darkest ground
    assert page(study).count('class="broken"') == 4


def test_the_first_strength_that_breaks_a_class_is_pictured_before_and_after(study: StudyInLedger) -> None:
    study.ledger.note_fact(study.study.uid, "labels", TABLE)
    section = labels_section(study.ledger, study.home, study.study)
    assert section is not None
    assert [picture.value for picture in section["pictured"]] == ["brightness ×0.01", "rotate 120°"]
    val = open_split(study.prepared.directory, "val")
    turned = section["pictured"][1]
    assert [caption for caption, _ in turned.steps] == ["as it is", "rotate 120°", "turned by 180°"]
    before, _, half_turn = (pixels(uri) for _, uri in turned.steps)
    assert np.array_equal(before, val.images[3][0])
    assert np.array_equal(half_turn, np.rot90(before, 2))
    assert turned.name == val.classes[val.labels[3]]


def pixels(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


def test_names_of_classes_are_escaped_wherever_they_stand(study: StudyInLedger) -> None:
    study.ledger.note_fact(study.study.uid, "labels", TABLE)
    text = page(study)
    assert "<b>Trousers" not in text
    assert text.count("&lt;b&gt;Trousers&lt;/b&gt;") >= 4
    assert "<script" not in text
    assert "http" not in text


def test_what_was_cut_is_said_and_else_what_could_be(study: StudyInLedger) -> None:
    study.ledger.note_fact(study.study.uid, "labels", TABLE)
    assert "--trim" in page(study)
    study.ledger.note_fact(study.study.uid, "trim", {"ranges": {"rotate": [-60, 60]}, "left_out": [], "moves": ["hflip"]})
    assert "--trim" not in page(study)
    assert "rotate from -60 to 60 degrees; no hflip" in page(study)


def test_without_the_images_the_section_stands_without_pictures(study: StudyInLedger) -> None:
    study.ledger.note_fact(study.study.uid, "labels", TABLE)
    for file in study.prepared.directory.glob("val_*"):
        file.unlink()
    section = labels_section(study.ledger, study.home, study.study)
    assert section is not None
    assert section["pictured"] == []
    assert "no pictures" in page(study)
