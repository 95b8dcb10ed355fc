"""From a user's wishes to what a search runs with: the images, the study's setting, name and identity, and who runs its trials.

All of it can be asked again and gives the same; the ledger is only read. Refuses what would leave a study that nobody can finish.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from policysearch.drivers import Driver, Listener
from policysearch.drivers.execution import usable_cores
from policysearch.enqueued import for_study, not_run_twice
from policysearch.identity import MACHINE_PARTS, check_same, identity_of, study_name
from policysearch.ledger import Ledger, StudyRecord
from policysearch.nets import net_fields, packed_model
from policysearch.packing import name_of, pack
from policysearch.preparing import noting
from policysearch.rungs import read_early_stopping
from policysearch.setting import Setting
from policysearch.study import Study
from searchspaces.errors import BadInput
from searchspaces.limiting import Limits, check_within, limited_baselines, limited_space
from searchspaces.policy import Policy
from searchspaces.policy_json import digest
from searchspaces.recipe_wishes import with_recipe
from searchspaces.views import recipe_views, views_met, views_note, with_views
from trials.cheaper import check_enough
from trials.data import Prepared, prepare
from trials.models.fitting import check_fit
from trials.recipes import check_recipe, default_recipe
from trials.values import DataRef, Recipe

GPUS_PER_TRIAL = 0.25  # the small net fills no GPU
GPUS_PER_OBJECTIVE = 1.0  # a net of the user's own may well


@dataclass(frozen=True)
class Wished:
    """A study as it is wished for. `known` is the ledger's study of that name and identity; `notes` are for the user."""

    prepared: Prepared | None
    setting: Setting
    name: str
    identity: Mapping[str, Any]
    known: StudyRecord | None
    notes: tuple[str, ...]


def prepared_images(study: Study, home_root: Path, listener: Listener, test: bool) -> Prepared | None:
    """The images of the study, made ready if need be; None where an objective brings its own. BadInput for an impossible test."""
    if study.objective is not None and test:
        raise BadInput("test: the model is your function's own, and policysearch keeps none to test; test it there, once")
    if study.data is None:
        return None
    prepared = prepare(study.source(), home_root, noting(listener))
    if test and prepared.heldout is None:
        raise BadInput(f"data {study.data}: it has no test set to open; give one that has, or search without --test")
    return prepared


def wished(study: Study, prepared: Prepared | None, ledger: Ledger, policies: Mapping[str, Policy]) -> Wished:
    """The study's setting with the policies that the user enqueued, its name and identity; nothing is recorded.

    StudyMismatch where the ledger has another study of that name.
    """
    setting = _setting(study, prepared)
    name = study_name(study, identity_of(study, prepared, setting), _data_name(study, prepared))
    known = ledger.study(name)
    if known is not None and setting.objective is None and "recipe" in known.identity:
        setting = replace(setting, recipe=_as_it_began(setting.recipe, known, study.fixed_parts))
    identity = identity_of(study, prepared, setting)
    if known is not None:
        check_same(known, identity)
    if setting.objective is None:
        check_recipe(setting.recipe)
        if prepared is not None:
            check_fit(setting.recipe, prepared.channels, prepared.height, prepared.width, len(prepared.classes))
    setting, notes = _with_enqueued(setting, policies, study, prepared)
    prepared_notes = () if prepared is None else prepared.notes
    limits, channels = _limits(study, prepared), _channels(study, prepared)
    mirrored = views_note(limits.domain.name, views_met(setting.space, setting.recipe.views), "hflip" in limits.cut.moves)
    limit_notes = (*limits.notes(channels), *setting.space.notes)
    all_notes = (*prepared_notes, *limit_notes, *([mirrored] if mirrored else []), *notes)
    return Wished(prepared, setting, name, identity, known, all_notes)


def _channels(study: Study, prepared: Prepared | None) -> int:
    return (study.channels or 3) if prepared is None else prepared.channels


def _size(prepared: Prepared | None) -> tuple[int, int] | tuple[()]:
    """Height and width, where they are known."""
    return () if prepared is None else (prepared.height, prepared.width)


def _limits(study: Study, prepared: Prepared | None) -> Limits:
    """What the images may not meet."""
    return study.limits("photos" if prepared is None else prepared.domain)


