"""What a user wishes a search to be. Holds no state: that is rows of the ledger, under the study's name.

The wishes that results depend on are the study's identity; whoever repeats the name with another identity is refused. How
much to run, and where, is free to change from one run to the next.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from policysearch.packing import name_of
from policysearch.rungs import read_early_stopping
from searchspaces.errors import BadInput, StudyMismatch
from searchspaces.json_text import canonical_json, one_line
from searchspaces.views import named_views

if TYPE_CHECKING:
    from policysearch.drivers import Listener
    from policysearch.ledger import StudyRecord
    from policysearch.objective import Context
    from policysearch.search import Outcome
    from policysearch.setting import Setting
    from searchspaces.limiting import Limits
    from searchspaces.recipe_wishes import RecipeWish
    from trials.data import Prepared, Source

DRIVERS = ("local", "ray")
CURES = ("drop-exact", "drop-from-train", "report", "refuse")
MOST_CHANNELS = 64
SPACE_FILES = (".yaml", ".yml")
# The wishes that are kept for `extend` as they are.
KEPT_WISHES = (
    *("image_size", "train_images", "val_images", "val_folder", "epochs", "sampler", "early_stopping", "seed"),
    *("max_trial_minutes", "gpus_per_trial", "channels", "domain", "groups", "duplicates", "views", "trim"),
    *("finalists", "finalist_seeds", "calibrate", "any_budget", "batch_images", "columns", "levels", "skip_bad"),
)
OBJECTIVE = "validation error of the last epoch"
# What a recipe owes to the machine the study began on, not to a wish: no part of a study's name, and kept when the study goes on.
MACHINE_PARTS = ("precision", "channels_last", "device")
MOST_DIFFERENCES = 3
MOST_GPUS = 64  # of a trial
LONGEST_SPACE = 40  # letters of a study's made-up name


@dataclass(frozen=True)
class Study:
    """Wishes: what to search, on which data or in which trainer, and how to run it.

    Part of the identity: the data and its splits, `space` (what `--space` takes, a space file's path or its content), `epochs` a
    trial, `sampler`, `early_stopping`, `seed`. Not part of it: `enqueue` (policies to run beside: zoo:NAME or a file's path),
    `home` (where everything is kept), `storage` (a database for the ledger), `driver` ("local" or "ray"), `address` of a Ray
    cluster, `workers` (trials at once; default and most: the cores), `gpus_per_trial` (default: a quarter where trials run on a
    GPU, a whole one for an objective), `max_hours`, `max_trial_minutes` (a trial that takes longer hangs, and fails). `name`
    defaults to data, space and a part of the identity's hash.

    What makes the result one to believe: `groups` (images that belong together: "column", "folder:N" or "regex:PATTERN"),
    `duplicates` (one of `CURES`), `trim` (cut the space to strengths that keep the labels), `views` (test-time augmentation;
    several names with commas are searched) are part of the identity, and so is `recipe`, how it is trained: "FIELD=VALUE,...", a
    YAML file's path or what it holds (docs/recipes.md), and the net: `model` (a name, or a function of channels and classes),
    `weights` that it starts from (a file, or "torchvision:TAG") and `batch_images` (docs/models.md). Not part of it: `calibrate`
    (whether the budget is checked first), `any_budget` (go on where it was found too short), `finalists` (how many of the best
    searched policies are trained again; 0: none, and no verdict) and `finalist_seeds` (how many times each).

    How images are read: `levels` (the window of 16-bit ones, "LOW:HIGH" or "full"; part of the identity), `columns` (a table's,
    such as "path=FILE,label=KIND") and `skip_bad` (leave out up to 1 % that can't be read).

    `checkpoints` is where nets are kept, the best one's, the finalists' and those of trainings under way: a folder, or a URL
    that fsspec can write to. Default: the place that the study has, at first its folder in the home. No part of the identity.

    `objective` is a function of your own that trains in place of ours (`policysearch.objective.Context` is what it gets); then
    `data` may be left out, and `channels` and `domain` say what images it has (3 and "photos" unless they are given). Its name is
    part of the identity, its code is not.

    `domain` says what kind of images they are, whatever the data's reader says, and brings that domain's base and limits;
    `forbid` ("hflip,hue,rotate>15", or a list of such) stands in place of what the domain says of each that it names. Both hold
    for searched policies, baselines and enqueued ones, and are part of the identity (`searchspaces.domains`, docs/domains.md).
    Raises BadInput for a wish that can't be.
    """

    data: str | PathLike[str] | None = None
    space: str | PathLike[str] | Mapping[str, Any] = "randaugment"
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
    objective: Callable[["Context"], Any] | None = None
    channels: int | None = None
    domain: str | None = None
    early_stopping: str | None = None
    max_trial_minutes: float | None = None
    storage: str | None = None
    groups: str | None = None
    duplicates: str = "drop-exact"
    trim: bool = False
    views: str = "identity"
    calibrate: bool = True
    any_budget: bool = False
    finalists: int = 3
    finalist_seeds: int = 5
    recipe: str | PathLike[str] | Mapping[str, Any] | None = None
    model: str | Callable[..., Any] = "small"
    weights: str | PathLike[str] | None = None
    batch_images: int | None = None
    forbid: str | Sequence[str] = ()
    columns: str | None = None
    levels: str | None = None
    skip_bad: bool = False
    checkpoints: str | PathLike[str] | None = None

    def __post_init__(self) -> None:
        check_count("epochs", self.epochs, 1, 100_000)
        check_count("seed", self.seed, 0, 2**53)
        check_count("finalists", self.finalists, 0, 100)
        check_count("finalist_seeds", self.finalist_seeds, 1, 100)
        named_views(self.views)
        if self.duplicates not in CURES:
            raise BadInput(f"duplicates {self.duplicates!r}: allowed are {', '.join(CURES)}")
        if self.batch_images is not None:
            check_count("batch_images", self.batch_images, 2, 65_536)
        if self.workers is not None:
            check_count("workers", self.workers, 1, 100_000)
        if isinstance(self.enqueue, str) or not all(isinstance(source, str) for source in self.enqueue):
            raise BadInput(f"enqueue {self.enqueue!r}: allowed is a list of zoo:NAME and paths of policy files")
        if self.driver not in DRIVERS:
            raise BadInput(f"driver {self.driver!r}: allowed are {', '.join(DRIVERS)}")
        if self.address is not None and self.driver != "ray":
            raise BadInput(f"address {self.address!r}: it is a Ray cluster's; give it with driver ray, or leave it out")
        for limit in ("max_hours", "max_trial_minutes"):
            length = getattr(self, limit)
            if length is not None and not length > 0:
                raise BadInput(f"{limit} {length}: allowed is a number above 0; leave it out for no limit")
        share = self.gpus_per_trial
        if share is not None and not (0 < share <= 1 or (1 < share <= MOST_GPUS and share == int(share))):
            allowed = f"above 0, at most 1 (0.25 puts four trials on a GPU), and whole numbers to {MOST_GPUS} (2: one over two)"
            raise BadInput(f"gpus_per_trial {share}: allowed is {allowed}")
        stopping = read_early_stopping(self.early_stopping, self.epochs)
        if self.objective is not None and stopping.by != "epochs":
            raise BadInput(
                f"early stopping {self.early_stopping!r}: your function trains on its own images; leave by={stopping.by} out"
            )
        if self.domain is not None or self.forbid:
            self.limits("photos")
        _ = self.recipe_wish
        self._check_what_trains()

    def _check_what_trains(self) -> None:
        if self.data is None and self.objective is None:
            raise BadInput("data: none given; give images, or an objective: a function of your own that trains")
        if self.objective is not None:
            name_of(self.objective)
            if self.checkpoints is not None:
                raise BadInput("checkpoints: your function's nets are its own, and it keeps them; leave it out, or the objective")
            if self.trim:
                raise BadInput("trim: only our own net says which strengths keep the labels; leave it out, or the objective")
            if self.views != "identity":
                raise BadInput(f"views {self.views!r}: your function scores its images itself; leave them out, or the objective")
            if self.model != "small" or self.weights is not None or self.batch_images is not None:
                raise BadInput(
                    "model, weights, batch_images: your function has a net of its own; leave them out, or the objective"
                )
            if self.recipe is not None:
                raise BadInput(
                    "recipe: your function trains by a recipe of its own; leave it out, or search fields in a space file"
                )
        if self.channels is not None and self.data is not None:
            raise BadInput(
                f"channels {self.channels!r}: the data says it; leave it out, or leave the data out and give an objective"
            )
        if self.channels is not None and self.channels not in range(1, MOST_CHANNELS + 1):
            raise BadInput(f"channels {self.channels!r}: allowed are 1 to {MOST_CHANNELS}")

    def source(self) -> "Source":
        """The data wishes, as preparing takes them."""
        from trials.data import Source

        assert self.data is not None
        root = None if self.data_root is None else fspath(self.data_root)
        wishes = (self.image_size, self.train_images, self.val_images, self.val_folder, self.seed)
        reading = (self.columns, self.levels, self.skip_bad)
        return Source(fspath(self.data), root, *wishes, self.groups, self.duplicates, *reading)

    def limits(self, said: str) -> "Limits":
        """What the study's images may not meet; `said` is the domain that the data's reader takes them for."""
        from searchspaces.limiting import limits_of

        return limits_of(self.domain, said, self.forbid)

    @property
    def space_wish(self) -> str | Mapping[str, Any]:
        """The space as `build_space` takes it."""
        return fspath(self.space) if isinstance(self.space, PathLike) else self.space

    @property
    def recipe_wish(self) -> "RecipeWish | None":
        """What the recipe's wish says; None where there is none. BadInput for what can't be."""
        if self.recipe is None:
            return None
        from searchspaces.recipe_wishes import read_recipe

        return read_recipe(self.recipe)

    def identity(self, prepared: "Prepared | None", setting: "Setting") -> dict[str, Any]:
        """All that the study's results depend on, as JSON values; without what a study of one's own trainer lacks."""
        from searchspaces.policy_json import digest

        limits = self.limits("photos" if prepared is None else prepared.domain)
        identity = {
            "epochs": self.epochs,
            "sampler": self.sampler,
            "seed": self.seed,
            "objective": setting.objective or OBJECTIVE,
            **({"limits": limits.to_dict()} if limits.cut else {}),
            "space": setting.space.to_dict(),
            "baselines": {label: digest(policy) for label, policy in setting.baselines.items()},
        }
        if prepared is not None:
            identity |= {
                "splits": dict(prepared.counts),
                "fingerprints": dict(prepared.fingerprints),
                "image": {name: getattr(prepared, name) for name in ("channels", "height", "width")}
                | {"domain": limits.domain.name},
                "data": {"name": prepared.name, "fingerprint": prepared.fingerprint},
                "groups": self.groups,
                "duplicates": self.duplicates,
                "test": prepared.heldout_fingerprint,
            }
            if self.levels is not None:
                identity["levels"] = self.levels
        else:
            identity["image"] = {"channels": self.channels or 3, "domain": limits.domain.name}
        if setting.objective is None:
            identity["recipe"] = setting.recipe.to_dict()
            identity["trim"] = self.trim
        if self.early_stopping is not None:
            identity["early_stopping"] = setting.early_stopping.to_dict()
        return identity

    def name_for(self, identity: Mapping[str, Any], data_name: str) -> str:
        """The study's name: the wished one, or data-space-8 hex of the identity (without what the machine decided)."""
        if self.name is not None:
            return self.name
        named = dict(identity)
        if "recipe" in named:
            of_machine = {*MACHINE_PARTS} - {*self.fixed_parts}
            named["recipe"] = {part: value for part, value in named["recipe"].items() if part not in of_machine}
        fingerprint = hashlib.sha256(canonical_json(named).encode()).hexdigest()[:8]
        wish = self.space_wish if isinstance(self.space_wish, str) else str(identity["space"]["name"])
        space = re.sub(r"[^A-Za-z0-9+]+", "-", Path(wish).stem if wish.endswith(SPACE_FILES) else wish)[:LONGEST_SPACE]
        return f"{data_name}-{space}-{fingerprint}"

    @property
    def fixed_parts(self) -> tuple[str, ...]:
        """The recipe's fields that were wished for with a value."""
        return () if self.recipe_wish is None else tuple(self.recipe_wish.fixed)

    def wishes(self) -> dict[str, Any]:
        """What a later `extend` needs to search on, as JSON values.

        Paths are absolute, a space file's content stands instead of its path, a function of the user's own is there by name only.
        """
        from policysearch.nets import lasting_model, lasting_weights
        from searchspaces.forbidding import read_forbids
        from searchspaces.recipe_wishes import lasting_recipe
        from searchspaces.spaces import lasting_wish
        from trials.data.source import lasting_data

        data = None if self.data is None else fspath(self.data)
        kept = {name: getattr(self, name) for name in KEPT_WISHES if getattr(self, name) is not None}
        kept |= {"forbid": [part.words for part in read_forbids(self.forbid)]} if self.forbid else {}
        kept |= {"space": lasting_wish(self.space_wish)}
        if self.recipe is not None:
            kept["recipe"] = lasting_recipe(self.recipe)
        if self.model != "small":
            kept["model"] = lasting_model(self)
        if self.weights is not None:
            kept["weights"] = lasting_weights(self)
        if data is not None:
            kept["data"] = lasting_data(data)
        if self.data_root is not None:
            kept["data_root"] = str(Path(self.data_root).expanduser().absolute())
        if self.objective is not None:
            kept["objective"] = name_of(self.objective)
        return kept

    def run(self, trials: int = 32, listener: "Listener | None" = None, test: bool = False) -> "Outcome":
        """Search until `trials` policies have been tried beside the baselines, or go on where an earlier run stopped.

        `listener` hears of the progress. `test` opens the held-out test set at the end: once for the study. Ctrl-C stops
        within seconds; the same call goes on from there. Raises the errors of `searchspaces.errors`.
        """
        from policysearch.search import search

        check_count("trials", trials, 1, 1_000_000)
        return search(self, trials, listener or (lambda event: None), test)

    def extend(self, trials: int | str, listener: "Listener | None" = None, test: bool = False) -> "Outcome":
        """Go on with a study that is there: "+50" tries so many policies more, a number so many in all.

        One whose test figure has been disclosed goes on as a child study of another name, which counts that look. BadInput where
        there is no such study.
        """
        from policysearch.search import search

        return search(self, 0, listener or (lambda event: None), test, extend=str(trials))


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
