"""timm's models, by their names there: `timm:resnet18` (Wightman 2019; the extra `timm` brings it).

Their first weights are timm's own, drawn from torch's global generator: build them inside `trials.lent.lent`. Nothing is fetched.
Refuses unknown names, and says how to get timm where it is not installed.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from importlib.util import find_spec

from torch import nn

from searchspaces.errors import BadInput
from searchspaces.json_text import one_line, shown
from trials.models.asked import as_value


def is_installed() -> bool:
    """Whether there is a timm here; it is not imported for that."""
    return find_spec("timm") is not None


def check_name(name: str) -> None:
    """BadInput where timm is not installed, or has no such model; it names the closest."""
    if not is_installed():
        raise BadInput(f"model timm:{shown(name)}: timm is not installed here; pip install 'policysearch[timm]'")
    import timm

    plain = name.partition(".")[0]  # behind the dot is which weights a name means; none are fetched here
    if not timm.is_model(plain):
        closest = get_close_matches(plain, timm.list_models(), n=1)
        hint = f"did you mean {closest[0]!r}? " if closest else ""
        raise BadInput(f"model timm:{shown(name)}: {hint}allowed are the names that timm.list_models() gives")


def built(name: str, options: Mapping[str, str], channels: int, classes: int) -> nn.Module:
    """The net for so many channels and classes. BadInput for an unknown name or option."""
    check_name(name)
    import timm

    wished = {option: as_value(value) for option, value in options.items()}
    try:
        model = timm.create_model(name.partition(".")[0], pretrained=False, in_chans=channels, num_classes=classes, **wished)
    except (TypeError, ValueError, AssertionError) as error:
        raise BadInput(f"model timm:{name}: timm can't build it so ({one_line(str(error), 160)})") from error
    assert isinstance(model, nn.Module)
    return model
