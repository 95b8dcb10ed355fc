"""What a user wishes a search to be. Holds no state: that is rows of the ledger, under the study's name.

The wishes that results depend on are the study's identity; whoever repeats the name with another identity is refused. How
much to run, and where, is free to change from one run to the next.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchspaces.errors import BadInput, StudyMismatch
from searchspaces.json_text import canonical_json, one_line

if TYPE_CHECKING:
    from policysearch.campaign import Setting
    from policysearch.drivers import Listener
    from policysearch.ledger import StudyRecord
    from policysearch.search import Outcome
    from trials.data import Prepared, Source

DRIVERS = ("local", "ray")
OBJECTIVE = "validation error of the last epoch"
# What a recipe owes to the machine the study began on, not to a wish: no part of a study's name, and kept when the study goes on.
MACHINE_PARTS = ("precision", "channels_last", "device")
MOST_DIFFERENCES = 3
LONGEST_SPACE = 40  # letters of a study's made-up name


@dataclass(frozen=True)
class Study:
    """Wishes: what to search, on which data, and how to run it.

    Part of the identity: the data and its splits, `space` (a family's name), `epochs` a trial, `sampler`, `seed`. Not part of
    it: `enqueue` (policies to run beside: zoo:NAME or a file's path), `home` (where everything is kept), `driver` ("local" or
    "ray"), `address` of a Ray cluster, `workers` (trials at once; default and most: the cores), `gpus_per_trial` (default: a
    quarter where trials run on a GPU), `max_hours`. `name` defaults to data, space and a part of the identity's hash. Raises
    BadInput for a wish that can't be.
    """

    data: str | PathLike[str]
    space: str = "randaugment"
    data_root: str | PathLike[str] | None = None
    image_size: int = 64
    train_images: int | None = None
    val_images: int | None = None
    val_folder: str | None = None
    epochs: int = 40
    sampler: str = "tpe"
    seed: int = 0
    name: str | None = None
    home: str | Path | None = None
    driver: str = "local"
    address: str | None = None
    workers: int | None = None
    gpus_per_trial: float | None = None
    max_hours: float | None = None
    enqueue: Sequence[str] = ()

    def __post_init__(self) -> None:
        check_count("epochs", self.epochs, 1, 100_000)
        check_count("seed", self.seed, 0, 2**53)
        if self.workers is not None:
            check_count("workers", self.workers, 1, 100_000)
        if isinstance(self.enqueue, str) or not all(isinstance(source, str) for source in self.enqueue):
            raise BadInput(f"enqueue {self.enqueue!r}: allowed is a list of zoo:NAME and paths of policy files")
        if self.driver not in DRIVERS:
            raise BadInput(f"driver {self.driver!r}: allowed are {', '.join(DRIVERS)}")
        if self.address is not None and self.driver != "ray":
            raise BadInput(f"address {self.address!r}: it is a Ray cluster's; give it with driver ray, or leave it out")
        if self.max_hours is not None and not self.max_hours > 0:
            raise BadInput(f"max_hours {self.max_hours}: allowed is a number above 0; leave it out for no limit")
        if self.gpus_per_trial is not None and not 0 < self.gpus_per_trial <= 1:
            raise BadInput(f"gpus_per_trial {self.gpus_per_trial}: allowed is above 0, at most 1; 0.25 puts four trials on a GPU")

    def source(self) -> "Source":
        """The data wishes, as preparing takes them."""
        from trials.data import Source

        root = None if self.data_root is None else fspath(self.data_root)
        return Source(fspath(self.data), root, self.image_size, self.train_images, self.val_images, self.val_folder, self.seed)

    def identity(self, prepared: "Prepared", setting: "Setting") -> dict[str, Any]:
        """All that the study's results depend on, as JSON values."""
        from searchspaces.policy_json import digest

        return {
            "epochs": self.epochs,
            "sampler": self.sampler,
            "seed": self.seed,
            "objective": OBJECTIVE,
            "space": setting.space.to_dict(),
            "baselines": {label: digest(policy) for label, policy in setting.baselines.items()},
            "splits": dict(prepared.counts),
            "image": {name: getattr(prepared, name) for name in ("channels", "height", "width", "domain")},
            "data": {"name": prepared.name, "fingerprint": prepared.fingerprint},
            "test": prepared.heldout_fingerprint,
            "recipe": asdict(setting.recipe),
        }

    def name_for(self, identity: Mapping[str, Any], data_name: str) -> str:
        """The study's name: the wished one, or data-space-8 hex of the identity (without what the machine decided)."""
        if self.name is not None:
            return self.name
        recipe = {part: value for part, value in identity["recipe"].items() if part not in MACHINE_PARTS}
        fingerprint = hashlib.sha256(canonical_json(dict(identity) | {"recipe": recipe}).encode()).hexdigest()[:8]
        space = re.sub(r"[^A-Za-z0-9+]+", "-", self.space)[:LONGEST_SPACE]
        return f"{data_name}-{space}-{fingerprint}"

    def run(self, trials: int = 32, listener: "Listener | None" = None, test: bool = False) -> "Outcome":
        """Search until `trials` policies have been tried beside the baselines, or go on where an earlier run stopped.

        `listener` hears of the progress. `test` opens the held-out test set at the end: once for the study. Ctrl-C stops
        within seconds; the same call goes on from there. Raises the errors of `searchspaces.errors`.
        """
        from policysearch.search import search

        check_count("trials", trials, 1, 1_000_000)
        return search(self, trials, listener or (lambda event: None), test)


def check_count(name: str, value: int, low: int, high: int) -> None:
    """Raise BadInput unless `value` is a whole number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadInput(f"{name} {value!r}: allowed is a whole number from {low} to {high}")


def check_same(record: "StudyRecord", identity: Mapping[str, Any]) -> None:
    """Raise StudyMismatch, naming the wishes that differ, unless the recorded study is the one wished for."""
    differences = list(_differences("", record.identity, identity))
    if not differences:
        return
    more = f"; {len(differences) - MOST_DIFFERENCES} more differ" if len(differences) > MOST_DIFFERENCES else ""
    named = "; ".join(f"{name} was {_short(old)}, now {_short(new)}" for name, old, new in differences[:MOST_DIFFERENCES])
    cure = "repeat the old wishes, or give another name"
    raise StudyMismatch(f"study {record.name!r}: exists with other wishes: {named}{more}; {cure}")


def _differences(name: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    """Name, old and new value of all that differs, in the order of the new identity."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys((*new, *old)):
            yield from _differences(f"{name} {key}".strip(), old.get(key), new.get(key))
    elif canonical_json(old) != canonical_json(new):
        yield name, old, new


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else canonical_json(value)
    return one_line(text[:12] if len(text) == 64 else text, 60)
