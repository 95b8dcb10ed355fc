"""The report: one study as one HTML file that opens anywhere, without a network and without a script.

Everything in it comes from the ledger, but for the pictures, which are drawn from the training images while they are there. Names
are escaped wherever they stand; the page's content security policy lets nothing in or out.
"""

import base64
import io
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, get_args

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dashboards.contact_sheet import Tile, as_image
from dashboards.figures import NARROW, WIDE, Shape, comparison_svg, curves_svg, finalists_svg
from dashboards.findings import (
    advice,
    budget_rows,
    cards,
    duration,
    finalist_rows,
    finalists_heading,
    headline,
    recommended,
    rows_of_test,
    stale_figure,
    sureness,
)
from dashboards.gallery import SEED, originals, tiles
from dashboards.labels_kept import labels_section
from dashboards.leaks import leaks_section
from dashboards.making import making
from dashboards.queries import StudyView, caveat, read_study
from policysearch.home import Home
from policysearch.judging.in_words import percent
from policysearch.ledger import Ledger, Role, TrialRecord
from searchspaces.errors import BadInput
from searchspaces.json_text import pretty_json
from searchspaces.policy_json import SCHEMA, policy_from_dict
from searchspaces.whole_files import write_whole
from trials.failpoints import reach

IMAGES_SHOWN, DRAWS_SHOWN = 6, 4
LARGEST_PICTURE_PX = 128
TRIALS_SHOWN = 500


def write_report(ledger: Ledger, home: Home, study_name: str, path: Path) -> None:
    """Write the report of a study to `path`, whole or not at all. BadInput for a study or a path that isn't there."""
    view = read_study(ledger, study_name)
    page = _environment().get_template("report.html.j2").render(_content(view, home, ledger))
    try:
        write_whole(path, page.encode("utf-8"), halfway=partial(reach, "report_half_written"))
    except OSError as error:
        raise BadInput(f"report {path}: can't be written ({error.strerror}); give another -o FILE") from error


def _content(view: StudyView, home: Home, ledger: Ledger) -> dict[str, Any]:
    """What the page shows, ready to be set."""
    won = view.judgement.winner_trial
    ranked = [*view.done, *(row for row in view.rows if row.status != "done")]
    finalists = finalist_rows(view)
    return {
        "view": view,
        "headline": headline(view),
        "winner": view.judgement.winner,
        "cards": cards(view),
        "advice": advice(view),
        "finalists": finalists,
        "finalists_heading": finalists_heading(view),
        "finalists_figure": _both(partial(finalists_svg, finalists)) if finalists else None,
        "tests": rows_of_test(view),
        "stale": stale_figure(view),
        "sureness": sureness(view),
        "budget": budget_rows(view),
        "caveat": caveat(view),
        "comparison": _both(partial(comparison_svg, view)) if view.best else None,
        "curves": _both(partial(curves_svg, view)) if any(row.curve for row in view.rows) else None,
        "gallery": _gallery(won, home) if won else None,
        "own_images": won is not None and won.spec["data"] is not None,
        "use": recommended(view),
        "files": _files(view, ledger, home.study_directory(view.study.name)),
        "rows": ranked[:TRIALS_SHOWN],
        "rows_left_out": max(0, len(ranked) - TRIALS_SHOWN),
        "labels": labels_section(ledger, home, view.study),
        "leaks": leaks_section(home, _data_directory(view)),
        "making": making(view, ledger.trials(view.study.uid, get_args(Role))),
    }


def _data_directory(view: StudyView) -> str | None:
    """Where the study's images were prepared, as its trials name it."""
    data = None if view.best_trial is None else view.best_trial.spec["data"]
    return None if data is None else str(data["directory"])


def _both(draw: Callable[[Shape], str]) -> list[tuple[str, str]]:
    """A figure as SVG, for desks and for phones."""
    return [("wide", draw(WIDE)), ("narrow", draw(NARROW))]


def _gallery(best: TrialRecord, home: Home) -> list[tuple[str, list[tuple[str, Tile]]]] | None:
    """Rows of tiles with their heads; None when the training images are gone."""
    if best.spec["data"] is None:  # its trainer brings its own images
        return None
    try:
        images, classes = originals(home.data_directory(best.spec["data"]["directory"]), IMAGES_SHOWN)
    except BadInput:
        return None
    policy = policy_from_dict(best.spec["policy"])
    rows = [("original", [Tile(image, (name,)) for image, name in zip(images, classes, strict=True)])]
    rows += [(f"draw {number}", row) for number, row in enumerate(tiles(policy, images, SEED, DRAWS_SHOWN), start=1)]
    return [(head, [(_data_uri(tile), tile) for tile in row]) for head, row in rows]


def _data_uri(tile: Tile) -> str:
    image = as_image(tile.pixels)
    image.thumbnail((LARGEST_PICTURE_PX, LARGEST_PICTURE_PX))
    file = io.BytesIO()
    image.save(file, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def _files(view: StudyView, ledger: Ledger, study_directory: Path) -> list[tuple[str, str]]:
    """The policies to copy, the one to train with first: the winner's, and the baseline's that it is compared with."""
    won, named = view.judgement.winner_trial, view.judgement.baseline
    if won is None:
        return []
    files = [("policy.json", _policy_json(view, won, study_directory / "policy.json"))]
    if named is not None and named.trial_uid != won.trial_uid:
        beside = _policy_json(view, ledger.trial(named.trial_uid), study_directory / "baseline.json")
        files.append(("baseline.json", beside))
    use = recommended(view)
    return files[::-1] if use is not None and named is not None and use.key == named.key else files


def _policy_json(view: StudyView, trial: TrialRecord, path: Path) -> str:
    """The file that the search wrote, if it holds the trial's policy; else that policy, with less about its origin."""
    policy = trial.spec["policy"]
    try:
        text = path.read_text(encoding="utf-8")
        if json.loads(text)["policy"] == policy:
            return text
    except (OSError, ValueError, KeyError, TypeError):
        pass
    origin = {"study": view.study.name, "trial": {"uid": trial.trial_uid, "number": trial.number}}
    return pretty_json({"schema": SCHEMA, "policy": policy, "provenance": origin})


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "duration": duration, "thousands": lambda number: f"{number:,}"}
    return environment
