"""What the pages have in common: their templates, and figures at two widths.

A page opens anywhere, without a network and without a script. Names in it are escaped wherever they stand; a template that asks
for what it wasn't given is refused, never left blank.
"""

from collections.abc import Callable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dashboards.drawing import NARROW, WIDE, Shape
from policysearch.judging.in_words import percent
from searchspaces.phrases import duration


def templates() -> Environment:
    """The folder's templates, by file name, and the filters that they may use."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "duration": duration, "thousands": lambda number: f"{number:,}"}
    return environment


def both_widths(draw: Callable[[Shape], str]) -> list[tuple[str, str]]:
    """A figure as SVG, for desks ("wide") and for phones ("narrow")."""
    return [("wide", draw(WIDE)), ("narrow", draw(NARROW))]
