"""Which wishes can't be: each is refused in one line when the study is made, before anything is read or begun.

What only the data, the space or the machine can tell is refused where they are known (`policysearch.wished`).
"""

from typing import TYPE_CHECKING

from policysearch.packing import name_of
from policysearch.rungs import read_early_stopping
from searchspaces.errors import BadInput
from searchspaces.views import named_views

if TYPE_CHECKING:
    from policysearch.study import Study

DRIVERS = ("local", "ray")
CURES = ("drop-exact", "drop-from-train", "report", "refuse")
MOST_CHANNELS = 64
MOST_GPUS = 64  # of a trial


def check_count(name: str, value: int, low: int, high: int) -> None:
    """Raise BadInput unless `value` is a whole number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadInput(f"{name} {value!r}: allowed is a whole number from {low} to {high}")


def check_wishes(study: "Study") -> None:
    """Raise BadInput for the first wish that can't be."""
    _check_results(study)
    _check_running(study)
    _check_stopping(study)
    if study.domain is not None or study.forbid:
        study.limits("photos")
    _ = study.recipe_wish
    if study.data is None and study.objective is None:
        raise BadInput("data: none given; give images, or an objective: a function of your own that trains")
    if study.objective is not None:
        _check_trainer(study)
    _check_channels(study)


def _check_results(study: "Study") -> None:
    """What the results depend on."""
    check_count("epochs", study.epochs, 1, 100_000)
    check_count("seed", study.seed, 0, 2**53)
    check_count("finalists", study.finalists, 0, 100)
    check_count("finalist_seeds", study.finalist_seeds, 1, 100)
    named_views(study.views)
    if study.duplicates not in CURES:
        raise BadInput(f"duplicates {study.duplicates!r}: allowed are {', '.join(CURES)}")
    if study.batch_images is not None:
        check_count("batch_images", study.batch_images, 2, 65_536)


def _check_running(study: "Study") -> None:
    """How much is run, where, and for how long."""
    if study.workers is not None:
        check_count("workers", study.workers, 1, 100_000)
    if isinstance(study.enqueue, str) or not all(isinstance(source, str) for source in study.enqueue):
        raise BadInput(f"enqueue {study.enqueue!r}: allowed is a list of zoo:NAME and paths of policy files")
    if study.driver not in DRIVERS:
        raise BadInput(f"driver {study.driver!r}: allowed are {', '.join(DRIVERS)}")
    if study.address is not None and study.driver != "ray":
        raise BadInput(f"address {study.address!r}: it is a Ray cluster's; give it with driver ray, or leave it out")
    for limit in ("max_hours", "max_trial_minutes"):
        length = getattr(study, limit)
        if length is not None and not length > 0:
            raise BadInput(f"{limit} {length}: allowed is a number above 0; leave it out for no limit")
    share = study.gpus_per_trial
    if share is not None and not (0 < share <= 1 or (1 < share <= MOST_GPUS and share == int(share))):
        allowed = f"above 0, at most 1 (0.25 puts four trials on a GPU), and whole numbers to {MOST_GPUS} (2: one over two)"
        raise BadInput(f"gpus_per_trial {share}: allowed is {allowed}")


def _check_stopping(study: "Study") -> None:
    stopping = read_early_stopping(study.early_stopping, study.epochs)
    if study.objective is not None and stopping.by != "epochs":
        raise BadInput(
            f"early stopping {study.early_stopping!r}: your function trains on its own images; leave by={stopping.by} out"
        )


def _check_trainer(study: "Study") -> None:
    """What a function of the user's own sees to itself, and so can't be wished of us."""
    assert study.objective is not None
    name_of(study.objective)
    if study.checkpoints is not None:
        raise BadInput("checkpoints: your function's nets are its own, and it keeps them; leave it out, or the objective")
    if study.trim:
        raise BadInput("trim: only our own net says which strengths keep the labels; leave it out, or the objective")
    if study.views != "identity":
        raise BadInput(f"views {study.views!r}: your function scores its images itself; leave them out, or the objective")
    if study.model != "small" or study.weights is not None or study.batch_images is not None:
        raise BadInput("model, weights, batch_images: your function has a net of its own; leave them out, or the objective")
    if study.recipe is not None:
        raise BadInput("recipe: your function trains by a recipe of its own; leave it out, or search fields in a space file")


def _check_channels(study: "Study") -> None:
    if study.channels is None:
        return
    if study.data is not None:
        raise BadInput(
            f"channels {study.channels!r}: the data says it; leave it out, or leave the data out and give an objective"
        )
    if study.channels not in range(1, MOST_CHANNELS + 1):
        raise BadInput(f"channels {study.channels!r}: allowed are 1 to {MOST_CHANNELS}")
