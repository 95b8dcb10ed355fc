"""The report: one study as one HTML file that opens anywhere, without a network and without a script.

Everything in it comes from the ledger, but for the pictures, which are drawn from the training images while they are there. Names
are escaped wherever they stand; the page's content security policy lets nothing in or out.
"""

import json
from functools import partial
from pathlib import Path
from typing import Any, get_args

from dashboards.cards import cards
from dashboards.classes import class_names, class_rows, classes_svg, classes_words
from dashboards.command import again
from dashboards.contenders import Contenders, confusions, contenders
from dashboards.costs import cost_facts, cost_rows, cost_words
from dashboards.drawing import palette, style_of
from dashboards.figures import comparison_svg, curves_svg, finalists_svg
from dashboards.findings import advice, finalist_rows, finalists_heading, headline, recommended, rows_of_test, stale_figure
from dashboards.galleries import drawn_scene, galleries
from dashboards.heat_map import heat_map, heat_map_svg, heat_map_words
from dashboards.importance import importance_of, importance_svg, importance_words
from dashboards.labels_kept import labels_section
from dashboards.leaks import leaks_section
from dashboards.making import making
from dashboards.page import both_widths, templates
from dashboards.queries import StudyView, caveat, read_study
from dashboards.sureness import budget_rows, sureness
from policysearch.home import Home
from policysearch.ledger import Ledger, Role, TrialRecord
from searchspaces.errors import BadInput
from searchspaces.json_text import pretty_json
from searchspaces.policy_json import SCHEMA
from searchspaces.whole_files import write_whole
from trials.failpoints import reach

LARGEST_BYTES = 5_000_000  # of the page
PICTURES_PX = (128, 96, 64, 40)  # how large pictures may be, the largest with which the page is no larger than that
TRIALS_SHOWN = 500


def write_report(ledger: Ledger, home: Home, study_name: str, path: Path) -> None:
    """Write the report of a study to `path`, whole or not at all. BadInput for a study or a path that isn't there."""
    view = read_study(ledger, study_name)
    page = _page(view, home, ledger)
    try:
        write_whole(path, page, halfway=partial(reach, "report_half_written"))
    except OSError as error:
        raise BadInput(f"report {path}: can't be written ({error.strerror}); give another -o FILE") from error


def _page(view: StudyView, home: Home, ledger: Ledger) -> bytes:
    """The page with the largest pictures that it has room for."""
    template, content = templates().get_template("report.html.j2"), _content(view, home, ledger)
    found, page = contenders(view, ledger), b""
    for largest_px in PICTURES_PX:
        page = template.render(content | _pictures(view, home, found, largest_px)).encode("utf-8")
        if len(page) < LARGEST_BYTES:
            break
    return page


def _content(view: StudyView, home: Home, ledger: Ledger) -> dict[str, Any]:
    """What the page shows but for its galleries, ready to be set."""
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
        "finalists_figure": both_widths(partial(finalists_svg, view)) if finalists else None,
        "tests": rows_of_test(view),
        "stale": stale_figure(view),
        "sureness": sureness(view),
        "budget": budget_rows(view),
        "caveat": caveat(view),
        "comparison": both_widths(partial(comparison_svg, view)) if view.best else None,
        "use": recommended(view),
        "files": _files(view, ledger, home.study_directory(view.study.name)),
        "rows": ranked[:TRIALS_SHOWN],
        "rows_left_out": max(0, len(ranked) - TRIALS_SHOWN),
        "labels": labels_section(ledger, home, view.study),
        **_why(view, home, contenders(view, ledger), ledger),
        **_cost_and_making(view, home, ledger),
    }


def _pictures(view: StudyView, home: Home, found: Contenders, largest_px: int) -> dict[str, Any]:
    """What the policies do to images: the study's own, or the drawn scene where they are its trainer's."""
    main, identity = found.won, view.study.identity
    own = main is not None and main.trial.spec["data"] is not None
    styles = palette(view)
    colours = {
        kind: style_of(styles, one.label).colour for kind, one in (("before", found.before), ("after", found.after)) if one
    }
    return {
        "gallery": galleries(found, home, largest_px),
        "own_images": own,
        "pictured": main,
        "scene": None if own else drawn_scene(found, identity["image"]["channels"], largest_px),
        "colours": colours,
    }


def _why(view: StudyView, home: Home, found: Contenders, ledger: Ledger) -> dict[str, Any]:
    """Why the winner won: the space's parameters, the classes, the curves; None for what the study has not got."""
    weights = importance_of(view)
    grid = heat_map(view, () if weights is None else weights.names)
    counts = confusions(found, view, ledger)
    rows = () if counts is None else class_rows(counts, class_names(view, home))
    return {
        "heat_map": None if grid is None else (both_widths(partial(heat_map_svg, grid)), heat_map_words(grid)),
        "importance": None if weights is None else (both_widths(partial(importance_svg, weights)), importance_words(weights)),
        "classes": rows,
        "classes_figure": both_widths(partial(classes_svg, rows, found, view)) if rows else None,
        "classes_words": classes_words(rows, found, counts.seeds) if counts and rows else [],
        "contenders": found,
        "curves": both_widths(partial(curves_svg, view)) if any(row.curve for row in view.rows) else None,
    }


def _cost_and_making(view: StudyView, home: Home, ledger: Ledger) -> dict[str, Any]:
    searched = len({tuple(sorted(map(str, row.params.items()))) for row in view.rows if row.role == "trial"})
    return {
        "cost_words": cost_words(view),
        "cost_facts": cost_facts(view),
        "cost_rows": cost_rows(view),
        "again": again(view.study, max(1, searched), view.claim is not None),
        "leaks": leaks_section(home, _data_directory(view)),
        "making": making(view, ledger.trials(view.study.uid, get_args(Role))),
    }


def _data_directory(view: StudyView) -> str | None:
    """Where the study's images were prepared, as its trials name it."""
    data = None if view.best_trial is None else view.best_trial.spec["data"]
    return None if data is None else str(data["directory"])


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
