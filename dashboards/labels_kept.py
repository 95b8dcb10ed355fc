"""What keeps labels, for the report: a table of shares read right, op by strength, and pictures of what breaks a class.

Everything comes from the facts of the study, but for the pictures, which are of validation images while they are there. Only
values: names are escaped where they are set, in labels_kept.html.j2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from dashboards.embedding import data_uri
from dashboards.gallery import is_switch, value_in_short
from policysearch.home import Home
from policysearch.ledger import Ledger, StudyRecord
from searchspaces.arrays import Images
from searchspaces.cutting import Cut
from searchspaces.errors import BadInput
from searchspaces.ops import find_op
from trials.data import Split, open_split
from trials.label_keeping import broken_in_words
from trials.label_readers import applied

MOST_PICTURES = 12
PICTURES_AN_OP = 3
LARGEST_PX = 96
CLASSES_SHOWN = 12
DARKEST = 62  # per cent of lightness where nothing is read right; ink stays legible on it, in print and in grey too


@dataclass(frozen=True)
class Cell:
    """One strength of an op: how much is still read right, in words where it breaks a class, and how light its ground is."""

    value: str
    share: float
    breaks: str
    worst: str
    lightness: float


@dataclass(frozen=True)
class Pictured:
    """An image of a class before and after an op, as addresses of data, and what they show."""

    value: str
    name: str
    words: str
    read_as: str
    steps: Sequence[tuple[str, str]]


def labels_section(ledger: Ledger, home: Home, study: StudyRecord) -> dict[str, Any] | None:
    """What the report's section shows; None where the study has not looked at its labels."""
    facts = ledger.facts(study.uid)
    if "labels" not in facts:
        return None
    table, val = facts["labels"], _validation(ledger, home, study)
    rows = [(head, cells) for op, found in table["ops"].items() for head, cells in _sides(op, found, table)]
    pictured = [] if val is None else _pictured(table, val)
    return {
        "images": table["images"],
        "right": table["right"],
        "rows": rows,
        "columns": max((len(cells) for _, cells in rows), default=0),
        "broken": [(head, next(cell for cell in cells if cell.breaks)) for head, cells in rows if any(c.breaks for c in cells)],
        "pictured": pictured,
        "images_gone": val is None,
        "cut": Cut.from_dict(facts["trim"]).words if "trim" in facts else None,
        "classes": table["classes"][:CLASSES_SHOWN],
        "classes_left_out": max(0, len(table["classes"]) - CLASSES_SHOWN),
        "by_class": [(head, _by_class(found, table)) for op, rows in table["ops"].items() for head, found in _ends(op, rows)],
    }


def _validation(ledger: Ledger, home: Home, study: StudyRecord) -> Split | None:
    """The study's validation images, if they are still there."""
    trials = ledger.trials(study.uid)
    data = trials[0].spec["data"] if trials else None
    if data is None:
        return None
    try:
        return open_split(home.data_directory(data["directory"]), "val")
    except BadInput:
        return None


def _sides(op: str, rows: Sequence[Mapping[str, Any]], table: Mapping[str, Any]) -> list[tuple[str, list[Cell]]]:
    """A row of cells from the weakest strength to the strongest, on each side of the op's identity that was asked about."""
    return [(_head(op, way, rows), [_cell(op, row, table) for row in side]) for way, side in _two_sides(op, rows) if side]


def _two_sides(op: str, rows: Sequence[Mapping[str, Any]]) -> list[tuple[int, list[Mapping[str, Any]]]]:
    identity = find_op(op).strength.identity
    sides = [(way, [row for row in rows if way * (row["value"] - identity) > 0]) for way in (-1, 1)]
    return [(way, sorted(side, key=lambda row: abs(row["value"] - identity))) for way, side in sides]


def _head(op: str, way: int, rows: Sequence[Mapping[str, Any]]) -> str:
    both = all(side for _, side in _two_sides(op, rows))
    return f"{op}, {'less' if way < 0 else 'more'}" if both and not _is_turn(op) else f"{op} {'−+'[way > 0]}" if both else op


def _is_turn(op: str) -> bool:
    return find_op(op).strength.identity == 0


def _cell(op: str, row: Mapping[str, Any], table: Mapping[str, Any]) -> Cell:
    share = row["right"] / max(1, table["right"])
    shares = [
        (kept / of, name)
        for kept, of, name in zip(row["right_of_class"], table["right_of_class"], table["classes"], strict=True)
        if of
    ]
    worst = min(shares, default=(1.0, ""))
    return Cell(
        value=value_in_short(find_op(op).strength, row["value"]),
        share=share,
        breaks=broken_in_words(row["broken"]) if row["broken"] else "",
        worst=f"least of {worst[1]}: {100 * worst[0]:.0f} %",
        lightness=round(DARKEST + (100 - DARKEST) * share, 1),
    )


def _ends(op: str, rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    """The strongest strength on each side, with its head."""
    strength = find_op(op).strength
    ends = [side[-1] for _, side in _two_sides(op, rows) if side]
    return [(op if is_switch(strength) else f"{op} {value_in_short(strength, end['value'])}", end) for end in ends]


def _by_class(row: Mapping[str, Any], table: Mapping[str, Any]) -> list[float | None]:
    """The share still read right of each class, None for those of which nothing was."""
    pairs = zip(row["right_of_class"], table["right_of_class"], strict=True)
    return [kept / of if of else None for kept, of in pairs][:CLASSES_SHOWN]


def _pictured(table: Mapping[str, Any], val: Split) -> list[Pictured]:
    """For each op the weakest strength that breaks a class, on one side of two: an image of that class before and after."""
    found = []
    for op, rows in table["ops"].items():
        sides = [[row for row in side if row["broken"]] for _, side in _two_sides(op, rows)]
        first = next((side[0] for side in reversed(sides) if side), None)
        if first is not None:
            found += [_picture(op, first["value"], broken, val) for broken in first["broken"][:PICTURES_AN_OP]]
    return found[:MOST_PICTURES]


def _picture(op: str, value: float, broken: Mapping[str, Any], val: Split) -> Pictured:
    image = np.array(val.images[[broken["example"]]])
    name = val.classes[val.labels[broken["example"]]]
    told = op if is_switch(find_op(op).strength) else f"{op} {value_in_short(find_op(op).strength, value)}"
    steps = [("as it is", _uri(image)), (told, _uri(_after(image, op, value)))]
    if broken["kind"] == "turned":
        steps.append((f"turned by {broken['turn']:.0f}°", _uri(_after(image, "quarter_turns", broken["turn"] / 90))))
    turned = f", which turned by {broken['turn']:.0f}° is" if broken["kind"] == "turned" else ","
    return Pictured(told, name, f"{turned} read as" if broken["to"] else ", of which nothing is left", broken["to"] or "", steps)


def _after(image: Images, op: str, value: float) -> Images:
    changed: Images = applied(torch.from_numpy(image), op, value).numpy()
    return changed


def _uri(image: Images) -> str:
    return data_uri(image[0], LARGEST_PX)
