"""The comparison as one HTML page that opens anywhere, without a network and without a script, in the report's style.

Everything in it comes from ledgers. Names are escaped wherever they stand; the content security policy lets nothing in or out.
"""

from functools import partial
from pathlib import Path
from typing import Any

from dashboards.comparability import SAME
from dashboards.compare_figures import MOST_SHARED, differences_svg, orders_svg
from dashboards.comparing import Comparison
from dashboards.figures import comparison_svg, finalists_svg
from dashboards.findings import finalist_rows, finalists_heading
from dashboards.page import both_widths, templates
from dashboards.transfer import Side
from searchspaces.errors import BadInput
from searchspaces.whole_files import write_whole

IN_WORDS = "winner"
SHARED_SHOWN = 200


def write_comparison(comparison: Comparison, path: Path) -> None:
    """Write the page to `path`, whole or not at all. BadInput for a path that can't be written to."""
    page = templates().get_template("compare.html.j2").render(_content(comparison))
    try:
        write_whole(path, page.encode("utf-8"))
    except OSError as error:
        raise BadInput(f"output {path}: can't be written ({error.strerror}); give another -o FILE.html") from error


def _content(comparison: Comparison) -> dict[str, Any]:
    """What the page shows, ready to be set."""
    shared, sides = comparison.shared, comparison.sides
    return {
        "titles": [side.title for side in sides],
        "comparable": not comparison.differing,
        "differing": comparison.differing or (SAME,),
        "questions": comparison.questions,
        "in_words": IN_WORDS,
        "differences": both_widths(partial(differences_svg, sides)) if any(map(_has_difference, sides)) else None,
        "figures": [(side.title, *_own(side)) for side in sides],
        "orders": both_widths(partial(orders_svg, shared, sides)) if shared else None,
        "orders_left_out": max(0, len(shared) - MOST_SHARED),
        "shared": shared[:SHARED_SHOWN],
        "shared_left_out": max(0, len(shared) - SHARED_SHOWN),
        "namesakes": any(not policy.exact for policy in shared),
        "agreements": [agreement.sentence for agreement in comparison.agreements if shared],
        "winners": comparison.winners,
    }


def _has_difference(side: Side) -> bool:
    return side.view.judgement.verdict.difference is not None


def _own(side: Side) -> tuple[list[tuple[str, str]] | None, str]:
    """A study's figure, wide and narrow, and what it shows: its finalists, else its search's best and baselines."""
    if finalist_rows(side.view):
        said = "Filled marks were searched, open ones are free baselines."
        return both_widths(partial(finalists_svg, side.view)), f"{finalists_heading(side.view)}. {said}"
    if side.view.best is None:
        return None, "No trial has succeeded yet."
    said = "The search: validation error of one training each, of its best policy and the free baselines. In the band two errors"
    return both_widths(partial(comparison_svg, side.view)), f"{said} are not told apart."
