"""Links into MLflow's UI, as commands print them: a study's runs, its best side by side, its model; and its report beside them.

Refuses nothing: where no server answers yet, the command that starts one is what there is to say.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from policysearch.tracking.links import WHAT_TO_CLICK
from policysearch.tracking.target import locate

if TYPE_CHECKING:
    from policysearch.home import Home
    from policysearch.tracking.links import View
    from policysearch.tracking.mirror import Shipped

NAME = 18


def link_lines(view: "View", address: str, report: Path) -> Iterator[str]:
    """A line for each link, that of the report too where it is written, and one that says what to click."""
    links = (*view.links(address), *((("the report", report.as_uri()),) if report.is_file() else ()))
    yield from (f"{name:<{NAME}}{link}" for name, link in links)
    yield f"({WHAT_TO_CLICK})"


def where_to_look(stands: "Shipped", home: "Home", study: str, ui: str) -> str:
    """How a person sees what was mirrored: links where a server answers already, else the command that starts one."""
    target = locate(home.root)
    if stands.view is None or not target.is_server:
        return ui
    lines = link_lines(stands.view, target.shown_uri, home.study_directory(study) / "report.html")
    return "\n            ".join((target.shown_uri, *lines))
