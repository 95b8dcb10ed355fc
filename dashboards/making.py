"""How a study was made, as headed lists of names and values: data, splits, search, recipe, machine. Reads the ledger's words."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from dashboards.queries import StudyView
from policysearch.ledger import TrialRecord
from searchspaces.phrases import duration
from searchspaces.space_words import parameters_in_words

Headed = list[tuple[str, list[tuple[str, str]]]]
SPLITS = {"train": "training", "val": "validation (search)", "select": "validation (finalists)", "test": "test"}


def making(view: StudyView, trials: Sequence[TrialRecord]) -> Headed:
    """The lists that have something in them. `trials` are the study's, of all roles."""
    identity = view.study.identity
    results = [trial.result for trial in trials if trial.result is not None]
    keys = list(dict.fromkeys(key for result in results for key in result.environment))
    environments = {key: sorted({result.environment[key] for result in results if key in result.environment}) for key in keys}
    machine = [
        ("policysearch", version("policysearch")),
        ("engine", ", ".join(sorted({result.engine for result in results if result.engine})) or "none yet"),
        *((key.replace("_", " "), ", ".join(values)) for key, values in environments.items()),
    ]
    recipe = [(key.replace("_", " "), str(value)) for key, value in identity.get("recipe", {}).items()]
    lists = [
        ("Data", _data(identity)),
        ("Splits", splits(identity)),
        ("Search", _search(view)),
        ("Seeds", _seeds(trials, identity)),
        ("Recipe", recipe),
        ("Made with", machine),
    ]
    return [(head, values) for head, values in lists if values]


def splits(identity: dict[str, Any]) -> list[tuple[str, str]]:
    """Each split with its images and its fingerprint, whole, so that it can be compared."""
    if "data" not in identity:
        return []
    fingerprints = {"test": identity["test"], **identity.get("fingerprints", {})}
    told = []
    for name, words in SPLITS.items():
        if count := identity["splits"].get(name):
            known = f", fingerprint {fingerprints[name]}" if fingerprints.get(name) else ""
            told.append((words, f"{count:,} images{known}"))
    if not identity["test"]:
        told.append(("test", "there is no test set"))
    return told


def _data(identity: dict[str, Any]) -> list[tuple[str, str]]:
    """What the images are, as far as they are ours to know."""
    image = identity["image"]
    channels = f"{image['channels']} channel{'s' if image['channels'] > 1 else ''}"
    if "data" not in identity:
        return [("images", f"the trainer’s own, {channels}")]
    counts = ", ".join(f"{identity['splits'][split]:,} {split}" for split in SPLITS if identity["splits"].get(split))
    known = [
        ("data set", identity["data"]["name"]),
        ("images", counts),
        ("size", f"{image['height']} × {image['width']} pixels, {channels}"),
        ("fingerprint of train and val", identity["data"]["fingerprint"]),
    ]
    known += [(name, str(identity[name])) for name in ("groups", "duplicates") if identity.get(name)]
    return known


def _search(view: StudyView) -> list[tuple[str, str]]:
    identity = view.study.identity
    parameters = "; ".join(f"{name} {words}" for name, words in parameters_in_words(identity["space"]["parameters"]))
    return [
        ("space", f"{identity['space']['name']}: {parameters}"),
        ("sampler", identity["sampler"]),
        *_stopping(identity),
        ("epochs a trial", str(identity["epochs"])),
        ("objective", identity["objective"]),
        *([("views", str(identity["views"]))] if identity.get("views") else []),
        ("time in trials", duration(sum(cost.seconds for cost in view.costs))),
        ("started", f"{view.study.created_at:%Y-%m-%d %H:%M} UTC"),
    ]


def _seeds(trials: Sequence[TrialRecord], identity: dict[str, Any]) -> list[tuple[str, str]]:
    """The seed of all, and which replicates of a training there are: each derives its own from it."""
    told = [("study", str(identity["seed"]))]
    for role in ("calibration", "finalist", "confirmation"):
        replicates = sorted({int(trial.spec.get("replicate") or 0) for trial in trials if trial.role == role})
        if replicates:
            told.append((role, f"replicates {', '.join(map(str, replicates))}"))
    return told


def _stopping(identity: dict[str, Any]) -> list[tuple[str, str]]:
    """The rungs of a study that stops policies early."""
    if "early_stopping" not in identity:
        return []
    stopping = identity["early_stopping"]
    rungs, less = ", ".join(map(str, stopping["rungs"])), {"images": "fewer images", "size": "smaller images"}
    how = f", the shorter ones as {identity['epochs']} epochs of {less[stopping['by']]}" if "by" in stopping else ""
    return [("early stopping", f"trainings of {rungs} epochs{how}; of each the best 1 in {stopping['eta']} go on")]
