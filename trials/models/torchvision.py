"""torchvision's classifiers, by their names there: `torchvision:resnet18`. Auxiliary heads are left out.

Their first weights are torchvision's own, drawn from torch's global generator: build them inside `trials.lent.lent`. Where its
weights are fetched, its own SHA-256 prefix is checked. Refuses unknown names, and weights that can't be had offline.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from torch import nn

from searchspaces.errors import BadInput
from searchspaces.json_text import one_line, shown
from trials.models.adapting import with_channels
from trials.models.asked import as_value

COLOURS = 3
# Nets that give a tuple while they train, unless they are told to leave their auxiliary classifiers out.
_WITHOUT_AUXILIARIES = {"googlenet", "inception_v3"}


def names() -> tuple[str, ...]:
    """All classifiers that torchvision has, sorted."""
    import torchvision

    return tuple(torchvision.models.list_models(module=torchvision.models))


def check_name(name: str) -> None:
    """BadInput where torchvision has no such classifier; it names the closest."""
    known = names()
    if name not in known:
        closest = get_close_matches(name, known, n=1)
        hint = f"did you mean {closest[0]!r}? " if closest else ""
        raise BadInput(f"model torchvision:{shown(name)}: {hint}allowed are torchvision's classifiers: policysearch models")


def built(name: str, options: Mapping[str, str], channels: int, classes: int) -> nn.Module:
    """The net for so many channels and classes. BadInput for an unknown name or option."""
    import torchvision

    check_name(name)
    wished: dict[str, Any] = {option: as_value(value) for option, value in options.items()}
    if name in _WITHOUT_AUXILIARIES:
        wished |= {"aux_logits": False, "init_weights": True}
    try:
        model: nn.Module = torchvision.models.get_model(name, weights=None, num_classes=classes, **wished)
    except (TypeError, ValueError) as error:
        raise BadInput(f"model torchvision:{name}: torchvision can't build it so ({one_line(str(error), 160)})") from error
    return model if channels == COLOURS else with_channels(model, channels)


def fetched(name: str, tag: str) -> Path:
    """Where torchvision's weights of that tag ("": its usual ones) lie, fetched if need be. BadInput where they can't be had."""
    import torchvision

    kinds = torchvision.models.get_model_weights(name)
    known = [kind.name for kind in kinds]
    if tag and tag not in known:
        raise BadInput(f"weights torchvision:{shown(tag)}: torchvision:{name} has {', '.join(known) or 'none'}")
    url = str(kinds[tag or "DEFAULT"].url)
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name
    if file.exists():
        return file
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(file), hash_prefix=_hash_prefix(file.stem), progress=False)
    except (OSError, RuntimeError) as error:
        raise BadInput(
            f"weights torchvision:{tag or 'DEFAULT'}: can't be fetched ({one_line(str(error), 80)}); fetch {file.name} where"
            " there is a network, and give its file: --weights FILE"
        ) from error
    return file


def _hash_prefix(stem: str) -> str | None:
    """Torchvision's files are called NAME-HASH, the first letters of their SHA-256."""
    _, dash, prefix = stem.rpartition("-")
    return prefix if dash and len(prefix) >= 8 and set(prefix) <= set("0123456789abcdef") else None
