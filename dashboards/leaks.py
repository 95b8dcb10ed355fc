"""The report's section on copies across splits: how many, what was done, and some of them side by side.

Reads prepared data as it lies in the home; what is no longer there is left out, never an error. Counts are shown always, pictures
while there are any.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dashboards.embedding import data_uri
from policysearch.home import Home
from searchspaces.errors import BadInput
from trials.data.pictures import Pictured, read_pictures
from trials.data.store import read_meta

SHOWN = 12
LARGEST_PX = 96
KINDS = {"exact": "the same to the pixel", "near": "nearly the same"}
CURES = {
    "drop-exact": "exact copies dropped from training, near ones reported",
    "drop-from-train": "exact and near copies dropped from training",
    "report": "reported, none dropped",
    "refuse": "none admitted",
}


def leaks_section(home: Home, data_directory: str | None) -> dict[str, Any] | None:
    """What `leaks.html.j2` shows of a study whose specs name this prepared directory; None where there is nothing to say.

    Keys: `cure` (words), `rows` of (splits, kind, images, pairs), `dropped` of (split, images), `of_one_colour`, `disagreeing`,
    `near_searched`, `pairs` of (first picture, second picture, caption).
    """
    if data_directory is None:
        return None
    directory = home.data_directory(data_directory)
    try:
        leaks = read_meta(directory).get("duplicates")
    except BadInput:
        return None
    if not leaks:
        return None
    rows = [
        (splits.replace("-", " and "), KINDS[kind], counts["images"], counts["pairs"])
        for splits, kinds in leaks["across"].items()
        for kind, counts in kinds.items()
    ]
    return {
        "cure": CURES[leaks["cure"]],
        "rows": rows,
        "dropped": sorted(leaks["dropped"].items()),
        "of_one_colour": leaks["of_one_colour"],
        "disagreeing": leaks["disagreeing"],
        "near_searched": leaks["near_searched"],
        "pairs": _pairs([home.root / "heldout" / directory.name, directory]),
    }


def _pairs(folders: Sequence[Path]) -> list[tuple[str, str, str]]:
    """At most `SHOWN`, those with test images first."""
    shown = []
    for folder in folders:
        try:
            pictured = read_pictures(folder)
        except BadInput:
            continue
        shown += [] if pictured is None else _shown(pictured)
    return shown[:SHOWN]


def _shown(pictured: Pictured) -> list[tuple[str, str, str]]:
    return [
        (data_uri(first, LARGEST_PX), data_uri(second, LARGEST_PX), _caption(fact))
        for first, second, fact in zip(pictured.first, pictured.second, pictured.facts, strict=True)
    ]


def _caption(fact: dict[str, Any]) -> str:
    """Which images they are; names are escaped where they are set."""
    one, other = fact["images"]
    gone = ", dropped" if fact["dropped"] else ""
    return f"{fact['splits'][0]}: {one}{gone}; {fact['splits'][1]}: {other}; {KINDS[fact['kind']]}"