def _setting(study: Study, prepared: Prepared | None) -> Setting:
    channels, limits = _channels(study, prepared), _limits(study, prepared)
    base = limits.domain.base(*_size(prepared))
    stopping = read_early_stopping(study.early_stopping, study.epochs)
    if prepared is not None:
        known = (prepared.counts["train"], len(prepared.classes), prepared.height, prepared.width)
        check_enough(stopping.by, stopping.rungs[0] / study.epochs, *known)
    space = with_views(limited_space(study.space_wish, channels, base, limits.cut), study.views)
    return Setting(
        space=space if study.recipe_wish is None else with_recipe(space, study.recipe_wish),
        baselines=limited_baselines(channels, base, limits.cut),
        recipe=_recipe(study),
        data=None if prepared is None else DataRef(str(prepared.directory), prepared.fingerprint),
        seed=study.seed,
        budget_epochs=study.epochs,
        rungs=stopping.rungs,
        eta=stopping.eta,
        by=stopping.by,
        objective=None if study.objective is None else name_of(study.objective),
        limit_seconds=None if study.max_trial_minutes is None else 60 * study.max_trial_minutes,
    )


def _data_name(study: Study, prepared: Prepared | None) -> str:
    """What the made-up name of a study begins with: its data's name, or its function's in letters that a name may have."""
    if prepared is not None:
        return prepared.name
    assert study.objective is not None
    plain = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "-" for c in name_of(study.objective))
    return "-".join(part for part in plain.split("-") if part)[-40:].lstrip("-")


def _as_it_began(recipe: Recipe, known: StudyRecord, wished_parts: Collection[str]) -> Recipe:
    """The recipe with what the first machine decided, but for what is wished: a study is not trained in two precisions."""
    began = known.identity["recipe"]
    return replace(recipe, **{part: began[part] for part in MACHINE_PARTS if part not in wished_parts})


def _recipe(study: Study) -> Recipe:
    """This machine's usual recipe with what is wished of it. BadInput for a device that is not here."""
    wish = study.recipe_wish
    fixed: dict[str, Any] = {} if wish is None else wish.completed()
    if study.objective is not None:
        return replace(Recipe(), **fixed, views=recipe_views(study.views))
    recipe = replace(default_recipe(fixed.get("device")), **fixed)
    if recipe.device == "cuda" and study.gpus_per_trial is not None and study.gpus_per_trial > 1:
        fixed = {**fixed, "processes": int(study.gpus_per_trial)}
        recipe = replace(recipe, processes=fixed["processes"])
    return replace(recipe, **net_fields(study, fixed), views=recipe_views(study.views))


def _with_enqueued(
    setting: Setting, policies: Mapping[str, Policy], study: Study, prepared: Prepared | None
) -> tuple[Setting, tuple[str, ...]]:
    """The setting with the policies that the user enqueued, on the study's own base, and notes on those that are run anyway.

    BadInput for one that has what the study forbids.
    """
    limits = _limits(study, prepared)
    placed = for_study(policies, _channels(study, prepared), limits.base(*_size(prepared)))
    for label, policy in placed.items():
        check_within(f"enqueue {label}", policy, limits.cut)
    known = {digest(policy): f"the baseline {label}" for label, policy in setting.baselines.items()}
    once, notes = not_run_twice(placed, known)
    return replace(setting, enqueued=once), notes


def driver_for(study: Study, setting: Setting) -> Driver:
    """Who runs the trials."""
    packed = packed_model(setting.recipe) if study.objective is None else pack(study.objective)
    share = _share_of_a_gpu(study, setting)
    if study.driver == "ray":
        from policysearch.drivers.ray_tune import RayDriver

        return RayDriver(study.workers, study.address, share, packed)
    from policysearch.drivers.local import LocalDriver, visible_gpus

    each = setting.recipe.processes if study.objective is None else max(1, int(share))
    gpus = in_groups(visible_gpus(), each) if share else ()
    room = int(len(gpus) * each / share + 1e-9) if gpus else usable_cores() // each
    return LocalDriver(min(study.workers or usable_cores(), usable_cores(), max(1, room)), gpus, packed)


def in_groups(gpus: Sequence[str], size: int) -> tuple[str, ...]:
    """The GPUs in groups of `size`, as CUDA_VISIBLE_DEVICES names them: one for each trial that is shared out over so many."""
    return tuple(",".join(gpus[start : start + size]) for start in range(0, len(gpus) - size + 1, size))


def _share_of_a_gpu(study: Study, setting: Setting) -> float:
    if study.objective is None:
        alone = study.gpus_per_trial or (GPUS_PER_TRIAL if setting.recipe.processes == 1 else 1.0)
        return (
            max(alone, float(setting.recipe.processes > 1) * setting.recipe.processes) if setting.recipe.device == "cuda" else 0.0
        )
    import torch

    if study.address is not None and not torch.cuda.is_available():  # what the cluster's nodes have, this one can't tell
        return study.gpus_per_trial or 0.0
    return (study.gpus_per_trial or GPUS_PER_OBJECTIVE) if torch.cuda.is_available() else 0.0
