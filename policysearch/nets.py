"""From what a user wishes of the net to the recipe's fields: its name, the weights that it starts from, and the batch.

A function of the user's own is brought to the workers as an objective is (`policysearch.packing`). Refuses a net or batch that
two wishes name.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from policysearch.packing import name_of, pack_model
from searchspaces.errors import BadInput
from trials.models import spoken_model
from trials.models.asked import read_model
from trials.models.own import bring, find
from trials.models.pretrained import TORCHVISION, weights_sha256
from trials.values import Recipe

if TYPE_CHECKING:
    from policysearch.study import Study

USUAL = Recipe().model


def net_fields(study: "Study", fixed: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe's fields that the wishes for a net name; `fixed` are those of the recipe's wish.

    BadInput for a net there is not, weights that can't be read, and what is wished for twice.
    """
    model = _named(study)
    for name, wished in (("model", None if model == USUAL else model), ("batch_images", study.batch_images)):
        if wished is not None and name in fixed:
            raise BadInput(f"{name}: {wished}, and {fixed[name]} in the recipe; leave one of the two out")
    fields: dict[str, Any] = {"model": spoken_model(str(fixed.get("model", model)))}
    if study.batch_images is not None:
        fields["batch_images"] = study.batch_images
    if study.weights is not None:
        wish = lasting_weights(study)
        fields |= {"weights": wish, "weights_sha256": weights_sha256(wish, read_model(fields["model"]))}
    return fields


def check_net(study: "Study") -> None:
    """Raise BadInput for a net, weights or batch that can't be, as far as that is known without the images."""
    if study.objective is None:
        net_fields(study, {} if study.recipe_wish is None else study.recipe_wish.fixed)


def lasting_weights(study: "Study") -> str:
    """The weights that are wished for as they can be kept: torchvision's by their name, a file by its absolute path."""
    wish = str(study.weights)
    is_named = wish.partition(":")[0] == TORCHVISION and not Path(wish).exists()
    return wish if is_named else str(Path(wish).expanduser().absolute())


def lasting_model(study: "Study") -> str:
    """The net that is wished for in text; a function by its name."""
    return study.model if isinstance(study.model, str) else name_of(study.model, "model")


def packed_model(recipe: Recipe) -> str | None:
    """The user's own function of the recipe's net as text for a worker; None for all other nets."""
    asked = read_model(recipe.model)
    return pack_model(asked.name, find(asked.name)) if asked.source == "own" else None


def _named(study: "Study") -> str:
    name = lasting_model(study)
    if not isinstance(study.model, str):
        bring(name, study.model)
    return name
