"""The report: one study as one HTML file that opens anywhere, without a network and without a script.

Everything in it comes from the ledger, but for the pictures, which are drawn from the training images while they are there. Names
are escaped wherever they stand; the page's content security policy lets nothing in or out.
"""

import base64
import io
import json
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dashboards.contact_sheet import Tile, as_image
from dashboards.figures import NARROW, WIDE, Shape, comparison_svg, curves_svg
from dashboards.gallery import SEED, originals, tiles
from dashboards.queries import StudyView, caveat, read_study
from policysearch.home import Home
from policysearch.ledger import Ledger, TrialRecord
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
    trials = ledger.trials(view.study.uid)
    best = view.best_trial
    ranked = [*view.done, *(row for row in view.rows if row.status != "done")]
    return {
        "view": view,
        "caveat": caveat(view),
        "comparison": _both(comparison_svg, view) if view.best else None,
        "curves": _both(curves_svg, view) if any(row.curve for row in view.rows) else None,
        "gallery": _gallery(best, home) if best else None,
        "own_images": best is not None and best.spec["data"] is not None,
        "policy_json": _policy_json(view, home.study_directory(view.study.name)) if best else None,
        "rows": ranked[:TRIALS_SHOWN],
        "rows_left_out": max(0, len(ranked) - TRIALS_SHOWN),
        "making": _making(view, trials),
    }


def _both(draw: Callable[[StudyView, Shape], str], view: StudyView) -> list[tuple[str, str]]:
    """A figure as SVG, for desks and for phones."""
    return [("wide", draw(view, WIDE)), ("narrow", draw(view, NARROW))]


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


def _policy_json(view: StudyView, study_directory: Path) -> str:
    """The file that the search wrote, if it holds the best trial's policy; else that policy, with less about its origin."""
    assert view.best_trial is not None
    policy = view.best_trial.spec["policy"]
    try:
        text = (study_directory / "policy.json").read_text(encoding="utf-8")
        if json.loads(text)["policy"] == policy:
            return text
    except (OSError, ValueError, KeyError, TypeError):
        pass
    origin = {"study": view.study.name, "trial": {"uid": view.best_trial.trial_uid, "number": view.best_trial.number}}
    return pretty_json({"schema": SCHEMA, "policy": policy, "provenance": origin})


def _making(view: StudyView, trials: Sequence[TrialRecord]) -> list[tuple[str, list[tuple[str, str]]]]:
    """How the study was made, as headed lists of names and values."""
    identity = view.study.identity
    results = [trial.result for trial in trials if trial.result is not None]
    seconds = sum(result.span_seconds.get("total", 0.0) for result in results)
    parameters = "; ".join(_range_in_words(parameter) for parameter in identity["space"]["parameters"])
    search = [
        ("space", f"{identity['space']['name']}: {parameters}"),
        ("sampler", identity["sampler"]),
        *_stopping(identity),
        ("seed", str(identity["seed"])),
        ("epochs a trial", str(identity["epochs"])),
        ("objective", identity["objective"]),
        ("time in trials", duration(seconds)),
        ("started", f"{view.study.created_at:%Y-%m-%d %H:%M} UTC"),
    ]
    environments = {
        key: sorted({result.environment[key] for result in results if key in result.environment}) for key in _keys(results)
    }
    machine = [
        ("policysearch", version("policysearch")),
        ("engine", ", ".join(sorted({r.engine for r in results if r.engine})) or "none yet"),
    ]
    machine += [(key.replace("_", " "), ", ".join(values)) for key, values in environments.items()]
    recipe = [(key.replace("_", " "), str(value)) for key, value in identity.get("recipe", {}).items()]
    making = [("Data", _data(identity)), ("Search", search), ("Recipe", recipe), ("Made with", machine)]
    return [(head, values) for head, values in making if values]


def _stopping(identity: dict[str, Any]) -> list[tuple[str, str]]:
    """The rungs of a study that stops policies early."""
    if "early_stopping" not in identity:
        return []
    rungs = ", ".join(map(str, identity["early_stopping"]["rungs"]))
    return [("early stopping", f"trainings of {rungs} epochs; of each the best 1 in {identity['early_stopping']['eta']} go on")]


def _data(identity: dict[str, Any]) -> list[tuple[str, str]]:
    """What the images are, as far as they are ours to know."""
    image = identity["image"]
    channels = f"{image['channels']} channel{'s' if image['channels'] > 1 else ''}"
    if "data" not in identity:
        return [("images", f"the trainer’s own, {channels}")]
    counts = ", ".join(f"{identity['splits'][split]:,} {split}" for split in ("train", "val", "test"))
    return [
        ("data set", identity["data"]["name"]),
        ("images", counts),
        ("size", f"{image['height']} × {image['width']} pixels, {channels}"),
        ("fingerprint of train and val", identity["data"]["fingerprint"]),
        ("fingerprint of test", identity["test"] or "there is no test set"),
    ]


def _keys(results: Sequence[Any]) -> list[str]:
    return list(dict.fromkeys(key for result in results for key in result.environment))


def _range_in_words(parameter: dict[str, Any]) -> str:
    """A parameter of the space: "level 3 to 27 by 6"."""
    if "choices" in parameter:
        return f"{parameter['name']} one of {', '.join(map(str, parameter['choices']))}"
    by = f" by {parameter['step']}" if parameter.get("step", 1) > 1 else ""
    return f"{parameter['name']} {parameter['low']:g} to {parameter['high']:g}{by}"


def duration(seconds: float) -> str:
    """A length of time for people: "43 s", "12 min", "3.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def percent(share: float) -> str:
    """A share of images, 0 to 1, as a percentage with one decimal: "12.9"."""
    return f"{100 * share:.1f}"


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
