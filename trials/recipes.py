"""Which recipe a machine trains with, and whether a machine can follow a recipe it's given.

bfloat16 is the default where the hardware multiplies it. On a CPU with AVX512-BF16 the small net then trains 1.3 (28 px, grey) to
1.7 (32 px, colour) times as fast as in float32; others have not been measured. Refuses recipes the machine can't follow, so that
no study mixes them.
"""

from typing import Literal

import torch

from searchspaces.errors import BadInput
from searchspaces.recipe_fields import FIELDS, milestones
from searchspaces.views import checked_views
from trials.machine import cpu_multiplies_bfloat16
from trials.models import check_model
from trials.models.asked import read_model
from trials.values import Recipe


def default_recipe(device: Literal["cpu", "cuda"] | None = None) -> Recipe:
    """The recipe for `device` (default: the GPU if there is one, else the CPU)."""
    chosen: Literal["cpu", "cuda"] = device or ("cuda" if torch.cuda.is_available() else "cpu")
    quick = chosen == "cuda" or cpu_multiplies_bfloat16()
    return Recipe(precision="bfloat16" if quick else "float32", device=chosen)


def check_recipe(recipe: Recipe) -> None:
    """Raises BadInput when this machine can't train as `recipe` says, or nobody can."""
    check_model(recipe.model)
    if recipe.batch_images < 2:
        raise BadInput(f"batch_images: {recipe.batch_images}; allowed is 2 or more (batch statistics need two images)")
    checked_views(recipe.views)
    _check_fields(recipe)
    if recipe.device == "cuda" and not torch.cuda.is_available():
        raise BadInput(
            "device: 'cuda', but this machine has no usable GPU; go on where the study began, or start another with device=cpu"
        )
    if recipe.device == "cpu" and recipe.precision == "bfloat16" and not cpu_multiplies_bfloat16():
        raise BadInput(
            "precision: 'bfloat16', but this CPU has no such instructions; go on where the study began, or start another with"
            " precision=float32"
        )


def _check_fields(recipe: Recipe) -> None:
    """Each field by the table, and what of two fields must go together."""
    for field in FIELDS:
        if field.name != "peak_learning_rate":  # one that is too high shows: the loss isn't finite, and the trial says so
            field.checked(getattr(recipe, field.name))
    milestones(recipe.step_milestones)
    if bool(recipe.weights) != bool(recipe.weights_sha256):
        raise BadInput("weights_sha256: it goes with weights, and they with it; give both, or neither")
    if recipe.frozen_stages and not recipe.weights:
        raise BadInput(f"frozen_stages: {recipe.frozen_stages}, of a net that starts from chance; give weights, or freeze none")
    if recipe.processes > 1 and recipe.batch_images < 2 * recipe.processes * recipe.batch_parts:
        most = recipe.batch_images // (2 * recipe.batch_parts)
        raise BadInput(
            f"processes: {recipe.processes} for {recipe.batch_images} images; allowed is at most {most}, two images each"
        )
    if recipe.processes > 1 and read_model(recipe.model).source == "own":
        raise BadInput(f"processes: {recipe.processes}, but the net is a function of your own, which the others have not; give 1")
    if recipe.device == "cuda" and recipe.processes > max(1, torch.cuda.device_count()):
        raise BadInput(
            f"processes: {recipe.processes}, but {torch.cuda.device_count()} GPUs are visible; each needs one of its own"
        )
    if recipe.batch_parts > 1 and recipe.batch_images < 2 * recipe.batch_parts:
        most = recipe.batch_images // 2
        raise BadInput(
            f"batch_parts: {recipe.batch_parts} of {recipe.batch_images} images; allowed is at most {most}, two images a part"
        )
