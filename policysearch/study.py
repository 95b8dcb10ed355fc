"""What a user wishes a search to be. Holds no state: that is rows of the ledger, under the study's name.

The wishes that results depend on are the study's identity (`policysearch.identity`); whoever repeats the name with another one is
refused. How much to run, and where, is free to change from one run to the next. Refuses wishes that can't be (`wish_checks`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from policysearch.packing import name_of
from policysearch.wish_checks import check_count, check_wishes

if TYPE_CHECKING:
    from policysearch.drivers import Listener
    from policysearch.objective import Context
    from policysearch.search import Outcome
    from searchspaces.limiting import Limits
    from searchspaces.recipe_wishes import RecipeWish
    from trials.data import Source

# The wishes that are kept for `extend` as they are.
KEPT_WISHES = (
    *("image_size", "train_images", "val_images", "val_folder", "epochs", "sampler", "early_stopping", "seed"),
    *("max_trial_minutes", "gpus_per_trial", "channels", "domain", "groups", "duplicates", "views", "trim"),
    *("finalists", "finalist_seeds", "calibrate", "any_budget", "batch_images", "columns", "levels", "skip_bad"),
)


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
    `duplicates` ("drop-exact", "drop-from-train", "report" or "refuse"), `trim` (cut the space to strengths that keep the
    labels), `views` (test-time augmentation; several names with commas are searched) are part of the identity, and so is
    `recipe`, how it is trained: "FIELD=VALUE,...", a YAML file's path or what it holds (docs/recipes.md), and the net: `model` (a
    name, or a function of channels and classes), `weights` that it starts from (a file, or "torchvision:TAG") and
    `batch_images` (docs/models.md). Not part of it: `calibrate`
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
        check_wishes(self)

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
